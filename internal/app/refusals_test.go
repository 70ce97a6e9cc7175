package app

import (
	"testing"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/problem"
	"github.com/turnout-events/turnout/internal/edge/refusal"
)

// A client meets one set of problems, whether an instance or the proxy before it
// refuses.
func TestProxyAndAPISpeakAlike(t *testing.T) {
	check := func(status int, r refusal.Refusal) {
		want := problem.Of(&turnout.Error{Code: r.Code})
		if want.Status != status {
			want = problem.At(status, &turnout.Error{Code: r.Code})
		}
		if want.Status != status || r.Type != want.Type || r.Title != want.Title || r.Code != want.Code {
			t.Errorf("the proxy says %d %+v, the API %+v", status, r, want)
		}
	}
	for status, r := range refusal.All() {
		check(status, r)
	}
	check(refusal.Unknown().Status, refusal.Unknown())
}

package refusal

import (
	"errors"
	"net/http"
	"testing"

	"github.com/turnout-events/turnout/internal/edge/held"
)

// What is said by itself is said in full, whoever is at fault.
func TestRefusals(t *testing.T) {
	check := func(status int, r Refusal) {
		if r.Type == "" || r.Title == "" || r.Code == "" || r.Detail == "" || r.heading == "" || r.text == "" || http.StatusText(status) == "" {
			t.Errorf("%d is %+v", status, r)
		}
	}
	for status, r := range All() {
		check(status, r)
	}
	check(Unknown().Status, Unknown())
	for _, err := range []error{held.ErrSlow, held.ErrBroken, held.ErrLarge, errors.New("nobody answers")} {
		if _, ok := All()[StatusOf(err)]; !ok {
			t.Errorf("nothing is said about %v", err)
		}
	}
}

package loading

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/turnout-events/turnout/internal/load"
	"github.com/turnout-events/turnout/internal/load/browse"
	"github.com/turnout-events/turnout/internal/load/result"
)

// What still waits later had not arrived before.
func TestDrainedIsTheLastTime(t *testing.T) {
	run := &result.Run{Salesforce: &result.Salesforce{}, Timeline: []result.Interval{
		{Second: 0, Accepted: 100, OldestAge: 0.5}, {Second: 1}, {Second: 2, OldestAge: 2.5}, {Second: 60, OldestAge: 60}, {Second: 61}, {Second: 62},
	}}
	cost(run)
	if run.Salesforce.DrainedAfter != 61 || run.Salesforce.OldestWaiting != 60 {
		t.Errorf("%+v", run.Salesforce)
	}
}

// slow is a site whose pages come until somebody goes.
func slow(t *testing.T, leave func()) *browse.Site {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return browse.NewSite(u, browse.Guard{}, "test")
}

// Who leaves while something is being proven hears nothing of it, and not that what was
// not looked at has changed.
func TestInterruptedProofProvesNothing(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	p := &party{o: Options{Say: func(string, ...any) {}}, target: slow(t, leave)}
	out := &load.Outcome{Run: &result.Run{}, Scanned: []string{"/l/a", "/l/b"}}
	if p.unchanged(ctx, out); len(out.Run.Verdicts) != 0 {
		t.Errorf("%+v", out.Run.Verdicts)
	}
}

func TestUnreadIsNotChanged(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.Close() // nobody answers
	p := &party{o: Options{Say: func(string, ...any) {}}, target: browse.NewSite(u, browse.Guard{}, "test")}
	out := &load.Outcome{Run: &result.Run{}, Scanned: []string{"/l/a", "/l/b"}}
	p.unchanged(t.Context(), out)
	if v := out.Run.Verdicts; len(v) != 1 || v[0].Met || v[0].Measured != "0 of 2 changed, 2 could not be opened" {
		t.Errorf("%+v", v)
	}
}

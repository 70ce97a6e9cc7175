package mongo

import (
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/cache/mongotest"
)

// TestServerGoesAwayAndComesBack: killed or only stopped, every call says that the
// cache is away, and the same open cache works again when the server does.
func TestServerGoesAwayAndComesBack(t *testing.T) {
	s := mongotest.New(t)
	c, err := Open(t.Context(), Options{URL: s.Database("turnout_test_away"), Deployment: "tests", Patience: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, link := t.Context(), testLink(1, time.UnixMilli(1).UTC())
	if err := c.PutLinks(ctx, []turnout.AttendeeLink{link}); err != nil {
		t.Fatal(err)
	}
	for _, way := range []struct {
		name       string
		away, back func() error
	}{
		{"killed", s.Kill, func() error { return s.Restart(ctx) }},
		{"stopped", s.Pause, s.Resume},
	} {
		t.Run(way.name, func(t *testing.T) {
			if err := way.away(); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Link(ctx, "acme", link.ID); turnout.CodeOf(err) != turnout.CodeUnavailable {
				t.Errorf("reading: %v", err)
			}
			if _, err := c.Event(ctx, "acme", "a0E1"); turnout.CodeOf(err) != turnout.CodeUnavailable {
				t.Errorf("reading an event: %v", err)
			}
			if _, err := c.Cursor(ctx, "acme", "links"); turnout.CodeOf(err) != turnout.CodeUnavailable {
				t.Errorf("reading a cursor: %v", err)
			}
			if way.name == "killed" { // a write to one that is stopped waits longer, since it may be slow
				if err := c.PutLinks(ctx, []turnout.AttendeeLink{link}); turnout.CodeOf(err) != turnout.CodeUnavailable {
					t.Errorf("writing: %v", err)
				}
			}
			if err := way.back(); err != nil {
				t.Fatal(err)
			}
			poll := time.NewTicker(50 * time.Millisecond)
			defer poll.Stop()
			for {
				if got, err := c.Link(ctx, "acme", link.ID); err == nil && got.Changed.Equal(link.Changed) {
					return
				}
				<-poll.C
			}
		})
	}
}

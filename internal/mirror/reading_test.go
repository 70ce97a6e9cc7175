package mirror

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

// TestReadingIsTheSameForAll: a process that does not poll tells how old an
// org is, while another polls it, and when nobody does any more.
func TestReadingIsTheSameForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		polls, watches := h.mirror("a", one(s)), h.mirror("b", one(s))
		age := func() time.Duration {
			t.Helper()
			r, err := watches.Reading(t.Context(), "acme")
			must(t, err)
			if len(r.At) != 3 {
				t.Fatalf("read %v", r.At)
			}
			return time.Since(r.Oldest())
		}
		if r, err := watches.Reading(t.Context(), "acme"); err != nil || !r.Oldest().IsZero() {
			t.Errorf("an org that was never read: %v, %v", r, err)
		}
		stop := running(t, polls)
		h.pass(10 * time.Minute)
		if age() > time.Minute {
			t.Errorf("read %s ago", age())
		}
		s.fail(turnout.Wrap(turnout.CodeUnavailable, "call Salesforce", errors.New("connection refused")))
		h.pass(10 * time.Minute)
		if age() < 10*time.Minute-time.Second {
			t.Errorf("after an outage of ten minutes it says %s", age())
		}
		s.fail(nil)
		h.pass(time.Minute)
		if age() > time.Minute {
			t.Errorf("after the outage it says %s", age())
		}
		stop()
		h.pass(10 * time.Minute)
		if age() < 10*time.Minute {
			t.Errorf("ten minutes after the process was gone it says %s", age())
		}
	})
}

// TestReadingOfAnOrg counts what is furthest behind, and no links while all of
// them are on their way for the first time.
func TestReadingOfAnOrg(t *testing.T) {
	noon := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	h := newHouse(t)
	m := h.mirror("a", nil)
	for _, step := range []struct {
		cursor string
		at     time.Time
		want   time.Time
	}{
		{"read events", noon, time.Time{}},
		{"read registrations", noon.Add(-time.Minute), time.Time{}},
		{trackLinks, time.UnixMilli(maxMark - 1), noon.Add(-time.Minute)}, // a backfill began
		{trackLinks, noon, time.Time{}},
		{"read links", noon.Add(-time.Hour), noon.Add(-time.Hour)},
		{"read links", noon.Add(time.Hour), noon.Add(-time.Minute)},
	} {
		h.cursors[step.cursor] = step.at
		r, err := m.Reading(t.Context(), "acme")
		if err != nil || !r.Oldest().Equal(step.want) {
			t.Errorf("with %s at %v it was read at %v, %v; want %v", step.cursor, step.at, r.Oldest(), err, step.want)
		}
	}
}

// TestFetchedIsTheAgeOfThePage: it moves when the event is fetched again, also
// where nothing had changed, and stays while what came cannot be shown.
func TestFetchedIsTheAgeOfThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		m := h.mirror("a", one(s))
		defer running(t, m)()
		age := func() time.Duration { defer h.lock()(); return time.Since(h.fetched[eventID(1)]) }
		s.publish(1, "Spring")
		h.pass(time.Minute)
		if age() > time.Minute {
			t.Fatalf("fetched %s ago", age())
		}
		h.pass(5 * time.Minute)
		s.publish(2, "Summer") // the newest one is asked for again and again
		h.pass(30 * time.Minute)
		if age() < 25*time.Minute {
			t.Errorf("nobody fetched it, and it says %s", age())
		}
		must(t, m.Hint(t.Context(), "acme", "event.updated", []string{string(eventID(1))}))
		h.pass(time.Second)
		if age() > time.Second {
			t.Errorf("fetched again without a change: %s", age())
		}
		h.pass(10 * time.Minute)
		bad := event(1, "")
		s.set(turnout.EventCopy{ID: bad.ID, Event: &bad, Modified: stamp()})
		h.pass(5 * time.Minute)
		if age() < 14*time.Minute {
			t.Errorf("what came cannot be shown, the page is from before, and it says %s", age())
		}
	})
}

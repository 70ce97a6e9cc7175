package mirror

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

// TestFaultsAreToldByAll: a process that polls nothing tells them, and so does
// one that starts when the one that found them is gone.
func TestFaultsAreToldByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		watches := h.mirror("b", one(s))
		stop := running(t, h.mirror("a", one(s)))
		bad := event(1, "Spring")
		bad.Slug = "Not A Slug"
		s.set(turnout.EventCopy{ID: bad.ID, Event: &bad, Modified: stamp()})
		h.pass(time.Minute)
		if f := told(t, watches); len(f) != 1 || f[0].Event != bad.ID || f[0].Fields[0].Field != "slug" || time.Since(f[0].At) > time.Minute {
			t.Errorf("faults %+v", f)
		}
		if bytes.Contains(h.faults[bad.ID], []byte("slug")) {
			t.Error("P8: a fault is not sealed")
		}
		stop()
		s.publish(2, "Summer")
		h.pass(10 * time.Minute) // bad is not among what changed any more
		next := h.mirror("c", one(s))
		defer running(t, next)()
		h.pass(5 * time.Minute)
		if f := told(t, next); len(f) != 1 {
			t.Errorf("another process tells %+v", f)
		}
		s.publish(1, "Spring")
		h.pass(time.Minute)
		if f := told(t, watches); len(f) != 0 {
			t.Errorf("mended, and still %+v", f)
		}
	})
}

// TestDeletedFaultyEventIsFoundByTheSweep: it was never cached and leaves no
// trace in what changed.
func TestDeletedFaultyEventIsFoundByTheSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		m := h.mirror("a", one(s))
		defer running(t, m)()
		s.set(turnout.EventCopy{ID: eventID(1), Fault: turnout.Errorf(turnout.CodeInvalid, "read event", "the form is no YAML"), Modified: stamp()})
		h.pass(5 * time.Minute)
		if f := told(t, m); len(f) != 1 {
			t.Fatalf("faults %+v", f)
		}
		s.mu.Lock()
		delete(s.events, eventID(1))
		s.mu.Unlock()
		h.pass(sweepEvery + time.Minute)
		if f := told(t, m); len(f) != 0 {
			t.Errorf("deleted, and still %+v", f)
		}
	})
}

// TestSlugIsTakenOverByAnotherProcess: the one that noted that an event lacks
// a slug need not be the one that sees it come free.
func TestSlugIsTakenOverByAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		stop := running(t, h.mirror("a", one(s)))
		s.publish(1, "First")
		h.pass(time.Minute)
		second := event(2, "Second")
		second.Slug = "event-1"
		s.set(turnout.EventCopy{ID: second.ID, Event: &second, Modified: stamp()})
		h.pass(time.Minute)
		stop()
		h.pass(10 * time.Minute)
		s.publish(3, "Third")
		m := h.mirror("b", one(s))
		defer running(t, m)()
		h.pass(5 * time.Minute)
		s.unpublish(1)
		h.pass(time.Minute + time.Second)
		if f := told(t, m); h.title(second.ID) != "Second" || len(f) != 0 {
			t.Errorf("with the slug free: cached %q, faults %v", h.title(second.ID), f)
		}
	})
}

package mirror

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/words"
)

// The organiser reads in the record what keeps it from being shown, and that it is over;
// what is written there is not written again, though it changes the record.
func TestOrganisersReadWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.notes = map[turnout.EventID]string{}
		defer running(t, h.mirror("a", one(s)))()
		fault := turnout.Errorf(turnout.CodeInvalid, "read event", "")
		fault.Fields = []turnout.FieldError{{Field: "ends", Message: "give an end after the start"}}
		bad := turnout.EventCopy{ID: eventID(1), Fault: fault, Modified: stamp()}
		s.set(bad)
		s.publish(2, "Sound")
		h.pass(2 * time.Minute)
		want := "Visitors do not see this event yet. Change this first:\n– Give an end after the start. (ends)"
		if got := s.note(bad.ID); got != want || s.note(eventID(2)) != "" {
			t.Errorf("the records say %q and %q", got, s.note(eventID(2)))
		}
		s.mu.Lock()
		s.notes[bad.ID] = strings.ReplaceAll(want, "\n", "\r\n") // saved by hand
		s.mu.Unlock()
		h.pass(3 * time.Hour)
		if n := s.called("NoteEvents"); n != 1 {
			t.Errorf("the same was written %d times", n)
		}
		s.publish(1, "Mended")
		h.pass(2 * time.Minute)
		if got := s.note(bad.ID); got != "" {
			t.Errorf("mended, the record says %q", got)
		}
		bad.Modified = stamp()
		s.set(bad)
		h.pass(2 * time.Minute)
		if got := s.note(bad.ID); !strings.HasPrefix(got, "Visitors still see this event as it was before.") {
			t.Errorf("of one that is shown, the record says %q", got)
		}
		s.unpublish(1)
		h.pass(2 * time.Minute)
		if got := s.note(bad.ID); got != "" || s.called("NoteEvents") != 4 {
			t.Errorf("withdrawn, the record says %q, after %d calls", got, s.called("NoteEvents"))
		}
	})
}

// A note that could not be written holds up nothing, and is written in the end.
func TestNotesThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.notes = map[turnout.EventID]string{}
		defer running(t, h.mirror("a", one(s)))()
		s.publish(1, "Spring")
		h.pass(2 * time.Minute)
		s.mu.Lock()
		s.refuseNotes = errors.New("locked")
		s.mu.Unlock()
		s.set(turnout.EventCopy{ID: eventID(2), Fault: turnout.Errorf(turnout.CodeInvalid, "read event", "the form is no YAML"), Modified: stamp()})
		s.publish(1, "Summer")
		h.pass(2 * time.Minute)
		if h.title(eventID(1)) != "Summer" || s.note(eventID(2)) != "" {
			t.Errorf("shown %q, noted %q", h.title(eventID(1)), s.note(eventID(2)))
		}
		s.mu.Lock()
		s.refuseNotes = nil
		s.mu.Unlock()
		h.pass(sweepEvery + time.Minute)
		if got := s.note(eventID(2)); !strings.Contains(got, "the form is no YAML.") {
			t.Errorf("in the end the record says %q", got)
		}
	})
}

func TestOrganisersReadWhatIsWrongWithThePicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, g, m := hang(t)
		s.notes = map[turnout.EventID]string{}
		g.faults["https://example.org/a"] = errors.New("its server answers 404")
		c := s.events[eventID(1)]
		c.Remarks = []turnout.FieldError{{Field: "accent", Message: "give a colour"}}
		s.events[eventID(1)] = c
		defer running(t, m)()
		h.pass(2 * time.Minute)
		if got := s.note(eventID(1)); got != "Visitors see this event, without this:\n– Give a colour. (accent)\n– The picture cannot be shown: its server answers 404. (image)" {
			t.Errorf("the record says %q", got)
		}
		h.pass(2 * time.Hour)
		if n := s.called("NoteEvents"); n != 2 { // of the colour, and then of both
			t.Errorf("written %d times", n)
		}
		g.change(func() { delete(g.faults, "https://example.org/a") })
		h.pass(2 * time.Hour)
		if got := s.note(eventID(1)); strings.Contains(got, "(image)") || !strings.Contains(got, "(accent)") {
			t.Errorf("since it can be had, the record says %q", got)
		}
	})
}

// A picture that fails now so and now so is fetched no more often for its note, though
// each note changes the record.
func TestNotesOfAFlakyPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, g, m := hang(t)
		s.notes = map[turnout.EventID]string{}
		faults := []error{errors.New("its server answers 503"), errors.New("its server does not answer in time")}
		fetch := m.o.Picture
		m.o.Picture = func(ctx context.Context, address string) (turnout.Picture, map[string][]byte, error) {
			g.change(func() { g.faults[address] = faults[len(g.asked)%2] })
			return fetch(ctx, address)
		}
		defer running(t, m)()
		h.pass(6 * time.Hour)
		if n := g.count(); n < 5 || n > 12 {
			t.Errorf("fetched %d times", n)
		}
		if n := s.called("NoteEvents"); n < 2 || n > 12 {
			t.Errorf("noted %d times", n)
		}
	})
}

// A note that is refused for good is tried once an hour, and one that outlives what it is
// about is taken back in the end, though nothing reads the record any more.
func TestNotesThatAreRefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.notes = map[turnout.EventID]string{}
		defer running(t, h.mirror("a", one(s)))()
		s.set(turnout.EventCopy{ID: eventID(1), Fault: turnout.Errorf(turnout.CodeInvalid, "read event", "the form is no YAML"), Modified: stamp()})
		h.pass(2 * time.Minute)
		s.mu.Lock()
		s.refuseNotes = errors.New("a rule of the org")
		s.mu.Unlock()
		s.unpublish(1)
		h.pass(2 * time.Minute)
		s.publish(2, "Another")
		before := s.called("NoteEvents")
		h.pass(6 * time.Hour)
		if n := s.called("NoteEvents") - before; n < 4 || n > 8 {
			t.Errorf("tried %d times", n)
		}
		s.mu.Lock()
		s.refuseNotes = nil
		s.mu.Unlock()
		h.pass(time.Hour)
		if got := s.note(eventID(1)); got != "" {
			t.Errorf("the record says %q", got)
		}
	})
}

// Of a part that was deleted only the poll knows when; what is read after it seems older.
func TestNotesOfAnEventThatLostAPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, g, m := hang(t)
		s.notes = map[turnout.EventID]string{}
		defer running(t, m)()
		h.pass(2 * time.Minute)
		e, modified := event(1, "Spring"), stamp()
		e.Image = "https://example.org/b"
		g.change(func() { g.faults[e.Image], g.slow = errors.New("its server answers 404"), 4*time.Minute })
		s.set(turnout.EventCopy{ID: e.ID, Event: &e, Modified: modified})
		h.pass(90 * time.Second)
		s.set(turnout.EventCopy{ID: e.ID, Event: &e, Modified: modified.Add(-time.Minute)})
		h.pass(10 * time.Minute)
		if got := s.note(e.ID); !strings.Contains(got, "404") {
			t.Errorf("the record says %q", got)
		}
	})
}

// No page waits until a note is written, and what an org's rules make of a note is not
// written over and over.
func TestNotesHoldUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.notes, s.noteHangs = map[turnout.EventID]string{}, make(chan struct{})
		m := h.mirror("a", one(s))
		defer running(t, m)()
		bad := turnout.EventCopy{ID: eventID(1), Fault: turnout.Errorf(turnout.CodeInvalid, "read event", "the form is no YAML"), Modified: stamp()}
		s.set(bad)
		h.pass(2 * time.Minute)
		s.publish(2, "Spring")
		must(t, m.Hint(t.Context(), "acme", "event.published", []string{string(eventID(2))}))
		h.pass(time.Second)
		if h.title(eventID(2)) != "Spring" {
			t.Error("a page waits for a note")
		}
		s.rule = strings.ToUpper
		close(s.noteHangs)
		h.pass(30 * time.Minute)
		if n := s.called("NoteEvents"); n != 1 || !strings.HasPrefix(s.note(bad.ID), "VISITORS") {
			t.Errorf("written %d times, and it says %q", n, s.note(bad.ID))
		}
		h.pass(3 * time.Hour)
		if n := s.called("NoteEvents"); n > 5 {
			t.Errorf("written %d times", n)
		}
	})
}

func TestNotesFitTheirField(t *testing.T) {
	long := Fault{}
	for range 100 {
		long.Fields = append(long.Fields, turnout.FieldError{Field: "größe", Message: "gib ein größeres Maß"})
	}
	note := long.note(true)
	if n := words.UnitsOf(note); n > turnout.MaxEventNote || n < turnout.MaxEventNote-100 || !strings.HasSuffix(note, " more.") {
		t.Errorf("%d characters: %s", n, note)
	}
}

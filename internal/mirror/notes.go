package mirror

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/words"
)

// What keeps an event from being shown is told to its organiser where they work, in a
// field of its record. What the field says comes with the record, and it is written where
// that is something else. It is written beside everything else: no page waits for it.

// noteAgain is when the same note is written once more that was refused, or that does not
// come back as it was written: a rule of the org changes it, or somebody else's program is
// of another opinion. It is less than what the hourly sweep takes.
const noteAgain = 50 * time.Minute

// noted is a note that this process wrote, or tried to.
type noted struct {
	text   string
	at     time.Time
	failed bool
}

// remark has an event's record say something to its organiser.
func (p *orgMirror) remark(c turnout.EventCopy, says string) {
	if c.Note == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takesNotes = true
	if sameWords(*c.Note, says) {
		delete(p.notes, c.ID)
		return
	}
	p.notes[c.ID] = says
	select {
	case p.noting <- struct{}{}:
	default:
	}
}

// sameWords compares notes: one that somebody saved by hand comes back with other line ends.
func sameWords(a, b string) bool { return slices.Equal(strings.Fields(a), strings.Fields(b)) }

// writeNotes writes what records are to say until ctx ends. It fails nothing: what
// visitors see does not depend on it.
func (p *orgMirror) writeNotes(ctx context.Context) {
	for p.awaitNotes(ctx) {
		due := p.dueNotes()
		if len(due) == 0 {
			continue
		}
		err := p.pass(ctx, "notes", func(ctx context.Context, source Source) error { return source.NoteEvents(ctx, due) })
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.o.Logger.Warn("organisers cannot be told in Salesforce what is wrong with events", "org", p.org, "events", len(due), "err", err)
		}
		p.settleNotes(due, err)
	}
}

// awaitNotes waits for notes, or until those that failed may be written again; false when
// ctx has ended.
func (p *orgMirror) awaitNotes(ctx context.Context) bool {
	timer := time.NewTimer(noteAgain)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-p.noting:
	case <-timer.C:
	}
	return true
}

// dueNotes takes the notes that are to be written now.
func (p *orgMirror) dueNotes() map[turnout.EventID]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Now()
	maps.DeleteFunc(p.tried, func(_ turnout.EventID, n noted) bool { return now.Sub(n.at) >= noteAgain })
	due := map[turnout.EventID]string{}
	for id, text := range p.notes {
		last, ok := p.tried[id]
		if recently := ok && last.text == text; recently && last.failed {
			continue // later
		} else if !recently {
			due[id] = text
		}
		delete(p.notes, id)
	}
	return due
}

// settleNotes remembers what was tried. What may have failed stays to be written, if
// nothing newer is, and if the record does not turn out to say it.
func (p *orgMirror) settleNotes(due map[turnout.EventID]string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, text := range due {
		p.tried[id] = noted{text, p.o.Now(), err != nil}
		if _, newer := p.notes[id]; err != nil && !newer {
			p.notes[id] = text
		}
	}
}

// noteAnew has an event fetched once more, for its note.
func (p *orgMirror) noteAnew(id turnout.EventID) {
	p.mu.Lock()
	takes := p.takesNotes
	p.mu.Unlock()
	if takes {
		p.reread(id)
	}
}

// reread has an event fetched once more.
func (p *orgMirror) reread(id turnout.EventID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue.add(hintEvents, string(id))
	p.signal(hintEvents)
}

// note is what the organiser reads of a fault. Something of the event is shown, or nothing.
func (f Fault) note(shown bool) string {
	if shown {
		return listed("Visitors still see this event as it was before. Change this first:", f.Fields)
	}
	return listed("Visitors do not see this event yet. Change this first:", f.Fields)
}

// shownNote is what the organiser reads of an event that is shown without something.
func shownNote(remarks []turnout.FieldError, p turnout.Picture) string {
	if p.Fault != "" {
		remarks = append(slices.Clip(remarks), turnout.FieldError{Field: "image", Message: "the picture cannot be shown: " + p.Fault})
	}
	if len(remarks) == 0 {
		return ""
	}
	return listed("Visitors see this event, without this:", remarks)
}

// listed is a note with a line for each field, as many as there is room for.
func listed(head string, fields []turnout.FieldError) string {
	note := head
	for i, field := range fields {
		line := "\n– " + words.Sentence(field.Message)
		if field.Field != "" {
			line += " (" + field.Field + ")"
		}
		more := fmt.Sprintf("\n– And %d more.", len(fields)-i)
		if room := turnout.MaxEventNote - words.UnitsOf(note) - words.UnitsOf(line); room < words.UnitsOf(more) {
			return note + more
		}
		note += line
	}
	return note
}

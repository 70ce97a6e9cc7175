package mirror

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/words"
)

// What keeps an event from being shown is told to its organiser where they work, in a
// field of its record. Nothing is remembered of it: what the field says comes with the
// record, and it is written where that is something else. A note that could not be written
// is therefore written when the event is read again, by the hourly sweep at the latest.
// It is written beside everything else: no page waits for it.

// noteAgain is when the same note is written once more that does not come back as it was
// written: a rule of the org changes it, or somebody else's program has another opinion.
const noteAgain = time.Hour

// noted is a note that this process wrote.
type noted struct {
	text string
	at   time.Time
}

// remark has an event's record say something to its organiser.
func (p *orgMirror) remark(c turnout.EventCopy, says string) {
	if c.Note == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
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
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.noting:
		}
		due := p.dueNotes()
		if len(due) == 0 {
			continue
		}
		err := p.pass(ctx, "notes", func(ctx context.Context, source Source) error { return source.NoteEvents(ctx, due) })
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			p.o.Logger.Warn("organisers cannot be told in Salesforce what is wrong with events", "org", p.org, "events", len(due), "err", err)
		default:
			for id, text := range due {
				p.written[id] = noted{text, p.o.Now()}
			}
		}
	}
}

// dueNotes takes the notes that are to be written.
func (p *orgMirror) dueNotes() map[turnout.EventID]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	due, now := p.notes, p.o.Now()
	p.notes = map[turnout.EventID]string{}
	maps.DeleteFunc(p.written, func(_ turnout.EventID, n noted) bool { return now.Sub(n.at) >= noteAgain })
	maps.DeleteFunc(due, func(id turnout.EventID, text string) bool { n, ok := p.written[id]; return ok && n.text == text })
	return due
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

// listed is a note with a line for each field.
func listed(head string, fields []turnout.FieldError) string {
	lines := []string{head}
	for _, field := range fields {
		line := "– " + words.Sentence(field.Message)
		if field.Field != "" {
			line += " (" + field.Field + ")"
		}
		lines = append(lines, line)
	}
	return cut(strings.Join(lines, "\n"))
}

// cut bounds a note to what a field takes.
func cut(note string) string {
	runes := []rune(note)
	if len(runes) <= turnout.MaxEventNote {
		return note
	}
	return string(runes[:turnout.MaxEventNote-1]) + "…"
}

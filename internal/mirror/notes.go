package mirror

import (
	"context"
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/words"
)

// What keeps an event from being shown is told to its organiser where they work, in a
// field of its record. Nothing is remembered of it here: what the field says comes with the
// record, and it is written where that is something else. A note that could not be written
// is therefore written when the event is read again, by the hourly sweep at the latest.

// note has an event's record say something to its organiser.
func (b *batch) note(c turnout.EventCopy, says string) {
	// A text that somebody saved by hand comes back with other line ends.
	if c.Note != nil && !sameWords(*c.Note, says) {
		b.notes[c.ID] = says
	}
}

func sameWords(a, b string) bool {
	return strings.Join(strings.Fields(a), " ") == strings.Join(strings.Fields(b), " ")
}

// writeNotes writes what records are to say. It fails nothing: what visitors see does not
// depend on it.
func (p *orgMirror) writeNotes(ctx context.Context, source EventSource, notes map[turnout.EventID]string) {
	if len(notes) == 0 {
		return
	}
	if err := source.NoteEvents(ctx, notes); err != nil && ctx.Err() == nil {
		p.o.Logger.Warn("organisers cannot be told in Salesforce what is wrong with events", "org", p.org, "events", len(notes), "err", err)
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
		return written("Visitors still see this event as it was before. Change this first:", f.Fields)
	}
	return written("Visitors do not see this event yet. Change this first:", f.Fields)
}

// shownNote is what the organiser reads of an event that is shown without something.
func shownNote(remarks []turnout.FieldError, p turnout.Picture) string {
	if p.Fault != "" {
		remarks = append(slices.Clip(remarks), turnout.FieldError{Field: "image", Message: "the picture cannot be shown: " + p.Fault})
	}
	if len(remarks) == 0 {
		return ""
	}
	return written("Visitors see this event, without this:", remarks)
}

// written is a note with a line for each field.
func written(head string, fields []turnout.FieldError) string {
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

package orgs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// NoteEvents writes on events' records what they tell their organisers, of at most
// turnout.MaxEventNote characters each, "" for nothing. It is for events whose copies have
// a Note. One that is refused keeps none of the others from being written.
func (o *Org) NoteEvents(ctx context.Context, notes map[turnout.EventID]string) error {
	e := o.m.Event
	if e.Note == "" {
		return nil
	}
	var errs []error
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(notes)), salesforce.MaxCollection) {
		records := make([]salesforce.Record, len(ids))
		for i, id := range ids {
			records[i] = salesforce.Record{"Id": string(id), e.Note: notes[id]}
		}
		rows, err := o.client.CollectionsUpdate(ctx, e.Object, records)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for i, row := range rows {
			if row.Code != "" {
				errs = append(errs, turnout.Errorf(row.Code, "write note", "event %s: %s", ids[i], row.Err.Status))
			}
		}
	}
	return errors.Join(errs...)
}

// withNotes runs a query for events with the field of their notes, and without (note is
// empty) where the integration user may not write it. What the org was described as may be
// an hour old: where it refuses the query, it is asked once more, without.
func (o *Org) withNotes(ctx context.Context, query func(note string) error) error {
	e := o.m.Event
	if e.Note == "" || !e.TakesNotes(o.describe(ctx, e.Object)) {
		return query("")
	}
	err := query(e.Note)
	if turnout.CodeOf(err) != turnout.CodeMisconfigured {
		return err
	}
	o.mu.Lock()
	delete(o.described, e.Object)
	o.mu.Unlock()
	return query("")
}

// columns are what a query asks for.
func columns(names []string, note string) string {
	if note != "" {
		names = append(slices.Clip(names), note)
	}
	return strings.Join(names, ",")
}

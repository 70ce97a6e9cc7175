package orgs

import (
	"context"
	"errors"
	"maps"
	"slices"

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
			return errors.Join(append(errs, err)...)
		}
		for i, row := range rows {
			if row.Code != "" {
				errs = append(errs, turnout.Errorf(row.Code, "write note", "event %s: %s", ids[i], row.Err.Status))
			}
		}
	}
	return errors.Join(errs...)
}

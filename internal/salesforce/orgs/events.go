package orgs

import (
	"context"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
	"github.com/turnout-events/turnout/internal/salesforce/mapping"
)

// maxEvents is how many events one query asks for with all their parts.
const maxEvents = 200

// Events fetches events by their ids, several hundred with one query. Every id
// is answered, in order: unpublished and missing ones have a nil Event.
func (o *Org) Events(ctx context.Context, ids []turnout.EventID) (out []turnout.EventCopy, err error) {
	err = o.withNotes(ctx, func(note string) (err error) { out, err = o.eventsWith(ctx, ids, note); return err })
	return out, err
}

// eventsWith is Events with the field note, if there is one.
func (o *Org) eventsWith(ctx context.Context, ids []turnout.EventID, note string) ([]turnout.EventCopy, error) {
	found := map[turnout.EventID]turnout.EventCopy{}
	base := "SELECT " + columns(o.m.Event.Columns(), note) + " FROM " + o.m.Event.Object + " WHERE Id IN ()"
	for _, some := range split(base, recordIDs(ids), maxEvents) {
		soql := strings.TrimSuffix(base, ")") + salesforce.QuoteAll(some) + ")"
		for r, err := range o.client.Query(ctx, salesforce.Living, soql) {
			if err != nil {
				return nil, err
			}
			copied, err := o.event(ctx, r)
			if err != nil {
				return nil, err
			}
			found[copied.ID] = copied
		}
	}
	out := make([]turnout.EventCopy, len(ids))
	for i, id := range ids {
		out[i] = turnout.EventCopy{ID: id}
		if full := turnout.EventID(salesforce.ID(string(id))); full != "" {
			out[i].ID = full
		}
		if copied, ok := found[out[i].ID]; ok {
			out[i] = copied
		}
	}
	return out, nil
}

// event reads a record with its parts, whose further pages it fetches.
func (o *Org) event(ctx context.Context, r salesforce.Record) (turnout.EventCopy, error) {
	var parts mapping.Parts
	e := o.m.Event
	for _, p := range []struct {
		part *mapping.Part
		to   *[]salesforce.Record
	}{{e.Tickets, &parts.Tickets}, {e.Agenda, &parts.Agenda}, {e.Questions, &parts.Questions}} {
		if p.part == nil {
			continue
		}
		for child, err := range o.client.Children(ctx, r, p.part.Relationship) {
			if err != nil {
				return turnout.EventCopy{}, err
			}
			*p.to = append(*p.to, child)
		}
	}
	read := e.Read(r, parts, o.zone)
	if read.Event != nil {
		o.fit(ctx, &read.Event.Form)
	}
	return read, nil
}

// fit bounds what is typed by the fields that take it, so that a registrant
// hears of a value that is too long while they can still shorten it. A field
// that cannot be described bounds nothing; Salesforce then says no, and it is
// parked.
func (o *Org) fit(ctx context.Context, form *turnout.Form) {
	object := o.describe(ctx, o.m.Registration.Object)
	for i := range form.Questions {
		q := &form.Questions[i]
		if n := length(object, q.Target); n > 0 && q.Limit() > n {
			q.MaxLength = n
		}
	}
	fields := o.m.Registration.Fields
	if person := o.m.Person; person != nil {
		object, fields = o.describe(ctx, person.Object), person.Fields
	}
	form.Lengths = turnout.Lengths{
		FirstName: length(object, fields["first_name"]), LastName: length(object, fields["last_name"]), Email: length(object, fields["email"]),
		Title: length(object, fields["title"]), Company: length(object, fields["company"]),
	}
}

// length is how many characters a field takes, 0 where that is not known.
func length(object *salesforce.Object, field string) int {
	if object == nil || field == "" {
		return 0
	}
	f, _ := object.Field(field)
	return f.Length
}

// EventsSince fetches the events that changed at or after since, themselves or
// in their parts, deleted ones included; a zero since means all. Where nothing
// changed it takes one call. The time is where the next poll starts.
func (o *Org) EventsSince(ctx context.Context, since time.Time) ([]turnout.EventCopy, time.Time, error) {
	at := o.cursor(since, settleEvents)
	var changed []change
	err := o.withNotes(ctx, func(note string) (err error) { changed, err = o.changed(ctx, since, at, note); return err })
	if err != nil {
		return nil, since, err
	}
	var fetch []turnout.EventID
	for _, c := range changed {
		if !c.gone {
			fetch = append(fetch, c.id)
		}
	}
	copies, err := o.Events(ctx, fetch)
	if err != nil {
		return nil, since, err
	}
	byID := map[turnout.EventID]turnout.EventCopy{}
	for _, copied := range copies {
		byID[copied.ID] = copied
	}
	out := make([]turnout.EventCopy, len(changed))
	for i, c := range changed {
		out[i] = byID[c.id]
		out[i].ID = c.id
		if c.modified.After(out[i].Modified) {
			out[i].Modified = c.modified
		}
		if c.gone {
			out[i].Note = c.note
		}
		at.see(out[i].Modified)
	}
	return out, at.next(), nil
}

type change struct {
	id       turnout.EventID
	modified time.Time
	// gone events are deleted or not published, so there is nothing to fetch but the note.
	gone bool
	note *string
}

// changed asks which events there is something new about, in one call.
func (o *Org) changed(ctx context.Context, since time.Time, at *cursor, note string) ([]change, error) {
	e := o.m.Event
	all := "SELECT " + columns([]string{"Id", "IsDeleted", "SystemModstamp", e.Published.Field}, note) + " FROM " + e.Object
	rows, queries := salesforce.Living, []string{all}
	var parents []string
	if !since.IsZero() {
		rows, queries[0] = salesforce.AndDeleted, all+" WHERE "+after(since)
		for _, part := range []*mapping.Part{e.Tickets, e.Agenda, e.Questions} {
			if part != nil {
				queries = append(queries, "SELECT "+part.Parent+",SystemModstamp FROM "+part.Object+" WHERE "+after(since))
				parents = append(parents, part.Parent)
			}
		}
	}
	results, err := o.client.Together(ctx, rows, queries...)
	if err != nil {
		return nil, err
	}
	var changed []change
	known := map[turnout.EventID]int{}
	see := func(c change) {
		at.see(c.modified)
		i, ok := known[c.id]
		if !ok {
			known[c.id] = len(changed)
			changed = append(changed, c)
			return
		}
		if c.modified.After(changed[i].modified) {
			changed[i].modified = c.modified
		}
	}
	for _, r := range results[0] {
		c := change{id: turnout.EventID(r.ID("Id"))}
		c.modified, _ = r.Time("SystemModstamp")
		deleted := r.True("IsDeleted")
		if c.gone = deleted || !e.Published.Holds(r); !deleted {
			c.note = e.NoteOf(r)
		}
		see(c)
	}
	for i, parent := range parents {
		for _, r := range results[i+1] {
			modified, _ := r.Time("SystemModstamp")
			if id := r.ID(parent); id != "" {
				see(change{id: turnout.EventID(id), modified: modified})
			}
		}
	}
	return changed, nil
}

package orgs

import (
	"context"
	"encoding/json"
	"errors"
	"maps"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
	"github.com/turnout-events/turnout/internal/salesforce/mapping"
)

// maxBody is how much one call carries, in bytes before compression. For JSON
// the guides give no figure; this is a cautious one.
const maxBody = 5 << 20

// Deliver writes up to 200 registrations of one event, each by its key, and
// returns a receipt for each, in order (P1). def may be nil. A registration
// that comes twice is written once, in its latest revision.
//
// The error means that the call as a whole failed and nothing is known of any
// of them; where a mapping takes several calls and only some fail, the
// receipts tell. Where an invite is the record that its answer goes into, a
// superseded registration is not written and counts as done.
func (o *Org) Deliver(ctx context.Context, event turnout.EventID, def *turnout.Event, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
	if len(batch) > salesforce.MaxCollection {
		return nil, turnout.Errorf(turnout.CodeTooLarge, "deliver registrations", "at most %d fit one batch", salesforce.MaxCollection)
	}
	object := o.describe(ctx, o.m.Registration.Object)
	d := delivery{o: o, receipts: map[turnout.Key]turnout.Receipt{}}
	var items []item
	for _, dispatch := range latest(batch) {
		if dispatch.Superseded && o.m.ReuseInvite() {
			d.receipts[dispatch.Key] = superseded(dispatch)
			continue
		}
		items = append(items, item{dispatch.Key, salesforce.ID(dispatch.Record), o.m.Compose(event, def, dispatch, object)})
	}
	d.run(ctx, items)
	if d.failed == len(d.receipts) && d.err != nil {
		return nil, d.err
	}
	receipts := make([]turnout.Receipt, len(batch))
	for i, dispatch := range batch {
		receipts[i] = d.receipts[dispatch.Key]
	}
	return receipts, nil
}

// superseded answers for a registration whose invite was answered again by
// another one. Both are the same record, so that writing this one late would
// overwrite what the person wants now.
func superseded(d turnout.Dispatch) turnout.Receipt {
	r := turnout.Receipt{Key: d.Key, Record: d.Record}
	if invite := d.Details.Invite; r.Record == "" && invite != nil {
		r.Record = salesforce.ID(invite.Record)
	}
	return r
}

// latest keeps the newest revision of each key, in the order of their first.
func latest(batch []turnout.Dispatch) []turnout.Dispatch {
	at := make(map[turnout.Key]int, len(batch))
	out := make([]turnout.Dispatch, 0, len(batch))
	for _, d := range batch {
		i, twice := at[d.Key]
		if !twice {
			at[d.Key] = len(out)
			out = append(out, d)
			continue
		}
		if d.Revision > out[i].Revision {
			out[i] = d
		}
	}
	return out
}

type item struct {
	key turnout.Key
	// was is the record that it was delivered into before, empty for none.
	was string
	mapping.Composed
}

// anew reports whether what was written is not the record of before: that one had
// been deleted, and this one was made now, or by an attempt that went no further.
func (it item) anew(row salesforce.Row) bool {
	return row.Created || row.Code == "" && it.was != "" && salesforce.ID(row.ID) != it.was
}

// delivery is one Deliver under way.
type delivery struct {
	o        *Org
	receipts map[turnout.Key]turnout.Receipt
	// failed counts the items that a failed call left without an answer of their own.
	failed int
	err    error
}

func (d *delivery) run(ctx context.Context, items []item) {
	items = d.persons(ctx, items)
	var known, fresh []item
	for _, it := range items {
		if it.ID != "" {
			known = append(known, it)
		} else {
			fresh = append(fresh, it)
		}
	}
	d.write(ctx, known, byID, d.o.update)
	unborn, reborn := d.write(ctx, fresh, newborn, d.o.upsert)
	// These are there already: their reply was lost, or it is a later revision.
	_, more := d.write(ctx, unborn, again, d.o.upsert)
	// These had been deleted, and were made anew without what was known.
	d.write(ctx, append(reborn, more...), whole, d.o.upsert)
}

// persons writes the people that registrations belong to, and returns the
// items that may go on.
func (d *delivery) persons(ctx context.Context, items []item) []item {
	var with, on []item
	for _, it := range items {
		if it.Person != nil {
			with = append(with, it)
		} else {
			on = append(on, it)
		}
	}
	for _, chunk := range chunks(with, func(it item) salesforce.Record { return it.Person }) {
		rows, err := d.o.upsertPersons(ctx, chunk.records)
		for i, it := range chunk.items {
			switch {
			case err != nil:
				d.fail(it, err)
			case rows[i].Code == "", rows[i].Err.Status == convertedLead:
				on = append(on, it)
			default:
				d.receipts[it.key] = receipt(it.key, rows[i])
			}
		}
	}
	return on
}

const (
	// convertedLead means that the person became a contact meanwhile; the lead
	// stays as it was and the registration stays with it.
	convertedLead = "CANNOT_UPDATE_CONVERTED_LEAD"
	// notNow means that a field was sent that can be set on a new record only.
	notNow = "INVALID_FIELD_FOR_INSERT_UPDATE"
)

// The ways in which an item becomes a record.
func byID(it item) salesforce.Record {
	record := maps.Clone(it.Record)
	record["Id"] = it.ID
	return record
}

func newborn(it item) salesforce.Record {
	record := maps.Clone(it.Record)
	maps.Copy(record, it.Birth)
	return record
}

func again(it item) salesforce.Record { return it.Record }

func whole(it item) salesforce.Record {
	record := maps.Clone(it.Record)
	maps.Copy(record, it.Known)
	return record
}

type call func(ctx context.Context, records []salesforce.Record) ([]salesforce.Row, error)

func (o *Org) update(ctx context.Context, records []salesforce.Record) ([]salesforce.Row, error) {
	return o.client.CollectionsUpdate(ctx, o.m.Registration.Object, records)
}

func (o *Org) upsert(ctx context.Context, records []salesforce.Record) ([]salesforce.Row, error) {
	return o.client.CollectionsUpsert(ctx, o.m.Registration.Object, o.m.Registration.Key, records)
}

func (o *Org) upsertPersons(ctx context.Context, records []salesforce.Record) ([]salesforce.Row, error) {
	return o.client.CollectionsUpsert(ctx, o.m.Person.Object, o.m.Person.Key, records)
}

// write sends items and notes their receipts. It returns the items that were
// refused because they are no longer new, and those that were made although
// they had been there.
func (d *delivery) write(ctx context.Context, items []item, as func(item) salesforce.Record, send call) (unborn, reborn []item) {
	for _, chunk := range chunks(items, as) {
		rows, err := send(ctx, chunk.records)
		for i, it := range chunk.items {
			if err != nil {
				d.fail(it, err)
				continue
			}
			d.receipts[it.key] = receipt(it.key, rows[i])
			if it.ID == "" && len(it.Birth) > 0 && rows[i].Err != nil && rows[i].Err.Status == notNow {
				unborn = append(unborn, it)
			}
			if len(it.Known) > 0 && it.anew(rows[i]) {
				reborn = append(reborn, it)
			}
		}
	}
	return unborn, reborn
}

func (d *delivery) fail(it item, err error) {
	if d.err == nil {
		d.err = err
	}
	d.failed++
	r := turnout.Receipt{Key: it.key, Code: turnout.CodeOf(err), WholeCall: true}
	if apiErr := (*salesforce.APIError)(nil); errors.As(err, &apiErr) {
		r.Status, r.Message = apiErr.Status, apiErr.Message
	}
	d.receipts[it.key] = r
}

func receipt(key turnout.Key, row salesforce.Row) turnout.Receipt {
	if row.Code == "" {
		return turnout.Receipt{Key: key, Record: row.ID}
	}
	return turnout.Receipt{Key: key, Code: row.Code, Status: row.Err.Status, Message: row.Err.Message}
}

type chunk struct {
	items   []item
	records []salesforce.Record
}

// chunks puts items into as few calls as take them: by size, and no record
// twice in one.
func chunks(items []item, as func(item) salesforce.Record) []chunk {
	records, bound := make([]salesforce.Record, len(items)), 0
	for i, it := range items {
		records[i] = as(it)
		bound += records[i].Size()
	}
	var out []chunk
	size, ids := 0, map[string]bool{}
	for i, it := range items {
		n := 0 // all of them fit one, and none need be written to know
		if bound > maxBody {
			n = written(records[i])
		}
		if size += n; len(out) == 0 || size > maxBody || (it.ID != "" && ids[it.ID]) {
			out = append(out, chunk{})
			size = n
			clear(ids)
		}
		ids[it.ID] = true
		last := &out[len(out)-1]
		last.items = append(last.items, it)
		last.records = append(last.records, records[i])
	}
	return out
}

// written is how many bytes a record takes.
func written(r salesforce.Record) int {
	body, _ := json.Marshal(r) // what cannot be written fails in the call
	return len(body)
}

package orgs

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// bulkFrom is where Bulk API 2.0 begins to be the right way: Salesforce's own
// rule for more than 2,000 records. It is also how many links go into a list.
const bulkFrom = 2000

// errMany says that a result is one for a bulk job.
var errMany = errors.New("too many for pages")

// LinksSince fetches the links that changed at or after since (all, if it is
// zero) and yields them in lists of at most 2,000, which the callee may keep.
// Revoked and deleted ones are among them.
//
// The time is where the next poll starts. After an error it is where to start
// again: up to 2,000 links come in the order of their change, so that what was
// yielded is not read again; more come as a bulk job without an order, which
// starts anew.
func (o *Org) LinksSince(ctx context.Context, since time.Time, yield func([]turnout.LinkCopy) error) (time.Time, error) {
	l := o.m.Link
	rows, condition := salesforce.Living, l.Fields["token"]+" != null"
	if !since.IsZero() {
		rows, condition = salesforce.AndDeleted, condition+" AND "+after(since)
	}
	soql := "SELECT " + strings.Join(l.Columns(), ",") + " FROM " + l.Object + " WHERE " + condition
	at := o.cursor(since, settle)
	err := o.pagedLinks(ctx, rows, soql+" ORDER BY SystemModstamp, Id", at, yield)
	if !errors.Is(err, errMany) {
		if err != nil {
			return at.broken(), err
		}
		return at.next(), nil
	}
	if err := o.bulkLinks(ctx, rows, soql, at, yield); err != nil {
		return since, err
	}
	return at.next(), nil
}

// pagedLinks reads a result page by page, unless its first page tells that it
// is a large one: every reply holds the size of the whole, which saves the
// call that would ask for it.
func (o *Org) pagedLinks(ctx context.Context, rows salesforce.Rows, soql string, at *cursor, yield func([]turnout.LinkCopy) error) error {
	for page, err := range o.client.Pages(ctx, rows, soql) {
		if turnout.CodeOf(err) == turnout.CodeTooSlow || page.Total > bulkFrom {
			return errMany
		}
		if err != nil {
			return err
		}
		if err := o.yieldLinks(page.Records, at, yield); err != nil {
			return err
		}
	}
	return nil
}

func (o *Org) bulkLinks(ctx context.Context, rows salesforce.Rows, soql string, at *cursor, yield func([]turnout.LinkCopy) error) error {
	list := make([]salesforce.Record, 0, bulkFrom)
	for r, err := range o.client.BulkQuery(ctx, rows, soql) {
		if err != nil {
			return err
		}
		if list = append(list, r); len(list) == bulkFrom {
			if err := o.yieldLinks(list, at, yield); err != nil {
				return err
			}
			list = list[:0]
		}
	}
	return o.yieldLinks(list, at, yield)
}

// yieldLinks hands a list over and then moves the cursor past it.
func (o *Org) yieldLinks(records []salesforce.Record, at *cursor, yield func([]turnout.LinkCopy) error) error {
	links := o.links(records)
	if len(links) > 0 {
		if err := yield(links); err != nil {
			return err
		}
	}
	for _, r := range records {
		if t, ok := r.Time("SystemModstamp"); ok {
			at.see(t)
		}
	}
	return nil
}

func (o *Org) links(records []salesforce.Record) []turnout.LinkCopy {
	links := make([]turnout.LinkCopy, 0, len(records))
	for _, r := range records {
		if link, ok := o.m.Link.Read(r); ok {
			links = append(links, link)
		}
	}
	return links
}

// LinkRecords fetches the links that hooks mean by these record ids: links, or
// people whose links they are. Deleted links come as revoked.
func (o *Org) LinkRecords(ctx context.Context, ids []string) ([]turnout.LinkCopy, error) {
	var out []turnout.LinkCopy
	for field, some := range o.byObject(recordIDs(ids)) {
		links, err := o.linksWhere(ctx, salesforce.AndDeleted, field, some)
		if err != nil {
			return nil, err
		}
		out = append(out, links...)
	}
	return out, nil
}

// byObject sorts ids by the link's field that holds ids of their kind.
func (o *Org) byObject(ids []string) map[string][]string {
	fields := o.m.Link.Fields
	out := map[string][]string{}
	for _, id := range ids {
		field := "Id"
		switch id[:3] {
		case salesforce.PrefixContact:
			field = fields["contact"]
		case salesforce.PrefixLead:
			field = fields["lead"]
		}
		if field != "" {
			out[field] = append(out[field], id)
		}
	}
	return out
}

func (o *Org) linksWhere(ctx context.Context, rows salesforce.Rows, field string, values []string) ([]turnout.LinkCopy, error) {
	l := o.m.Link
	base := "SELECT " + strings.Join(l.Columns(), ",") + " FROM " + l.Object + " WHERE " + field + " IN ("
	var out []turnout.LinkCopy
	for _, some := range split(base+")", values, bulkFrom) {
		for r, err := range o.client.Query(ctx, rows, base+salesforce.QuoteAll(some)+")") {
			if err != nil {
				return nil, err
			}
			out = append(out, o.links([]salesforce.Record{r})...)
		}
	}
	return out, nil
}

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
// Up to 2,000 links come in pages, in the order of their change. More come as a
// bulk job without an order, whose parts tell places: given one of the same
// since, reading goes on there, and where Salesforce no longer has the job, or
// the mapping asks for something else by now, it begins anew.
//
// The time is where the next poll starts. After an error it is where to start
// again: what was yielded of pages is not read again, and a bulk job is read
// from its last place.
func (o *Org) LinksSince(ctx context.Context, since time.Time, place string, yield func(turnout.LinkPart) error) (time.Time, error) {
	r := o.linkReader(since, yield)
	if job, ok := r.resumed(place); ok {
		next, err := r.bulk(ctx, job)
		if err == nil || r.yielded || !job.Over() {
			return next, err
		}
		r = o.linkReader(since, yield)
	}
	err := r.pages(ctx)
	if !errors.Is(err, errMany) {
		if err != nil {
			return r.at.broken(), err
		}
		return r.at.next(), nil
	}
	job, err := o.client.StartBulkQuery(ctx, r.rows, r.soql)
	if err != nil {
		return since, err
	}
	return r.bulk(ctx, job)
}

// linkReader reads links once.
type linkReader struct {
	o     *Org
	since time.Time
	rows  salesforce.Rows
	soql  string
	at    *cursor
	yield func(turnout.LinkPart) error
	// yielded says that a bulk job gave something.
	yielded bool
}

func (o *Org) linkReader(since time.Time, yield func(turnout.LinkPart) error) *linkReader {
	l := o.m.Link
	r := &linkReader{o: o, since: since, rows: salesforce.Living, at: o.cursor(since, settle), yield: yield}
	condition := l.Fields["token"] + " != null"
	if !since.IsZero() {
		r.rows, condition = salesforce.AndDeleted, condition+" AND "+after(since)
	}
	r.soql = "SELECT " + strings.Join(l.Columns(), ",") + " FROM " + l.Object + " WHERE " + condition
	return r
}

// pages reads a result page by page, unless its first page tells that it is a
// large one: every reply holds the size of the whole, which saves the call that
// would ask for it.
func (r *linkReader) pages(ctx context.Context) error {
	for page, err := range r.o.client.Pages(ctx, r.rows, r.soql+" ORDER BY SystemModstamp, Id") {
		if turnout.CodeOf(err) == turnout.CodeTooSlow || page.Total > bulkFrom {
			return errMany
		}
		if err != nil {
			return err
		}
		if links := r.o.links(page.Records); len(links) > 0 {
			if err := r.yield(turnout.LinkPart{Links: links}); err != nil {
				return err
			}
		}
		r.see(page.Records)
	}
	return nil
}

// see moves the cursor past records.
func (r *linkReader) see(records []salesforce.Record) {
	for _, one := range records {
		if t, ok := one.Time("SystemModstamp"); ok {
			r.at.see(t)
		}
	}
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

package orgs

import (
	"context"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// RegistrationsSince fetches what changed on registrations at or after since
// (all, if it is zero), Turnout's own writes among them, and yields it in lists
// of at most 2,000 in the order of change. Invites that nobody answered are left
// out; a deleted record comes as cancelled.
//
// The time is where the next poll starts, after an error as well: what was
// yielded is not read again.
func (o *Org) RegistrationsSince(ctx context.Context, since time.Time, yield func([]turnout.RegistrationCopy) error) (time.Time, error) {
	g := o.m.Registration
	soql := "SELECT " + strings.Join(g.Columns(), ",") + " FROM " + g.Object +
		" WHERE (" + g.Key + " != null OR " + g.Fields["status"] + " IN (" + salesforce.QuoteAll(g.Known()) + "))"
	if !since.IsZero() {
		soql += " AND " + after(since)
	}
	at := o.cursor(since, settle)
	for page, err := range o.client.Pages(ctx, salesforce.AndDeleted, soql+" ORDER BY SystemModstamp, Id") {
		if err != nil {
			return at.broken(), err
		}
		var copies []turnout.RegistrationCopy
		for _, r := range page.Records {
			if copied, ok := g.Read(r); ok {
				copies = append(copies, copied)
			}
		}
		if err := yield(copies); err != nil {
			return at.broken(), err
		}
		for _, r := range page.Records {
			if t, ok := r.Time("SystemModstamp"); ok {
				at.see(t)
			}
		}
	}
	return at.next(), nil
}

// Registrations fetches registrations by their record ids, in no promised
// order. A deleted record comes as cancelled. Records that are gone from the
// recycle bin too, or whose status says nothing, are left out.
func (o *Org) Registrations(ctx context.Context, ids []string) ([]turnout.RegistrationCopy, error) {
	g := o.m.Registration
	base := "SELECT " + strings.Join(g.Columns(), ",") + " FROM " + g.Object + " WHERE Id IN ("
	var out []turnout.RegistrationCopy
	for _, some := range split(base+")", recordIDs(ids), bulkFrom) {
		for r, err := range o.client.Query(ctx, salesforce.AndDeleted, base+salesforce.QuoteAll(some)+")") {
			if err != nil {
				return nil, err
			}
			if copied, ok := g.Read(r); ok {
				out = append(out, copied)
			}
		}
	}
	return out, nil
}

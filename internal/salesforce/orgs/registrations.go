package orgs

import (
	"context"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// RegistrationsSince fetches what changed on registrations at or after since
// (all, if it is zero), Turnout's own writes among them. Invites that nobody
// answered are left out; a deleted record comes as cancelled. The time is where
// the next poll starts.
func (o *Org) RegistrationsSince(ctx context.Context, since time.Time) ([]turnout.RegistrationCopy, time.Time, error) {
	g := o.m.Registration
	soql := "SELECT " + strings.Join(g.Columns(), ",") + " FROM " + g.Object +
		" WHERE (" + g.Key + " != null OR " + g.Fields["status"] + " IN (" + salesforce.QuoteAll(g.Known()) + "))"
	if !since.IsZero() {
		soql += " AND " + after(since)
	}
	at := o.cursor(since, settle)
	var out []turnout.RegistrationCopy
	for r, err := range o.client.Query(ctx, salesforce.AndDeleted, soql+" ORDER BY SystemModstamp, Id") {
		if err != nil {
			return nil, since, err
		}
		if t, ok := r.Time("SystemModstamp"); ok {
			at.see(t)
		}
		if copied, ok := g.Read(r); ok {
			out = append(out, copied)
		}
	}
	return out, at.next(), nil
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

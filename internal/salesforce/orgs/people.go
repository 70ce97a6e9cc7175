package orgs

import (
	"context"
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// People returns the e-mail addresses of the contacts, leads, links and
// registrations that these record ids name, each once. Deleted records answer
// as long as the recycle bin holds them.
func (o *Org) People(ctx context.Context, ids []string) ([]string, error) {
	var contacts, leads, others []string
	for _, id := range recordIDs(ids) {
		switch id[:3] {
		case salesforce.PrefixContact:
			contacts = append(contacts, id)
		case salesforce.PrefixLead:
			leads = append(leads, id)
		default:
			others = append(others, id)
		}
	}
	asked := []struct {
		object, field string
		ids           []string
	}{
		{"Contact", "Email", contacts},
		{"Lead", "Email", leads},
		{o.m.Link.Object, o.m.Link.EmailField(), others},
	}
	if field := o.m.Registration.Fields["email"]; field != "" && !o.m.ReuseInvite() {
		asked = append(asked, struct {
			object, field string
			ids           []string
		}{o.m.Registration.Object, field, others})
	}
	var emails []string
	for _, a := range asked {
		found, err := o.emails(ctx, a.object, a.field, a.ids)
		if err != nil {
			return nil, err
		}
		emails = append(emails, found...)
	}
	slices.Sort(emails)
	return slices.Compact(emails), nil
}

func (o *Org) emails(ctx context.Context, object, field string, ids []string) ([]string, error) {
	base := "SELECT Id," + field + " FROM " + object + " WHERE Id IN ("
	var emails []string
	for _, some := range split(base+")", ids, bulkFrom) {
		for r, err := range o.client.Query(ctx, salesforce.AndDeleted, base+salesforce.QuoteAll(some)+")") {
			if err != nil {
				return nil, err
			}
			if email := turnout.FoldEmail(r.Text(field)); strings.Contains(email, "@") {
				emails = append(emails, email)
			}
		}
	}
	return emails, nil
}

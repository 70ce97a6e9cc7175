package orgs

import (
	"context"
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// People returns the e-mail addresses of the contacts, leads, links and
// registrations that these record ids name, by the ids as they were given; those that
// name nobody are left out. Deleted records answer as long as the recycle bin holds
// them.
func (o *Org) People(ctx context.Context, ids []string) (map[string][]string, error) {
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
	found := map[string][]string{} // by the ids as Salesforce writes them
	for _, a := range asked {
		if err := o.emails(ctx, a.object, a.field, a.ids, found); err != nil {
			return nil, err
		}
	}
	people := map[string][]string{}
	for _, id := range ids {
		if emails := found[salesforce.ID(id)]; len(emails) > 0 {
			people[id] = emails
		}
	}
	return people, nil
}

// emails adds the addresses in a field of records to what was found.
func (o *Org) emails(ctx context.Context, object, field string, ids []string, found map[string][]string) error {
	base := "SELECT Id," + field + " FROM " + object + " WHERE Id IN ("
	for _, some := range split(base+")", ids, bulkFrom) {
		for r, err := range o.client.Query(ctx, salesforce.AndDeleted, base+salesforce.QuoteAll(some)+")") {
			if err != nil {
				return err
			}
			email, id := turnout.FoldEmail(r.Text(field)), r.ID("Id")
			if id != "" && strings.Contains(email, "@") && !slices.Contains(found[id], email) {
				found[id] = append(found[id], email)
			}
		}
	}
	return nil
}

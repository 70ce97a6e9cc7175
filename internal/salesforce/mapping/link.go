package mapping

import (
	"cmp"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// Columns are the fields of a link that a query asks for, and no others:
// nothing else of a person may arrive here (P8).
func (l Link) Columns() []string {
	return named(l.Fields, "Id", "IsDeleted", stamp, l.Revoked.Field)
}

// Read turns a link's record into Turnout's link. It is false for records
// whose token cannot be the token of a link.
func (l Link) Read(r salesforce.Record) (turnout.LinkCopy, bool) {
	get := reader{r, l.Fields}
	out := turnout.LinkCopy{
		Token: get.text("token"), Event: turnout.EventID(get.id("event")),
		Invite: turnout.Invite{Person: get.person(), Record: r.ID("Id"), Contact: get.id("contact"), Lead: get.id("lead")},
	}
	out.Modified, _ = r.Time(stamp)
	// A link that lost its event leads nowhere, like one that was deleted.
	out.Revoked = l.Revoked.Field != "" && l.Revoked.Holds(r) || r.True("IsDeleted") || out.Event == ""
	return out, turnout.ValidToken(out.Token)
}

func (g reader) person() turnout.Person {
	return turnout.Person{
		Email: g.line("email"), FirstName: g.line("first_name"), LastName: g.line("last_name"),
		Title: g.line("title"), Company: g.line("company"),
	}
}

// EmailField is the link's field for the person's e-mail address, "Email"
// where the mapping names none.
func (l Link) EmailField() string { return cmp.Or(l.Fields["email"], "Email") }

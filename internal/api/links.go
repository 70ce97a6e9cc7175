package api

import (
	"net/http"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/endpoint"
	"github.com/turnout-events/turnout/internal/catalog"
)

// Link is a personal link: for which event, to whom, and what they answered.
type Link struct {
	Event EventSummary `json:"event"`
	// Person prefills a form.
	Person Person `json:"person" doc:"Who it was sent to; fill the form with it."`
	// Registration is the latest one that came through the link.
	Registration *Registration `json:"registration" doc:"The latest one that came through the link, null while there is none."`
}

// Person is what a link knows of its person.
type Person struct {
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Email     string `json:"email"`
	Title     string `json:"title,omitempty"`
	Company   string `json:"company,omitempty"`
}

// openLink opens a link from the cache. Nobody waits for Salesforce here: a
// link that the cache does not have is not found, and noted (P3).
func (a *API) openLink(c *endpoint.Call, token string) (catalog.Link, error) {
	if !turnout.ValidToken(token) {
		return catalog.Link{}, turnout.Errorf(turnout.CodeNotFound, "open link", "this link is not known here")
	}
	if c.Method == http.MethodPost {
		return a.links.OpenSent(c.Context(), c.Org.ID, token)
	}
	return a.links.Open(c.Context(), c.Org.ID, token)
}

// link is the link that the path names, with its published event.
func (a *API) link(c *endpoint.Call) (catalog.Link, *catalog.Entry, error) {
	link, err := a.openLink(c, c.PathValue("token"))
	switch {
	case turnout.CodeOf(err) == turnout.CodeNotFound:
		return link, nil, turnout.Errorf(turnout.CodeNotFound, "open link", "this link is not known here, or not yet: try again in some minutes")
	case err != nil:
		return link, nil, err
	}
	entry, ok := a.catalog.EventByID(c.Org.ID, link.Event)
	if !ok {
		return link, nil, turnout.Errorf(turnout.CodeNotFound, "open link", "the link's event is not published")
	}
	return link, entry, nil
}

func (a *API) showLink(c *endpoint.Call) (endpoint.Reply, error) {
	link, entry, err := a.link(c)
	if err != nil {
		return endpoint.Reply{}, err
	}
	p := link.Invite.Person
	out := Link{
		Event:  a.summary(c.Org, entry),
		Person: Person{FirstName: p.FirstName, LastName: p.LastName, Email: p.Email, Title: p.Title, Company: p.Company},
	}
	view, answered, err := a.reader.ByLink(c.Context(), c.Org.ID, link.AttendeeLink)
	if err != nil {
		return endpoint.Reply{}, err
	}
	if answered {
		shown := a.registration(c.Org, entry, view)
		out.Registration = &shown
	}
	return endpoint.Reply{Body: out}, nil
}

// decline notes that a person is not coming. It needs no key from the client,
// since a link that was declined stays declined.
func (a *API) decline(c *endpoint.Call) (endpoint.Reply, error) {
	link, entry, err := a.link(c)
	if err != nil {
		return endpoint.Reply{}, err
	}
	key := turnout.NewKey(a.now())
	if c.Header.Get(keyHeader) != "" {
		if key, err = keyOf(c); err != nil {
			return endpoint.Reply{}, err
		}
	}
	view, err := a.writer.Decline(c.Context(), c.Org.ID, entry.Event, link.AttendeeLink, link.Invite, key)
	if err != nil {
		return endpoint.Reply{}, err
	}
	return endpoint.Reply{Body: a.registration(c.Org, entry, view)}, nil
}

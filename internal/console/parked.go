package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/oversight"
)

// mostShown is how many parked registrations stand on one page.
const mostShown = 100

// parkedPage lists what Salesforce refused.
type parkedPage struct {
	frame
	List []shownParked
	More bool
	// Dismissed says that it lists those about which nothing is to be done.
	Dismissed bool
	// Sent tells how many the last button sent again, -1 for none.
	Sent int
	// Done tells what else it did: "dismissed" or "cancelled".
	Done string
}

// shownParked is one with what was typed, in form order.
type shownParked struct {
	oversight.Parked
	Typed []line
}

// line is a label and a value.
type line struct{ Label, Value string }

func (c *Console) showParked(w http.ResponseWriter, r *http.Request) {
	org, f, ok := c.org(w, r, "parked")
	if !ok {
		return
	}
	query := r.URL.Query()
	dismissed := query.Has("dismissed")
	list, more, err := c.desk.Parked(r.Context(), org.ID, dismissed, mostShown)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	f.Title = "Parked registrations"
	if dismissed {
		f.Title = "Dismissed registrations"
	}
	page := parkedPage{frame: f, More: more, Dismissed: dismissed, Sent: -1, Done: query.Get("done")}
	if n, err := strconv.Atoi(query.Get("sent")); err == nil && n >= 0 {
		page.Sent = n
	}
	for _, p := range list {
		page.List = append(page.List, shownParked{Parked: p, Typed: typed(p)})
	}
	c.show(w, r, http.StatusOK, "parked", page)
}

// typed are a registration's values as people read them. Questions that the
// form has no longer go by their id.
func typed(p oversight.Parked) []line {
	if !p.Readable {
		return nil
	}
	var lines []line
	add := func(label, value string) {
		if value != "" {
			lines = append(lines, line{label, value})
		}
	}
	d, e := p.Details, p.Form
	if e == nil {
		e = &turnout.Event{}
	}
	add("Name", d.Person.Name())
	add("E-mail", d.Person.Email)
	add("Job title", d.Person.Title)
	add("Company", d.Person.Company)
	add("Ticket", ticketName(e, d.Ticket))
	var sessions, guests []string
	for _, id := range d.Agenda {
		sessions = append(sessions, agendaName(e, id))
	}
	add("Agenda", strings.Join(sessions, ", "))
	for _, g := range d.Guests {
		guests = append(guests, strings.TrimSpace(g.FirstName+" "+g.LastName))
	}
	add("Guests", strings.Join(guests, ", "))
	for _, q := range e.Form.Questions {
		add(q.Label, strings.Join(d.Answers[q.ID], ", "))
	}
	for _, l := range leftover(e, d.Answers) {
		add(l.Label, l.Value)
	}
	return lines
}

func ticketName(e *turnout.Event, id string) string {
	if t, ok := e.Ticket(id); ok {
		return t.Name
	}
	return id
}

func agendaName(e *turnout.Event, id string) string {
	if item, ok := e.AgendaItem(id); ok {
		return item.Name
	}
	return id
}

func (c *Console) retryAll(w http.ResponseWriter, r *http.Request) { c.retry(w, r, "") }

func (c *Console) retryOne(w http.ResponseWriter, r *http.Request) {
	key := turnout.Key(r.PathValue("key"))
	if !key.Valid() { // an empty one would mean all
		c.fail(w, r, turnout.Errorf(turnout.CodeNotFound, "retry parked", "there is no such registration"))
		return
	}
	c.retry(w, r, key)
}

func (c *Console) retry(w http.ResponseWriter, r *http.Request, key turnout.Key) {
	org := turnout.OrgID(r.PathValue("org"))
	n, err := c.desk.Retry(context.WithoutCancel(r.Context()), org, key)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.sent(w, org, n)
}

// sent leads back to the list, so that a reload sends nothing twice.
func (c *Console) sent(w http.ResponseWriter, org turnout.OrgID, n int) {
	w.Header().Set("Location", "/console/orgs/"+url.PathEscape(string(org))+"/parked?sent="+strconv.Itoa(n))
	w.WriteHeader(http.StatusSeeOther)
}

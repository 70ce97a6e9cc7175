package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/endpoint"
	"github.com/turnout-events/turnout/internal/erasure"
	"github.com/turnout-events/turnout/internal/oversight"
)

func (a *Admin) routes() []endpoint.Route {
	unknown := []turnout.Code{turnout.CodeNotFound, turnout.CodeUnavailable}
	return []endpoint.Route{
		{
			Method: "GET", Path: "/admin/v1/orgs", ID: "list-orgs", Summary: "How it goes with every org",
			Do: endpoint.Plain(a.listOrgs), Answers: []endpoint.Answer{{Status: 200, About: "All orgs, by id.", Body: OrgList{}}},
			Refusals: []turnout.Code{turnout.CodeUnavailable},
		},
		{
			Method: "GET", Path: "/admin/v1/orgs/{org}/events", ID: "list-org-events", Summary: "An org's events with their seats",
			Do: endpoint.Plain(a.listEvents), Answers: []endpoint.Answer{{Status: 200, About: "Its events.", Body: OrgEvents{}}}, Refusals: unknown,
		},
		{
			Method: "GET", Path: "/admin/v1/orgs/{org}/parked", ID: "list-parked", Summary: "Registrations that Salesforce refused",
			About:  "Holds personal data: what was typed, and Salesforce's own words about it.",
			Params: []endpoint.Param{{In: "query", Name: "limit", About: "1 to 500."}, {In: "query", Name: "dismissed", About: "true: those that were dismissed instead."}},
			Do:     endpoint.Plain(a.listParked), Answers: []endpoint.Answer{{Status: 200, About: "The parked ones, oldest first.", Body: ParkedList{}}}, Refusals: unknown,
		},
		{
			Method: "POST", Path: "/admin/v1/orgs/{org}/parked/retry", ID: "retry-all", Summary: "Send all parked registrations again",
			Do: endpoint.Plain(a.retryAll), Answers: []endpoint.Answer{{Status: 200, About: "How many.", Body: Retried{}}}, Refusals: unknown,
		},
		{
			Method: "POST", Path: "/admin/v1/orgs/{org}/parked/{key}/retry", ID: "retry", Summary: "Send a parked registration again as it is",
			Do: endpoint.Plain(a.retryOne), Answers: []endpoint.Answer{{Status: 200, About: "How many.", Body: Retried{}}}, Refusals: unknown,
		},
		{
			Method: "PUT", Path: "/admin/v1/orgs/{org}/parked/{key}", ID: "amend", Summary: "Amend a parked registration and send it again",
			About: "Give all of it: what is left out is taken away. The e-mail address stays.",
			Do:    endpoint.Taking(a.amend), Answers: []endpoint.Answer{{Status: 200, About: "It is on its way.", Body: Retried{}}},
			Refusals: append(unknown, turnout.CodeClosed, turnout.CodeConflict, turnout.CodeForgotten, turnout.CodeFull),
		},
		{
			Method: "POST", Path: "/admin/v1/orgs/{org}/parked/{key}/dismiss", ID: "dismiss", Summary: "Note that nothing is to be done about a parked registration",
			About: "It is in the list no longer, and its place stays; with cancel it is cancelled, which gives the place back, and is told to its registrant and once to Salesforce. It can be retried all the same.",
			Do:    endpoint.Taking(a.dismiss), Answers: []endpoint.Answer{{Status: 200, About: "It is dismissed.", Body: Dismissed{}}},
			Refusals: append(unknown, turnout.CodeConflict, turnout.CodeForgotten),
		},
		{
			Method: "POST", Path: "/admin/v1/orgs/{org}/forget", ID: "forget", Summary: "Forget a person",
			About: "Destroys the person's data key, and with it what every store, cache, queue and backup holds. May be repeated.",
			Do:    endpoint.Taking(a.forgetPerson), Answers: []endpoint.Answer{{Status: 200, About: "A receipt that names nobody.", Body: erasure.Receipt{}}}, Refusals: unknown,
		},
		{
			Method: "POST", Path: "/admin/v1/orgs/{org}/sessions/revoke", ID: "revoke-sessions", Summary: "End all sessions of an org's visitors",
			About: "Browsers that opened a personal link are no longer led to it; the links themselves go on working. May be repeated.",
			Do:    endpoint.Plain(a.revokeSessions), Answers: []endpoint.Answer{{Status: 200, About: "They are over, on every instance within a second.", Body: Revoked{}}}, Refusals: unknown,
		},
		{
			Method: "GET", Path: "/admin/v1/orgs/{org}/registrations.csv", ID: "export", Summary: "Registrations as CSV",
			About:  "Streamed; a transfer that breaks off is not whole. Cells that a spreadsheet would take for a formula begin with an apostrophe.",
			Params: []endpoint.Param{{In: "query", Name: "event", About: "An event's id; all events if left out."}},
			Do:     endpoint.Plain(a.export), Answers: []endpoint.Answer{{Status: 200, About: "The registrations.", Body: "", Type: "text/csv"}}, Refusals: unknown,
		},
	}
}

// OrgList is the answer of GET /admin/v1/orgs.
type OrgList struct {
	Orgs []oversight.Org `json:"orgs"`
}

// OrgEvents is the answer of GET /admin/v1/orgs/{org}/events.
type OrgEvents struct {
	Events []oversight.Event `json:"events"`
}

// ParkedList is the answer of GET /admin/v1/orgs/{org}/parked.
type ParkedList struct {
	Parked []ParkedRegistration `json:"parked"`
	More   bool                 `json:"more" doc:"There are more than limit."`
}

// ParkedRegistration is one that Salesforce refused.
type ParkedRegistration struct {
	Key        turnout.Key     `json:"key"`
	Reference  string          `json:"reference" doc:"What its registrant sees of the key."`
	Event      turnout.EventID `json:"event"`
	EventTitle string          `json:"event_title"`
	Status     turnout.Status  `json:"status"`
	Code       string          `json:"code" doc:"Salesforce's status code."`
	Says       string          `json:"says" doc:"Salesforce's own words; may repeat what was typed."`
	ParkedAt   time.Time       `json:"parked_at"`
	AcceptedAt time.Time       `json:"accepted_at"`
	Attempts   int             `json:"attempts"`
	// DismissedAt is zero while somebody has to decide.
	DismissedAt time.Time  `json:"dismissed_at,omitzero" doc:"When somebody decided that nothing is to be done."`
	Amendable   bool       `json:"amendable" doc:"Its event is published, so its form is known."`
	Typed       *Amendment `json:"typed" doc:"What the registrant typed, null when it was deleted. Send it back, amended."`
}

// Amendment is what a parked registration says, or is to say from now on.
type Amendment struct {
	FirstName string            `json:"first_name"`
	LastName  string            `json:"last_name"`
	Email     string            `json:"email,omitempty" doc:"Cannot be changed; may be left out."`
	Title     string            `json:"title,omitempty"`
	Company   string            `json:"company,omitempty"`
	Ticket    string            `json:"ticket,omitempty"`
	Agenda    []string          `json:"agenda,omitempty"`
	Guests    []Guest           `json:"guests,omitempty"`
	Answers   map[string]Answer `json:"answers,omitempty"`
}

// Retried tells how many registrations go out again.
type Retried struct {
	Retried int `json:"retried"`
}

// Dismissal says how a parked registration is dismissed.
type Dismissal struct {
	Cancel bool `json:"cancel,omitempty" doc:"Cancel it, so that its place is free for somebody else."`
}

// Dismissed tells which one was.
type Dismissed struct {
	Key turnout.Key `json:"dismissed"`
}

// Forgettable names whom to forget.
type Forgettable struct {
	Email string `json:"email"`
}

// Revoked tells whose sessions were ended.
type Revoked struct {
	Org turnout.OrgID `json:"org"`
}

func (a *Admin) revokeSessions(c *endpoint.Call) (endpoint.Reply, error) {
	org := orgOf(c)
	err := a.sessions.RevokeOrg(context.WithoutCancel(c.Context()), org)
	return endpoint.Reply{Status: http.StatusOK, Body: Revoked{org}}, err
}

func orgOf(c *endpoint.Call) turnout.OrgID { return turnout.OrgID(c.PathValue("org")) }

func (a *Admin) listOrgs(c *endpoint.Call) (endpoint.Reply, error) {
	orgs, err := a.desk.Overview(c.Context())
	return endpoint.Reply{Body: OrgList{Orgs: orgs}}, err
}

func (a *Admin) listEvents(c *endpoint.Call) (endpoint.Reply, error) {
	events, err := a.desk.Events(c.Context(), orgOf(c))
	return endpoint.Reply{Body: OrgEvents{Events: events}}, err
}

func (a *Admin) listParked(c *endpoint.Call) (endpoint.Reply, error) {
	limit := 0
	if raw := c.URL.Query().Get("limit"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 1 || n > oversight.MostParked {
			return endpoint.Reply{}, invalid("limit", "Give a number from 1 to "+strconv.Itoa(oversight.MostParked))
		}
		limit = n
	}
	dismissed := false
	switch c.URL.Query().Get("dismissed") {
	case "", "false":
	case "true":
		dismissed = true
	default:
		return endpoint.Reply{}, invalid("dismissed", "Give true or false")
	}
	parked, more, err := a.desk.Parked(c.Context(), orgOf(c), dismissed, limit)
	if err != nil {
		return endpoint.Reply{}, err
	}
	list := ParkedList{Parked: []ParkedRegistration{}, More: more}
	for _, p := range parked {
		list.Parked = append(list.Parked, parkedOf(p))
	}
	return endpoint.Reply{Body: list}, nil
}

func parkedOf(p oversight.Parked) ParkedRegistration {
	out := ParkedRegistration{
		Key: p.Key, Reference: p.Key.Reference(), DismissedAt: p.Dismissed, Event: p.Event, EventTitle: p.Title, Status: p.Status, Code: p.Code, Says: p.Says,
		ParkedAt: p.At, AcceptedAt: p.Accepted, Attempts: p.Attempts, Amendable: p.Form != nil && p.Readable,
	}
	if !p.Readable {
		return out
	}
	d := p.Details
	out.Typed = &Amendment{
		FirstName: d.Person.FirstName, LastName: d.Person.LastName, Email: d.Person.Email, Title: d.Person.Title, Company: d.Person.Company,
		Ticket: d.Ticket, Agenda: d.Agenda, Answers: map[string]Answer{},
	}
	for _, g := range d.Guests {
		out.Typed.Guests = append(out.Typed.Guests, Guest(g))
	}
	for id, values := range d.Answers {
		out.Typed.Answers[id] = values
	}
	return out
}

func (b Amendment) details() turnout.Details {
	return turnout.Details{
		Person: turnout.Person{Email: b.Email, FirstName: b.FirstName, LastName: b.LastName, Title: b.Title, Company: b.Company},
		Ticket: b.Ticket, Agenda: b.Agenda, Guests: guestsOf(b.Guests), Answers: answersFrom(b.Answers),
	}
}

func (a *Admin) retryAll(c *endpoint.Call) (endpoint.Reply, error) { return a.retry(c, "") }

func (a *Admin) retryOne(c *endpoint.Call) (endpoint.Reply, error) {
	key := turnout.Key(c.PathValue("key"))
	if !key.Valid() { // an empty one would mean all
		return endpoint.Reply{}, turnout.Errorf(turnout.CodeNotFound, "retry parked", "there is no such registration")
	}
	return a.retry(c, key)
}

func (a *Admin) retry(c *endpoint.Call, key turnout.Key) (endpoint.Reply, error) {
	n, err := a.desk.Retry(context.WithoutCancel(c.Context()), orgOf(c), key)
	return endpoint.Reply{Body: Retried{n}}, err
}

func (a *Admin) amend(c *endpoint.Call, body Amendment) (endpoint.Reply, error) {
	err := a.desk.Amend(context.WithoutCancel(c.Context()), orgOf(c), turnout.Key(c.PathValue("key")), body.details())
	return endpoint.Reply{Body: Retried{1}}, err
}

func (a *Admin) dismiss(c *endpoint.Call, body Dismissal) (endpoint.Reply, error) {
	key := turnout.Key(c.PathValue("key"))
	err := a.desk.Dismiss(context.WithoutCancel(c.Context()), orgOf(c), key, body.Cancel)
	return endpoint.Reply{Body: Dismissed{key}}, err
}

func (a *Admin) forgetPerson(c *endpoint.Call, body Forgettable) (endpoint.Reply, error) {
	if !turnout.ValidEmail(turnout.FoldEmail(body.Email)) {
		return endpoint.Reply{}, invalid("email", "Give the whole e-mail address")
	}
	receipt, err := a.forget.Forget(context.WithoutCancel(c.Context()), orgOf(c), body.Email)
	return endpoint.Reply{Status: http.StatusOK, Body: receipt}, err
}

package api

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/endpoint"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/intake"
)

// Registration is a registration as its owner sees it.
type Registration struct {
	Key   turnout.Key `json:"key" doc:"Its idempotency key, which is also its External ID in Salesforce."`
	Token string      `json:"token" doc:"Opens it; keep it as a secret of its owner."`
	URL   string      `json:"url" doc:"Where it is in the API."`
	Page  string      `json:"page" doc:"Its page, for its owner."`
	// Event is nil when the event is no longer published.
	Event *EventSummary `json:"event,omitempty" doc:"Left out when the event is no longer published."`

	Status     turnout.Status     `json:"status" enum:"registered,waitlisted,cancelled,declined"`
	State      turnout.State      `json:"state" enum:"accepted,delivered,parked,cancelled,waitlisted" doc:"Where it stands on its way to Salesforce; the place is held all the same."`
	Attendance turnout.Attendance `json:"attendance,omitempty" enum:"approved,attended,absent" doc:"What the organiser noted."`
	Revision   int64              `json:"revision" doc:"Send it with a change."`
	AcceptedAt time.Time          `json:"accepted_at"`
	ChangedAt  time.Time          `json:"changed_at"`
	CanEdit    bool               `json:"can_edit"`
	CanCancel  bool               `json:"can_cancel"`
	JoinURL    string             `json:"join_url,omitempty" doc:"Where an online event is; only with a place."`
	Repeat     bool               `json:"repeat,omitempty" doc:"It had been accepted before; nothing was changed."`

	FirstName string         `json:"first_name,omitempty"`
	LastName  string         `json:"last_name,omitempty"`
	Email     string         `json:"email,omitempty"`
	Title     string         `json:"title,omitempty"`
	Company   string         `json:"company,omitempty"`
	Ticket    string         `json:"ticket,omitempty"`
	Agenda    []string       `json:"agenda,omitempty"`
	Guests    []Guest        `json:"guests,omitempty"`
	Answers   map[string]any `json:"answers,omitempty" doc:"By question id: text, or a list for questions that take several."`
}

const (
	keyHeader = "Idempotency-Key"
	keyAbout  = "A new value for each registration, 1 to 64 letters, digits, hyphens and underscores (a UUID is one); " +
		"case does not count. Send the same one when you repeat a request whose answer you did not get."
)

// keyOf reads the idempotency key, without which a retry could register twice.
func keyOf(c *endpoint.Call) (turnout.Key, error) {
	raw := c.Header.Get(keyHeader)
	if raw == "" {
		return "", turnout.Errorf(turnout.CodeMalformed, "read idempotency key",
			"send an %s header with a new value for each registration, such as a UUID, and the same one again with every retry", keyHeader)
	}
	return turnout.ParseKey(raw)
}

// register makes a registration.
func (a *API) register(c *endpoint.Call, body NewRegistration) (endpoint.Reply, error) {
	entry, err := a.event(c)
	if err != nil {
		return endpoint.Reply{}, err
	}
	key, err := keyOf(c)
	s := body.submission(key)
	if err != nil {
		return endpoint.Reply{}, besides(err, entry.Event, s)
	}
	if body.Link != "" {
		if err := a.attach(c, entry, body.Link, &s); err != nil {
			return endpoint.Reply{}, err
		}
	}
	view, err := a.writer.Register(c.Context(), c.Org.ID, entry.Event, s)
	if err != nil {
		return endpoint.Reply{}, err
	}
	reply := endpoint.Reply{Status: http.StatusCreated, Location: registrationURL(view.Token), Body: a.registration(c.Org, entry, view)}
	if view.Repeat {
		reply.Status = http.StatusOK
	}
	return reply, nil
}

// besides adds to a missing key what is wrong with the form, so that a client
// mends both at once. What a link would fill in is not known here.
func besides(err error, e *turnout.Event, s turnout.Submission) error {
	var missing *turnout.Error
	if !errors.As(err, &missing) {
		return err
	}
	both := *missing
	_, invalid := e.Check(s.Details)
	both.Fields = turnout.FieldsOf(invalid)
	if e.LockEmail {
		both.Fields = slices.DeleteFunc(both.Fields, func(f turnout.FieldError) bool { return f.Field == "email" })
	}
	return &both
}

// attach joins a submission to the personal link that it came through.
func (a *API) attach(c *endpoint.Call, entry *catalog.Entry, token string, s *turnout.Submission) error {
	link, err := a.openLink(c, token)
	switch {
	case turnout.CodeOf(err) == turnout.CodeNotFound:
		return invalid("link", "This link is not known here, or not yet: leave it out, or try again in some minutes")
	case err != nil:
		return err
	case link.Event != entry.Event.ID:
		return invalid("link", "This link is for another event: leave it out, or register for that one")
	}
	s.Link, s.Invite = link.ID, &link.Invite
	if entry.Event.LockEmail && s.Person.Email == "" {
		s.Person.Email = link.Invite.Person.Email
	}
	return nil
}

func (a *API) showRegistration(c *endpoint.Call) (endpoint.Reply, error) {
	view, entry, err := a.open(c)
	if err != nil {
		return endpoint.Reply{}, err
	}
	return endpoint.Reply{Body: a.registration(c.Org, entry, view)}, nil
}

// edit changes what a registration says. The e-mail address stays: it is
// whose registration it is.
func (a *API) edit(c *endpoint.Call, body Change) (endpoint.Reply, error) {
	view, entry, err := a.openPublished(c)
	if err != nil {
		return endpoint.Reply{}, err
	}
	if body.Revision < 1 {
		return endpoint.Reply{}, invalid("revision", "Give the revision that you read")
	}
	if body.Email != "" && turnout.FoldEmail(body.Email) != turnout.FoldEmail(view.Details.Person.Email) {
		return endpoint.Reply{}, invalid("email", "The e-mail address cannot be changed: cancel, and register again under the other one")
	}
	d := body.details()
	d.Person.Email, d.Invite = view.Details.Person.Email, view.Details.Invite
	view, err = a.writer.Edit(c.Context(), c.Org.ID, entry.Event, view.Token, body.Revision, d)
	if err != nil {
		return endpoint.Reply{}, err
	}
	return endpoint.Reply{Body: a.registration(c.Org, entry, view)}, nil
}

func (a *API) cancel(c *endpoint.Call) (endpoint.Reply, error) {
	view, entry, err := a.openPublished(c)
	if err != nil {
		return endpoint.Reply{}, err
	}
	view, err = a.writer.Cancel(c.Context(), c.Org.ID, entry.Event, view.Token)
	if err != nil {
		return endpoint.Reply{}, err
	}
	return endpoint.Reply{Body: a.registration(c.Org, entry, view)}, nil
}

// open finds the registration that the path names, and its event, nil when
// that is no longer published.
func (a *API) open(c *endpoint.Call) (intake.View, *catalog.Entry, error) {
	view, err := a.reader.View(c.Context(), c.Org.ID, c.PathValue("token"))
	if err != nil {
		return intake.View{}, nil, err
	}
	if entry, ok := a.catalog.EventByID(c.Org.ID, view.Registration.Event); ok {
		return view, entry, nil
	}
	return view, nil, nil
}

// openPublished is open for what only works while the event is published.
func (a *API) openPublished(c *endpoint.Call) (intake.View, *catalog.Entry, error) {
	view, entry, err := a.open(c)
	if err == nil && entry == nil {
		err = turnout.Errorf(turnout.CodeClosed, "open registration", "the event is not published now; the registration stands as it is")
	}
	return view, entry, err
}

func registrationURL(token string) string { return "/api/v1/registrations/" + token }

// registration is a view as it is sent. Entry may be nil.
func (a *API) registration(org *turnout.Org, entry *catalog.Entry, view intake.View) Registration {
	r, d, now := view.Registration, view.Details, a.now()
	out := Registration{
		Key: r.Key, Token: view.Token, URL: registrationURL(view.Token), Page: a.origin(org) + "/registrations/" + view.Token,
		Status: r.Status, State: r.State(), Attendance: r.Attendance, Revision: r.Revision,
		AcceptedAt: r.AcceptedAt.UTC(), ChangedAt: r.ChangedAt.UTC(), Repeat: view.Repeat,
		FirstName: d.Person.FirstName, LastName: d.Person.LastName, Email: d.Person.Email, Title: d.Person.Title, Company: d.Person.Company,
		Ticket: d.Ticket, Agenda: d.Agenda,
	}
	for _, g := range d.Guests {
		out.Guests = append(out.Guests, Guest(g))
	}
	if entry == nil {
		out.Answers = answersOf(&turnout.Event{}, d.Answers)
		return out
	}
	e, summary := entry.Event, a.summary(org, entry)
	out.Event, out.Answers = &summary, answersOf(e, d.Answers)
	shredded := d.Person == (turnout.Person{})
	out.CanEdit = r.Status.Holds() && !shredded && !r.Inside() && e.CanEdit(now)
	out.CanCancel = r.Status.Holds() && !r.Inside() && e.CanCancel(now)
	if r.Status == turnout.StatusRegistered {
		out.JoinURL = e.JoinURL
	}
	return out
}

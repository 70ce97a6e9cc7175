package api

import (
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/endpoint"
	"github.com/turnout-events/turnout/internal/catalog"
)

// EventList is the answer of GET /api/v1/events.
type EventList struct {
	Events []EventSummary `json:"events"`
}

// EventSummary is an event as a list shows it.
type EventSummary struct {
	ID       turnout.EventID `json:"id"`
	Slug     string          `json:"slug"`
	Title    string          `json:"title"`
	Summary  string          `json:"summary,omitempty"`
	Starts   time.Time       `json:"starts" doc:"UTC."`
	Ends     *time.Time      `json:"ends,omitempty"`
	Zone     string          `json:"zone" doc:"The event's IANA time zone."`
	Language string          `json:"language,omitempty"`
	Venue    string          `json:"venue,omitempty"`
	Address  string          `json:"address,omitempty"`
	Online   bool            `json:"online"`
	Image    string          `json:"image,omitempty"`
	// Phase is where registration stands.
	Phase     string `json:"phase" enum:"upcoming,open,closed,over" doc:"Where registration stands."`
	SeatsLeft *int   `json:"seats_left" doc:"Seats left in the whole event, about a second old; null for no limit."`
	Waitlist  bool   `json:"waitlist" doc:"Whether there is a line to wait in when seats are missing."`
	URL       string `json:"url" doc:"Where this event is in the API."`
	Page      string `json:"page" doc:"Its page, for people."`
}

// Event is an event with everything that a registration needs.
type Event struct {
	EventSummary
	Version       string       `json:"version"`
	Body          string       `json:"body,omitempty" doc:"HTML, cut down to harmless elements."`
	Organizer     string       `json:"organizer,omitempty"`
	Opens         *time.Time   `json:"opens,omitempty"`
	Closes        *time.Time   `json:"closes,omitempty"`
	EditUntil     *time.Time   `json:"edit_until,omitempty"`
	CancelUntil   *time.Time   `json:"cancel_until,omitempty"`
	MaxGuests     int          `json:"max_guests"`
	OncePerPerson bool         `json:"once_per_person" doc:"A second registration under the same e-mail address is refused."`
	LockEmail     bool         `json:"lock_email" doc:"A personal link's e-mail address stays as it is."`
	Tickets       []Ticket     `json:"tickets"`
	Agenda        []AgendaItem `json:"agenda"`
	Form          Form         `json:"form"`
}

// Ticket is a kind of place.
type Ticket struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	About     string `json:"about,omitempty"`
	SeatsLeft *int   `json:"seats_left" doc:"Null for no limit."`
}

// AgendaItem is a part of an event with its own seats.
type AgendaItem struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	About     string     `json:"about,omitempty"`
	Room      string     `json:"room,omitempty"`
	Starts    *time.Time `json:"starts,omitempty"`
	Ends      *time.Time `json:"ends,omitempty"`
	SeatsLeft *int       `json:"seats_left" doc:"Null for no limit."`
}

// Form is what is asked besides name and e-mail address.
type Form struct {
	Version   string      `json:"version" doc:"Send it as form_version to be told when the form has changed."`
	Title     turnout.Ask `json:"title" enum:"optional,required,hidden"`
	Company   turnout.Ask `json:"company" enum:"optional,required,hidden"`
	Questions []Question  `json:"questions"`
}

// Question is one thing asked.
type Question struct {
	ID        string       `json:"id"`
	Label     string       `json:"label"`
	Help      string       `json:"help,omitempty"`
	Kind      turnout.Kind `json:"kind" enum:"text,long_text,email,phone,number,date,choice,choices,yes_no"`
	Required  bool         `json:"required"`
	MaxLength int          `json:"max_length,omitempty"`
	Min       *float64     `json:"min,omitempty"`
	Max       *float64     `json:"max,omitempty"`
	Choices   []string     `json:"choices,omitempty"`
	ShowIf    *Condition   `json:"show_if,omitempty" doc:"It is asked only when this holds."`
}

// Condition holds when a question was answered with one of the values.
type Condition struct {
	Question string   `json:"question"`
	Values   []string `json:"values"`
}

func (a *API) listEvents(c *endpoint.Call) (endpoint.Reply, error) {
	_, entries := a.catalog.List(c.Org.ID)
	list := EventList{Events: []EventSummary{}}
	for _, entry := range entries {
		list.Events = append(list.Events, a.summary(c.Org, entry))
	}
	return endpoint.Reply{Body: list}, nil
}

func (a *API) showEvent(c *endpoint.Call) (endpoint.Reply, error) {
	entry, err := a.event(c)
	if err != nil {
		return endpoint.Reply{}, err
	}
	return endpoint.Reply{Body: a.full(c.Org, entry)}, nil
}

// event is the published event that the path names.
func (a *API) event(c *endpoint.Call) (*catalog.Entry, error) {
	if entry, ok := a.catalog.Event(c.Org.ID, c.PathValue("slug")); ok {
		return entry, nil
	}
	return nil, turnout.Errorf(turnout.CodeNotFound, "find event", "there is no such event, or it is not published")
}

func (a *API) summary(org *turnout.Org, entry *catalog.Entry) EventSummary {
	e := entry.Event
	return EventSummary{
		ID: e.ID, Slug: e.Slug, Title: e.Title, Summary: e.Summary, Starts: e.Starts.UTC(), Ends: instant(e.Ends), Zone: e.Zone,
		Language: e.Language, Venue: e.Venue, Address: e.Address, Online: e.Online, Image: a.image(org, e),
		Phase: phase(e.Phase(a.now())), SeatsLeft: left(entry.Seats.Free(turnout.PoolEvent)), Waitlist: e.Waitlist,
		URL: "/api/v1/events/" + e.Slug, Page: a.origin(org) + "/events/" + e.Slug,
	}
}

// image is where an event's picture is: here, once it was fetched.
func (a *API) image(org *turnout.Org, e *turnout.Event) string {
	if path := e.Picture.Path(1600); path != "" {
		return a.origin(org) + path
	}
	return ""
}

func (a *API) full(org *turnout.Org, entry *catalog.Entry) Event {
	e := entry.Event
	out := Event{
		EventSummary: a.summary(org, entry), Version: e.Version, Body: e.Body, Organizer: e.Organizer,
		Opens: instant(e.Opens), Closes: instant(e.Closes), EditUntil: instant(e.EditUntil), CancelUntil: instant(e.CancelUntil),
		MaxGuests: e.MaxGuests, OncePerPerson: e.OncePerPerson, LockEmail: e.LockEmail,
		Tickets: []Ticket{}, Agenda: []AgendaItem{}, Form: formOf(e.Form),
	}
	for _, t := range e.Tickets {
		out.Tickets = append(out.Tickets, Ticket{ID: t.ID, Name: t.Name, About: t.About, SeatsLeft: left(entry.Seats.Free(turnout.PoolTicket(t.ID)))})
	}
	for _, item := range e.Agenda {
		out.Agenda = append(out.Agenda, AgendaItem{
			ID: item.ID, Name: item.Name, About: item.About, Room: item.Room, Starts: instant(item.Starts), Ends: instant(item.Ends),
			SeatsLeft: left(entry.Seats.Free(turnout.PoolAgenda(item.ID))),
		})
	}
	return out
}

// formOf leaves out what only Salesforce's side needs to know.
func formOf(f turnout.Form) Form {
	out := Form{Version: f.Version, Title: asked(f.Title), Company: asked(f.Company), Questions: []Question{}}
	for _, q := range f.Questions {
		shown := Question{
			ID: q.ID, Label: q.Label, Help: q.Help, Kind: q.Kind, Required: q.Required, Min: q.Min, Max: q.Max, Choices: q.Choices,
		}
		if q.Kind == turnout.KindText || q.Kind == turnout.KindLongText {
			shown.MaxLength = q.Limit()
		}
		if q.ShowIf != nil {
			shown.ShowIf = &Condition{Question: q.ShowIf.Question, Values: q.ShowIf.Values}
		}
		out.Questions = append(out.Questions, shown)
	}
	return out
}

func asked(a turnout.Ask) turnout.Ask {
	if a == "" {
		return turnout.AskOptional
	}
	return a
}

func phase(p turnout.Phase) string {
	switch p {
	case turnout.PhaseUpcoming:
		return "upcoming"
	case turnout.PhaseOpen:
		return "open"
	case turnout.PhaseClosed:
		return "closed"
	}
	return "over"
}

func left(free int) *int {
	if free == turnout.Unlimited {
		return nil
	}
	return &free
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

package turnout

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// EventID is the event's Salesforce record id, 18 characters.
type EventID string

// Unlimited is the number of seats where there is no limit.
const Unlimited = -1

// MaxButton is the longest word on an event's button, in characters: it has to fit on a phone.
const MaxButton = 40

// Event is one published event as its pages and its registrations need it.
// It holds nothing personal.
type Event struct {
	ID   EventID `json:"id"`
	Slug string  `json:"slug"`
	// Version changes whenever anything below does. It is the ETag's root.
	Version string `json:"version"`
	Title   string `json:"title"`
	Summary string `json:"summary,omitempty"`
	// Body is HTML, cut down to a harmless set of elements by the mirror.
	Body string `json:"body,omitempty"`
	// Organizer is the name of whoever holds the event, for the page.
	Organizer string    `json:"organizer,omitempty"`
	Starts    time.Time `json:"starts"`
	// Ends is zero when nobody said.
	Ends time.Time `json:"ends,omitzero"`
	// Zone is the event's IANA zone.
	Zone     string `json:"zone"`
	Language string `json:"language,omitempty"`
	Venue    string `json:"venue,omitempty"`
	Address  string `json:"address,omitempty"`
	Online   bool   `json:"online,omitempty"`
	// JoinURL is shown to registrants only.
	JoinURL string `json:"join_url,omitempty"`
	// Button is what the button to register says, in the event's language; empty is the
	// page's own word. The waitlist's button has its own always.
	Button string `json:"button,omitempty"`
	// Accent is the page's colour, "#rrggbb", or empty.
	Accent string `json:"accent,omitempty"`
	// Image is where its picture is, an address of the organiser's. Pages show Picture,
	// which was made of it.
	Image   string  `json:"image,omitempty"`
	Picture Picture `json:"picture,omitzero"`
	// Private events are reachable but not listed.
	Private bool `json:"private,omitempty"`

	// Opens and Closes bound registration; zero Opens is always, zero Closes is
	// until the event starts.
	Opens  time.Time `json:"opens,omitzero"`
	Closes time.Time `json:"closes,omitzero"`
	// EditUntil and CancelUntil bound a registrant's own changes; zero is until
	// the event starts.
	EditUntil   time.Time `json:"edit_until,omitzero"`
	CancelUntil time.Time `json:"cancel_until,omitzero"`

	// Seats is the limit of the whole event, over all tickets, or Unlimited.
	Seats int `json:"seats"`
	// Waitlist offers a place in line when no seat is left.
	Waitlist  bool `json:"waitlist,omitempty"`
	MaxGuests int  `json:"max_guests,omitempty"`
	// OncePerPerson refuses a second registration under the same e-mail address.
	OncePerPerson bool `json:"once_per_person,omitempty"`
	// LockEmail keeps a personal link's e-mail address as it is, so that a
	// forwarded invite cannot be used for somebody else.
	LockEmail bool `json:"lock_email,omitempty"`

	// Tickets has at least one entry.
	Tickets []Ticket     `json:"tickets"`
	Agenda  []AgendaItem `json:"agenda,omitempty"`
	Form    Form         `json:"form"`
}

// Ticket is a kind of place at an event.
type Ticket struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	About string `json:"about,omitempty"`
	// Seats is its own limit, or Unlimited.
	Seats int `json:"seats"`
}

// AgendaItem is a part of an event with its own seats.
type AgendaItem struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	About  string    `json:"about,omitempty"`
	Room   string    `json:"room,omitempty"`
	Starts time.Time `json:"starts,omitzero"`
	Ends   time.Time `json:"ends,omitzero"`
	// Seats is its own limit, or Unlimited.
	Seats int `json:"seats"`
}

// Phase is where an event stands with regard to registration.
type Phase int

// The phases, in the order in which an event goes through them.
const (
	PhaseUpcoming Phase = iota // registration opens later
	PhaseOpen                  // registration is open
	PhaseClosed                // registration is over, the event is not
	PhaseOver                  // the event has ended
)

// Phase tells where the event stands at now.
func (e *Event) Phase(now time.Time) Phase {
	switch {
	case !now.Before(e.EndsOrStarts()):
		return PhaseOver
	case !e.Opens.IsZero() && now.Before(e.Opens):
		return PhaseUpcoming
	case !now.Before(e.closesAt()):
		return PhaseClosed
	}
	return PhaseOpen
}

// EndsOrStarts is when the event is over: its end, or its start where no end was given.
func (e *Event) EndsOrStarts() time.Time {
	if e.Ends.IsZero() {
		return e.Starts
	}
	return e.Ends
}

func (e *Event) closesAt() time.Time { return firstSet(e.Closes, e.Starts) }

// CanEdit reports whether a registrant may change their registration at now.
func (e *Event) CanEdit(now time.Time) bool { return now.Before(firstSet(e.EditUntil, e.Starts)) }

// CanCancel reports whether a registrant may cancel at now.
func (e *Event) CanCancel(now time.Time) bool { return now.Before(firstSet(e.CancelUntil, e.Starts)) }

// Location is the event's zone, UTC if it is not known here.
func (e *Event) Location() *time.Location {
	if loc, err := time.LoadLocation(e.Zone); err == nil && e.Zone != "" {
		return loc
	}
	return time.UTC
}

// Ticket returns the ticket with this id.
func (e *Event) Ticket(id string) (Ticket, bool) {
	for _, t := range e.Tickets {
		if t.ID == id {
			return t, true
		}
	}
	return Ticket{}, false
}

// AgendaItem returns the agenda item with this id.
func (e *Event) AgendaItem(id string) (AgendaItem, bool) {
	for _, a := range e.Agenda {
		if a.ID == id {
			return a, true
		}
	}
	return AgendaItem{}, false
}

// Validate checks what an organiser made, before it is published. The error
// is CodeInvalid and lists every fault.
func (e *Event) Validate() error {
	var faults []FieldError
	fault := func(field, format string, args ...any) {
		faults = append(faults, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	if e.ID == "" {
		fault("id", "the event has no record id")
	}
	if !ValidSlug(e.Slug) {
		fault("slug", "give the event a slug of 1 to 80 lower-case letters, digits and single hyphens")
	}
	if e.Title == "" {
		fault("title", "give the event a name")
	}
	if e.Starts.IsZero() {
		fault("starts", "say when the event starts")
	}
	if !e.Ends.IsZero() && e.Ends.Before(e.Starts) {
		fault("ends", "the event ends before it starts")
	}
	if _, err := time.LoadLocation(e.Zone); err != nil || e.Zone == "" {
		fault("zone", "give an IANA time zone such as Europe/Vienna")
	}
	if utf8.RuneCountInString(e.Button) > MaxButton {
		fault("button", "shorten what the button says to %d characters or fewer", MaxButton)
	}
	if len(e.Tickets) == 0 {
		fault("tickets", "an event needs at least one ticket")
	}
	e.validateParts(fault)
	e.Form.validate(fault)
	if len(faults) > 0 {
		return &Error{Code: CodeInvalid, Op: "check event", Fields: faults}
	}
	return nil
}

func (e *Event) validateParts(fault func(field, format string, args ...any)) {
	seen := map[string]bool{}
	part := func(field, id, name string, seats int) {
		if !validPartID(id) || seen[field+id] {
			fault(field, "every entry needs an id of its own, 1 to 64 letters, digits, hyphens or underscores")
		}
		if name == "" {
			fault(field, "every entry needs a name")
		}
		if seats < Unlimited {
			fault(field, "seats must be a whole number of 0 or more")
		}
		seen[field+id] = true
	}
	for _, t := range e.Tickets {
		part("tickets", t.ID, t.Name, t.Seats)
	}
	for _, a := range e.Agenda {
		part("agenda", a.ID, a.Name, a.Seats)
	}
	if e.Seats < Unlimited {
		fault("seats", "seats must be a whole number of 0 or more")
	}
	if e.MaxGuests < 0 || e.MaxGuests > MaxGuests {
		fault("max_guests", "allow 0 to %d guests", MaxGuests)
	}
}

// ValidSlug reports whether s can stand in a URL: 1 to 80 of a-z, 0-9 and
// single hyphens inside.
func ValidSlug(s string) bool {
	if len(s) < 1 || len(s) > 80 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || s[i-1] == '-') {
			return false
		}
	}
	return true
}

func validPartID(s string) bool {
	if len(s) < 1 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func firstSet(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

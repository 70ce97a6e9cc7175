package catalog

import (
	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/cut"
)

// Page is a page that is the same for everybody, ready to be written.
type Page struct {
	HTML []byte
	// Gzip is HTML compressed.
	Gzip []byte
	// ETag is quoted and strong; it changes with the bytes.
	ETag string
}

// Entry is one published event with everything that was made of it. It is
// never changed once it can be seen; a newer one takes its place.
type Entry struct {
	Org   *turnout.Org
	Event *turnout.Event
	// Seats is how the pools stood when the entry was made, about a second ago
	// at most. Only the store decides about a seat.
	Seats turnout.Seatings
	Page  Page
	// Form is the registration form with marks where personal values go.
	Form *cut.Template
	// Card is the event as the list shows it, in HTML.
	Card []byte

	// phase and free are what Page, Form and Card were drawn for: when either is
	// another by now, they are drawn again.
	phase turnout.Phase
	free  []int
}

// Renderer makes pages. It is called once per event version and again when
// the number of free seats changed, never on a visitor's request.
type Renderer interface {
	Event(org *turnout.Org, e *turnout.Event, seats turnout.Seatings) (Page, error)
	Form(org *turnout.Org, e *turnout.Event, seats turnout.Seatings) (*cut.Template, error)
	Card(org *turnout.Org, e *turnout.Event, seats turnout.Seatings) ([]byte, error)
	// List gets the org's public entries, by start, and joins their cards.
	List(org *turnout.Org, entries []*Entry) (Page, error)
}

package turnout

import "time"

// Ledger is what the store must know of an event to take seats without asking
// anybody: its limits and when it takes registrations. The mirror writes it
// when an event is published or updated.
type Ledger struct {
	Org   OrgID
	Event EventID
	// Open says whether the event is published.
	Open   bool
	Opens  time.Time // zero: always
	Closes time.Time // zero: never
	Ends   time.Time
	// Pools are the limits; pools that are missing are no longer counted.
	Pools []Claim
}

// LedgerOf is what the store keeps of e while it is published.
func LedgerOf(org OrgID, e *Event) Ledger {
	return Ledger{Org: org, Event: e.ID, Open: true, Opens: e.Opens, Closes: e.closesAt(), Ends: e.EndsOrStarts(), Pools: e.Pools()}
}

// Forgotten counts what forgetting a person reached.
type Forgotten struct {
	// Keys is the number of data keys destroyed, 1 or 0.
	Keys int `json:"keys"`
	// Registrations is how many were erased.
	Registrations int `json:"registrations"`
	// SeatsReturned is how many seats of their events they held, guests
	// included. A place in line is no seat.
	SeatsReturned int `json:"seats_returned" doc:"Seats of events that came free, guests included. A place in line is no seat."`
}

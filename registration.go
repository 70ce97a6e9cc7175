package turnout

import "time"

// Status is what a registrant holds.
type Status string

// The statuses.
//
//	                accept                    seats come back
//	(nothing) ───────────────► registered ◄────────────────── waitlisted
//	    │  └──── no seat, agrees to wait ──────────────────────► ▲ │
//	    │                         │ cancel                         │ cancel
//	    └── decline ► declined    └────────► cancelled ◄───────────┘
//
// Salesforce may cancel, and may register again what it cancelled.
const (
	StatusRegistered Status = "registered"
	StatusWaitlisted Status = "waitlisted"
	StatusCancelled  Status = "cancelled"
	// StatusDeclined answers an invite with "not coming". It holds no seat.
	StatusDeclined Status = "declined"
)

// Holds reports whether the status takes or wants seats.
func (s Status) Holds() bool { return s == StatusRegistered || s == StatusWaitlisted }

// State is where a registration stands, in DESIGN's words.
type State string

// The states. The first three are about the way to Salesforce, the last two
// about the place; a cancelled or waitlisted registration travels all the same.
const (
	StateAccepted   State = "accepted"   // durable here, on its way
	StateDelivered  State = "delivered"  // in Salesforce as it is here
	StateParked     State = "parked"     // refused for good; a person decides
	StateCancelled  State = "cancelled"  // by its registrant or by the organiser
	StateWaitlisted State = "waitlisted" // in line for a seat
)

// Attendance is what an organiser notes in Salesforce about a registrant.
// Salesforce alone decides it; empty means nothing was noted.
type Attendance string

// The attendances.
const (
	AttendanceApproved Attendance = "approved"
	AttendanceAttended Attendance = "attended"
	AttendanceAbsent   Attendance = "absent"
)

// Inside reports whether the organiser noted that they came. Nothing is changed by the
// registrant then: who was there is the organiser's to say.
func (r *Registration) Inside() bool { return r.Attendance == AttendanceAttended }

// Registration is one accepted submission, as the store holds it.
type Registration struct {
	Org   OrgID
	Event EventID
	Key   Key
	// Fingerprint tells a repeated submission from another one under the same key.
	Fingerprint Fingerprint
	Person      PersonID
	// Link is the AttendeeLink it came through, zero for none.
	Link   LinkID
	Status Status
	// Attendance comes from Salesforce.
	Attendance Attendance
	// Claims are the seats it holds or, on the waitlist, wants.
	Claims []Claim
	// Sealed is the Details under the person's data key; nil once shredded or forgotten.
	Sealed []byte
	// Superseded says that the same AttendeeLink was answered again later, by
	// another registration.
	Superseded bool
	// Revision counts its changes, from 1. Delivered is the last revision that
	// Salesforce has, 0 for none.
	Revision  int64
	Delivered int64
	// Told is the status that Salesforce has, as far as Turnout knows: the one
	// that was last delivered or taken over; empty for none. Only another one is
	// delivered, so that what an organiser decides meanwhile is not undone.
	Told Status
	// Record is its record id in Salesforce, empty before the first delivery.
	Record string
	// Attempts counts deliveries of this revision that failed.
	Attempts int
	// Due is when it may next be delivered; zero when there is nothing to deliver.
	Due time.Time
	// Parked is set while Salesforce refuses it.
	Parked *Parked
	// Dismissed is when a person decided that nothing is to be done while it is parked;
	// zero while somebody has to. It can be sent out again all the same.
	Dismissed time.Time
	// AcceptedAt is when it was first stored, ChangedAt when it last changed
	// other than by being delivered.
	AcceptedAt time.Time
	ChangedAt  time.Time
}

// Parked says why Salesforce refused a registration for good.
type Parked struct {
	// Code is Salesforce's status code, for example STRING_TOO_LONG.
	Code string
	// Sealed is Salesforce's own sentence under the person's data key, since it
	// may repeat what the person typed.
	Sealed []byte
	At     time.Time
}

// Fingerprint is a keyed hash of everything a submission says.
type Fingerprint [16]byte

// Seats is how many seats of the event it holds, guests included; 0 on the
// waitlist and for one that holds none any more.
func (r *Registration) Seats() int {
	if r.Status != StatusRegistered {
		return 0
	}
	seats := 0
	for _, c := range r.Claims {
		if c.Pool == PoolEvent {
			seats += c.Seats
		}
	}
	return seats
}

// State derives the registration's state.
func (r *Registration) State() State {
	switch {
	case r.Status == StatusCancelled || r.Status == StatusDeclined:
		return StateCancelled
	case r.Status == StatusWaitlisted:
		return StateWaitlisted
	case r.Parked != nil:
		return StateParked
	case r.Delivered == r.Revision:
		return StateDelivered
	}
	return StateAccepted
}

// Progress counts an event's registrations by how far they came. Who is
// neither in Salesforce nor parked nor dismissed is on the way.
type Progress struct {
	// Registered hold a place; Delivered are those of them that Salesforce has as
	// they are here, Parked those that it refused, Dismissed those of which somebody
	// decided that they stay so.
	Registered, Delivered, Parked, Dismissed int
	// Waitlisted wait in line, Cancelled held a place or waited for one, Declined said
	// that they are not coming.
	Waitlisted, Cancelled, Declined int
}

// Acceptance is what intake hands to the store: one submission, checked and
// sealed, to be taken with its seats in one atomic step or not at all.
type Acceptance struct {
	Org         OrgID
	Event       EventID
	Key         Key
	Fingerprint Fingerprint
	// DataKey is the person's; the store keeps it if the person is new.
	DataKey DataKey
	Link    LinkID
	// Status is StatusRegistered or StatusDeclined.
	Status Status
	Claims []Claim
	Sealed []byte
	// Waitlist accepts a place in line where seats are missing.
	Waitlist bool
	// OncePerPerson refuses a second registration of the same person.
	OncePerPerson bool
	At            time.Time
}

// Accepted is the store's answer to an acceptance.
type Accepted struct {
	Registration Registration
	// Repeat says that the key (or the link) had been accepted before:
	// Registration is that first one, and nothing was changed.
	Repeat bool
	// DataKey is set when the person already has another data key: nothing was
	// changed, seal under this one and hand in again.
	DataKey *DataKey
}

// Revision is a change of an existing registration, taken with its seats in
// one atomic step or not at all.
type Revision struct {
	Org OrgID
	Key Key
	// From is the revision it starts from; another one is CodeConflict.
	From int64
	// Status is the new status; it may stay the same.
	Status Status
	Claims []Claim
	// Sealed replaces the details; nil keeps them.
	Sealed []byte
	// Source says who wants it.
	Source Source
	// Attendance is taken over when Source is SourceSalesforce.
	Attendance Attendance
	At         time.Time
}

// Source says on which side a change was made.
type Source int

// The sources.
const (
	// SourceRegistrant changes are delivered to Salesforce.
	SourceRegistrant Source = iota
	// SourceSalesforce changes came from there, so there is nothing to deliver;
	// seats that are missing do not stop them.
	SourceSalesforce
	// SourceOperator dismisses a parked registration: it keeps what it says, and its
	// place where Status holds one, and there is nothing to deliver. Where it is cancelled
	// with it, Salesforce is told so once, since it may have it all the same; when that is
	// refused too, it is dismissed still. CodeNotFound where it is not parked.
	SourceOperator
)

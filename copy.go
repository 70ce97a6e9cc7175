package turnout

import "time"

// EventCopy is an event record as Salesforce has it.
type EventCopy struct {
	ID EventID
	// Event is nil when the record is not published.
	Event *Event
	// Fault says why a published record cannot be shown (CodeInvalid), nil otherwise.
	Fault error
	// Remarks are what an event that can be shown is shown without, in words for the organiser.
	Remarks []FieldError
	// Modified is the record's SystemModstamp, or the latest of it and its parts'.
	Modified time.Time
	// Note is what the record tells its organiser in Turnout's name; nil where it cannot.
	Note *string
}

// MaxEventNote is how long an event's note may be, in characters as Salesforce counts them.
const MaxEventNote = 1000

// LinkCopy is an invite record as Salesforce has it, cut down to the fields of P8.
type LinkCopy struct {
	Token string
	Event EventID
	// Revoked links are forgotten by the cache.
	Revoked  bool
	Invite   Invite
	Modified time.Time
}

// LinkPart is a part of the links that are being read.
type LinkPart struct {
	Links []LinkCopy
	// Place, unless it is empty, is where reading can go on once everything up to
	// and with Links is kept, in another process too. What it says is the source's
	// own business; it names nobody.
	Place string
	// Done of Total records were read up to here; Total is 0 while it is not known.
	Done, Total int
}

// RegistrationCopy is what an organiser may have changed on a registration in
// Salesforce. It names nobody.
type RegistrationCopy struct {
	Record string
	// Key is empty when the record was made in Salesforce by hand.
	Key   Key
	Event EventID
	// Revision is the one that was last delivered into the record, 0 if unknown.
	Revision   int64
	Status     Status
	Attendance Attendance
	Modified   time.Time
}

// Standing is what of a registration is compared with its copy. It names nobody.
type Standing struct {
	Key        Key
	Status     Status
	Attendance Attendance
	// Revision, Delivered, Record, Due and ChangedAt are the registration's.
	Revision, Delivered int64
	Record              string
	Due, ChangedAt      time.Time
	// Forgotten says that its person was.
	Forgotten bool
}

// Standing is what of r is compared with its copy.
func (r *Registration) Standing() Standing {
	return Standing{Key: r.Key, Status: r.Status, Attendance: r.Attendance, Revision: r.Revision, Delivered: r.Delivered,
		Record: r.Record, Due: r.Due, ChangedAt: r.ChangedAt, Forgotten: r.Person.IsZero()}
}

// HandCount is how many seats of a pool are taken by people whom the
// organiser added in Salesforce by hand.
type HandCount struct {
	Event EventID
	Pool  Pool
	Seats int
}

// Dispatch is one registration on its way to Salesforce, opened.
type Dispatch struct {
	Registration
	Details Details
}

// Receipt is Salesforce's answer about one registration of a call.
type Receipt struct {
	Key Key
	// Record is its record id, when Code is empty.
	Record string
	// Code is empty when it was written.
	Code Code
	// WholeCall says that the code is of the call which the record was part of,
	// so that nobody knows which of its records was at fault.
	WholeCall bool
	// Status and Message are Salesforce's own status code and sentence. The
	// sentence may repeat personal data: it is sealed before it rests and never logged.
	Status  string
	Message string
}

// Usage is an org's API usage over the last 24 hours, as Salesforce last told.
type Usage struct {
	Used  int64
	Limit int64
	At    time.Time
}

// UsageAge is how long a used-up share is believed: usage is only told by calls,
// so after that one is let through to hear anew. That is 1,440 calls a day at most,
// 1.3 % of the smallest Enterprise allocation (SALESFORCE.md, section 2).
const UsageAge = time.Minute

// Affords reports whether a share (0 to 1) of the org's daily API requests
// leaves room for a call at now.
func (u Usage) Affords(share float64, now time.Time) bool {
	return u.Limit <= 0 || float64(u.Used) < share*float64(u.Limit) || now.Sub(u.At) >= UsageAge
}

package turnout

import "time"

// Lane is the deliveries under one parent record: one event of one org.
// Salesforce locks the parent, so a lane has at most one call in flight (P4).
type Lane struct {
	ID    int64
	Org   OrgID
	Event EventID
}

// LaneStatus is what waits in a lane.
type LaneStatus struct {
	Lane
	// Waiting counts the due registrations, up to the number asked for; it is 0
	// where all of them wait for another try.
	Waiting int
	// Due is since when the longest waiting of those waits, zero where none does.
	Due time.Time
	// Oldest is the same of all, those included that wait for another try.
	Oldest time.Time
	// Leased says that some instance is delivering it.
	Leased bool
	// Resting says that the lane waits after a failed call.
	Resting bool
}

// Lease is the right to deliver a lane until it expires. Fence grows with
// every claim, so that a late holder is told apart.
type Lease struct {
	Lane
	Fence int64
	Until time.Time
}

// DueRegistration is one that is due, and what opens it.
type DueRegistration struct {
	Registration
	// Wrapped is its person's data key, nil for none.
	Wrapped []byte
}

// Outcome is what became of one registration of a batch.
type Outcome struct {
	Key Key
	// Revision is the one that was sent.
	Revision int64
	// Status is the one that was sent.
	Status Status
	// Result decides which of the fields below count.
	Result Result
	// Record is the Salesforce id, on ResultDone.
	Record string
	// RetryAt is when to try again, on ResultRetry.
	RetryAt time.Time
	// Blameless says that the retry is not counted as an attempt, since the
	// registration itself was not at fault.
	Blameless bool
	// Parked is why, on ResultParked.
	Parked *Parked
}

// Result is the kind of an outcome.
type Result string

// The results; their values are metric labels.
const (
	ResultDone   Result = "done"
	ResultRetry  Result = "retry"
	ResultParked Result = "parked"
)

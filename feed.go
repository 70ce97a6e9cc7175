package turnout

import "time"

// Change is an entry of the change feed: something every instance must see.
// Sequence numbers grow and are never used again.
type Change struct {
	Seq  int64
	Kind ChangeKind
	Org  OrgID
	// ID names the event, link or person that changed, as text; empty for the whole org.
	ID string
	At time.Time
}

// ChangeKind says what changed.
type ChangeKind string

// The kinds of change.
const (
	ChangeEvent  ChangeKind = "event"  // published, updated or unpublished
	ChangeLinks  ChangeKind = "links"  // links of an event, or one link by its LinkID
	ChangePerson ChangeKind = "person" // forgotten
	ChangeOrg    ChangeKind = "org"    // settings or keys
	// ChangeSessions ends the org's sessions that began before it.
	ChangeSessions ChangeKind = "sessions"
)

package mirror

import (
	"context"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// Source is one org's Salesforce.
type Source interface {
	EventSource
	LinkSource
	RegistrationSource
	// People returns the e-mail addresses that records name, by the ids as they were given.
	People(ctx context.Context, ids []string) (map[string][]string, error)
}

// EventSource reads event records.
type EventSource interface {
	// Events answers every id; unpublished and missing ones have a nil Event.
	Events(ctx context.Context, ids []turnout.EventID) ([]turnout.EventCopy, error)
	// EventsSince returns what changed at or after since, all for the zero time,
	// and where the next poll starts.
	EventsSince(ctx context.Context, since time.Time) ([]turnout.EventCopy, time.Time, error)
	// NoteEvents writes what events' records tell their organisers.
	NoteEvents(ctx context.Context, notes map[turnout.EventID]string) error
}

// LinkSource reads invite records.
type LinkSource interface {
	// LinksSince yields what changed at or after since in parts, from a place that
	// an earlier call with the same since told, or from the beginning if it is empty
	// or not there any more. The time is where the next poll starts; after an error,
	// where to start again.
	LinksSince(ctx context.Context, since time.Time, place string, yield func(turnout.LinkPart) error) (time.Time, error)
	// LinkRecords returns the links that record ids of links or people name.
	LinkRecords(ctx context.Context, ids []string) ([]turnout.LinkCopy, error)
}

// RegistrationSource reads registration records.
type RegistrationSource interface {
	// RegistrationsSince yields in lists what LinksSince yields in parts. It has no places.
	RegistrationsSince(ctx context.Context, since time.Time, yield func([]turnout.RegistrationCopy) error) (time.Time, error)
	Registrations(ctx context.Context, ids []string) ([]turnout.RegistrationCopy, error)
	// HandCounts counts the seats of people whom organisers added by hand.
	HandCounts(ctx context.Context, events []turnout.EventID) ([]turnout.HandCount, error)
}

// SealedEvent is a published event as the cache holds it: an alias of an
// unnamed type, so that caches need not be imported.
type SealedEvent = struct {
	ID       turnout.EventID
	Slug     string
	Sealed   []byte
	Modified time.Time
}

// EventCache holds published events.
type EventCache interface {
	PutEvent(ctx context.Context, org turnout.OrgID, id turnout.EventID, slug string, sealed []byte, modified time.Time) error
	DeleteEvent(ctx context.Context, org turnout.OrgID, id turnout.EventID) error
	Events(ctx context.Context, org turnout.OrgID) ([]SealedEvent, error)
	// NoteFetched notes when events were fetched, changed or not.
	NoteFetched(ctx context.Context, org turnout.OrgID, ids []turnout.EventID, at time.Time) error
}

// FaultCache holds, sealed, why published events cannot be shown.
type FaultCache interface {
	PutFault(ctx context.Context, org turnout.OrgID, id turnout.EventID, sealed []byte) error
	DeleteFault(ctx context.Context, org turnout.OrgID, id turnout.EventID) error
	Faults(ctx context.Context, org turnout.OrgID) (map[turnout.EventID][]byte, error)
}

// PictureCache holds events' pictures, sealed, in files whose names are made of their bytes.
type PictureCache interface {
	PutPicture(ctx context.Context, org turnout.OrgID, name string, sealed []byte, at time.Time) error
	Pictures(ctx context.Context, org turnout.OrgID) (map[string]time.Time, error)
	DeletePicture(ctx context.Context, org turnout.OrgID, name string) error
}

// LinkCache holds AttendeeLinks.
type LinkCache interface {
	// PutLinks leaves out links that are older than what is there.
	PutLinks(ctx context.Context, links []turnout.AttendeeLink) error
	// DeleteLinks removes links as of their Changed: no older copy brings one back.
	DeleteLinks(ctx context.Context, links []turnout.AttendeeLink) error
}

// Cursors rest in the cache.
type Cursors interface {
	Cursor(ctx context.Context, org turnout.OrgID, name string) (time.Time, error)
	// SetCursor moves a cursor from what was read of it; false where another
	// time is stored, as in a cache that was begun anew.
	SetCursor(ctx context.Context, org turnout.OrgID, name string, from, to time.Time) (bool, error)
	// Place returns what SetPlace left of that name, "" if nothing.
	Place(ctx context.Context, org turnout.OrgID, name string) (string, error)
	SetPlace(ctx context.Context, org turnout.OrgID, name, place string) error
}

// Ledgers is where the store keeps what it must know to take seats.
type Ledgers interface {
	SetLedger(ctx context.Context, l turnout.Ledger, now time.Time) error
	CloseLedger(ctx context.Context, org turnout.OrgID, event turnout.EventID, now time.Time) error
	SetOutside(ctx context.Context, org turnout.OrgID, counts []turnout.HandCount, events []turnout.EventID, now time.Time) error
}

// Registrations is where the store keeps them.
type Registrations interface {
	Registration(ctx context.Context, org turnout.OrgID, key turnout.Key) (turnout.Registration, error)
	// Standings tells how those stand that there are, in no promised order.
	Standings(ctx context.Context, org turnout.OrgID, keys []turnout.Key) ([]turnout.Standing, error)
	Revise(ctx context.Context, r turnout.Revision) (turnout.Registration, error)
	// Resend makes one due again that waits for nothing.
	Resend(ctx context.Context, org turnout.OrgID, key turnout.Key, now time.Time) error
}

// DataKeys is where the store keeps people's keys.
type DataKeys interface {
	// EnsureDataKeys keeps the keys of new people and answers the effective key
	// of each in order; Wrapped is nil for those who were forgotten.
	EnsureDataKeys(ctx context.Context, org turnout.OrgID, keys []turnout.DataKey) ([]turnout.DataKey, error)
}

// Feed is the change feed.
type Feed interface {
	AppendChanges(ctx context.Context, changes []turnout.Change) error
}

// Turns decides which process does for an org what only one may do at a time.
type Turns interface {
	// Turn gives owner the org's turn at something until now + ttl, or says that another
	// has it. With a ttl of 0 its owner gives it back.
	Turn(ctx context.Context, org turnout.OrgID, name, owner string, now time.Time, ttl time.Duration) (bool, error)
}

// What there are turns at.
const (
	turnPoll   = "poll"
	turnForget = "forget"
)

// Errands remember, through any crash, the records of people who are to be
// forgotten: the one kind of hint that no poll would find again.
type Errands interface {
	AddErrands(ctx context.Context, org turnout.OrgID, ids []string) error
	Errands(ctx context.Context, org turnout.OrgID) ([]string, error)
	DoneErrands(ctx context.Context, org turnout.OrgID, ids []string) error
}

// Orgs lists the orgs.
type Orgs interface {
	Orgs(ctx context.Context) ([]turnout.Org, error)
}

// Keyring opens org keys.
type Keyring interface {
	Ring(ctx context.Context, scope string) (*seal.Ring, error)
}

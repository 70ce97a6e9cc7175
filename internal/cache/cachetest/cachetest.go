// Package cachetest is the conformance suite of the cache: the mirror of
// Salesforce, which is published events and AttendeeLinks, sealed. Every
// engine passes it, so that one can take another's place.
//
// What it holds an engine to:
//
//   - Reads and writes are by id. A write that returned is seen by every later read.
//   - An older copy never replaces a newer one; one of the same age does. A
//     removed link comes back only with a copy that is newer than its removal.
//   - Orgs are apart: an id of one org means nothing in another.
//   - A cursor moves only from where its mover thinks it is, so that a cache that was
//     begun anew gets none of the old one's.
//   - Times are kept to the millisecond, the zero time as such. Sealed bytes come back as they were.
//   - Links are counted by event, and the counts are those of the links that can
//     be read. The time when an event was fetched goes with the event and never back.
//   - A process that is killed tears nothing: after reopening, each link is as some
//     PutLinks wrote it, and a cursor never claims more than the links hold. Whatever
//     a call that returned has written or removed, it has written or removed for good.
package cachetest

import (
	"context"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
)

// SealedEvent is a published event as the cache holds it: an alias of an
// unnamed type, the same one that every engine has.
type SealedEvent = struct {
	ID       turnout.EventID
	Slug     string
	Sealed   []byte
	Modified time.Time
}

// Cache is all that the suite asks of an engine. Consumers declare smaller ones.
type Cache interface {
	Events
	Links
	Cursors
	Faults
	Pictures
	Console
	Close() error
}

// Events are the published events.
type Events interface {
	PutEvent(ctx context.Context, org turnout.OrgID, id turnout.EventID, slug string, sealed []byte, modified time.Time) error
	DeleteEvent(ctx context.Context, org turnout.OrgID, id turnout.EventID) error
	Event(ctx context.Context, org turnout.OrgID, id turnout.EventID) (SealedEvent, error)
	Events(ctx context.Context, org turnout.OrgID) ([]SealedEvent, error)
}

// Links are the AttendeeLinks.
type Links interface {
	PutLinks(ctx context.Context, links []turnout.AttendeeLink) error
	Link(ctx context.Context, org turnout.OrgID, id turnout.LinkID) (turnout.AttendeeLink, error)
	// DeleteLinks removes links as of their Changed, and keeps that in mind.
	DeleteLinks(ctx context.Context, links []turnout.AttendeeLink) error
	DeletePerson(ctx context.Context, org turnout.OrgID, person turnout.PersonID) error
}

// Cursors say how far the mirror has read.
type Cursors interface {
	Cursor(ctx context.Context, org turnout.OrgID, name string) (time.Time, error)
	// SetCursor moves a cursor from what was read of it, and says whether it did.
	SetCursor(ctx context.Context, org turnout.OrgID, name string, from, to time.Time) (bool, error)
	// Place returns what SetPlace left of that name, "" if nothing.
	Place(ctx context.Context, org turnout.OrgID, name string) (string, error)
	SetPlace(ctx context.Context, org turnout.OrgID, name, place string) error
}

// Faults say why published events cannot be shown.
type Faults interface {
	PutFault(ctx context.Context, org turnout.OrgID, id turnout.EventID, sealed []byte) error
	DeleteFault(ctx context.Context, org turnout.OrgID, id turnout.EventID) error
	Faults(ctx context.Context, org turnout.OrgID) (map[turnout.EventID][]byte, error)
}

// Pictures are events', in files whose names are made of their bytes.
type Pictures interface {
	PutPicture(ctx context.Context, org turnout.OrgID, name string, sealed []byte, at time.Time) error
	Picture(ctx context.Context, org turnout.OrgID, name string) ([]byte, error)
	Pictures(ctx context.Context, org turnout.OrgID) (map[string]time.Time, error)
	DeletePicture(ctx context.Context, org turnout.OrgID, name string) error
}

// Console is what operators ask.
type Console interface {
	// NoteFetched notes when events were fetched, changed or not.
	NoteFetched(ctx context.Context, org turnout.OrgID, ids []turnout.EventID, at time.Time) error
	Fetched(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]time.Time, error)
	CountLinks(ctx context.Context, org turnout.OrgID) (int, error)
	// Invited counts the links of each event that has any.
	Invited(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]int, error)
}

// Open opens the cache at a place: a directory of the test's own, of which an
// engine that keeps no files takes the name. The same place has the same
// cache again, in another process too.
type Open func(t conformance.T, place string) Cache

// Run runs the suite against an engine that writes chunk links at once at most.
// It runs the suite in other processes too, to kill them (conformance.T.Again).
func Run(t conformance.T, open Open, chunk int) {
	if beChild(t, open) || liveAsChild(t, open) {
		return
	}
	for _, test := range []struct {
		name string
		run  func(conformance.T, Open)
	}{
		{"Events", testEvents},
		{"StaleEvents", testStaleEvents},
		{"Links", testLinks},
		{"ManyLinks", func(t conformance.T, open Open) { testManyLinks(t, open, chunk) }},
		{"StaleLinks", testStaleLinks},
		{"RemovedLinks", testRemovedLinks},
		{"ForgottenPerson", testForgottenPerson},
		{"OrgsAreApart", testOrgsAreApart},
		{"Cursors", testCursors},
		{"Places", testPlaces},
		{"Faults", testFaults},
		{"Pictures", testPictures},
		{"Fetched", testFetched},
		{"Invited", testInvited},
		{"Cancelled", testCancelled},
		{"Random", testRandom},
		{"Concurrent", testConcurrent},
		{"TwoOpen", testTwoOpen},
		{"Closed", testClosed},
		{"Killed", testKilled},
		{"KilledAfterEveryStep", testKilledAfterEveryStep},
	} {
		t.Run(test.name, func(t conformance.T) { test.run(t, open) })
	}
}

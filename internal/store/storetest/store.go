// Package storetest is what every engine of the store must do: one suite that
// runs against each of them, so that nobody above can tell them apart.
//
// It promises that an engine that passes takes seats right under any order of
// operations (P2, random operations against a model in memory), answers every
// repeat with the first registration (P1), hands lanes out to one holder at a
// time (P4), forgets (P8), and loses nothing acknowledged when its process is
// killed after any durable step. Kills within a step are in the engine's own
// tests, since only it knows where those are.
package storetest

import (
	"context"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
	"github.com/turnout-events/turnout/internal/seal"
)

// Store is all that an engine does for the rest of the program.
type Store interface {
	Ledgers
	Registrations
	Deliveries
	Lanes
	People
	Erasure
	Orgs
	seal.Shelf
	Feed
	Turns
	Errander
	Console
	Files
	Close() error
}

// Ledgers hold what an event has and has given away.
type Ledgers interface {
	SetLedger(ctx context.Context, l turnout.Ledger, now time.Time) error
	CloseLedger(ctx context.Context, org turnout.OrgID, event turnout.EventID, now time.Time) error
	SetOutside(ctx context.Context, org turnout.OrgID, counts []turnout.HandCount, events []turnout.EventID, now time.Time) error
	Seatings(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]turnout.Seatings, error)
}

// Registrations are taken, changed and read.
type Registrations interface {
	Accept(ctx context.Context, a turnout.Acceptance) (turnout.Accepted, error)
	Revise(ctx context.Context, v turnout.Revision) (turnout.Registration, error)
	Registration(ctx context.Context, org turnout.OrgID, key turnout.Key) (turnout.Registration, error)
	Standings(ctx context.Context, org turnout.OrgID, keys []turnout.Key) ([]turnout.Standing, error)
	LinkRegistration(ctx context.Context, org turnout.OrgID, link turnout.LinkID) (turnout.Registration, bool, error)
}

// Deliveries are what a lane's holder does.
type Deliveries interface {
	Take(ctx context.Context, lease turnout.Lease, max int, now time.Time) ([]turnout.DueRegistration, error)
	Settle(ctx context.Context, lease turnout.Lease, outcomes []turnout.Outcome, notBefore time.Time) error
	Parked(ctx context.Context, org turnout.OrgID, dismissed bool, limit int) ([]turnout.Registration, error)
	Unpark(ctx context.Context, org turnout.OrgID, key turnout.Key, now time.Time) (int, error)
	Resend(ctx context.Context, org turnout.OrgID, key turnout.Key, now time.Time) error
}

// Lanes are listed and leased.
type Lanes interface {
	Lanes(ctx context.Context, now time.Time, count int) ([]turnout.LaneStatus, error)
	Claim(ctx context.Context, lane turnout.Lane, owner string, now time.Time, ttl time.Duration) (turnout.Lease, bool, error)
	Renew(ctx context.Context, lease turnout.Lease, until time.Time) error
}

// People are known by their data keys.
type People interface {
	DataKey(ctx context.Context, org turnout.OrgID, person turnout.PersonID) (turnout.DataKey, error)
	EnsureDataKeys(ctx context.Context, org turnout.OrgID, keys []turnout.DataKey) ([]turnout.DataKey, error)
	DataKeysAfter(ctx context.Context, org turnout.OrgID, after turnout.PersonID, limit int) ([]turnout.DataKey, error)
	Rewrap(ctx context.Context, org turnout.OrgID, keys []turnout.Rewrapped) error
}

// Erasure destroys what must not be kept.
type Erasure interface {
	Forget(ctx context.Context, org turnout.OrgID, person turnout.PersonID, at time.Time) (turnout.Forgotten, error)
	Shred(ctx context.Context, org turnout.OrgID, before time.Time, limit int) (int, error)
}

// Orgs are set up once and changed seldom.
type Orgs interface {
	SetOrg(ctx context.Context, o turnout.Org, secrets []byte, now time.Time) error
	UpdateOrg(ctx context.Context, id turnout.OrgID, change func(turnout.Org) (turnout.Org, error), now time.Time) error
	Orgs(ctx context.Context) ([]turnout.Org, error)
	OrgSecrets(ctx context.Context, org turnout.OrgID) ([]byte, error)
}

// Feed tells instances what changed.
type Feed interface {
	AppendChanges(ctx context.Context, changes []turnout.Change) error
	Changes(ctx context.Context, after int64, limit int) ([]turnout.Change, error)
	LastChange(ctx context.Context) (int64, error)
	PruneChanges(ctx context.Context, before time.Time) error
}

// Turns keep work that one process does from being done by two.
type Turns interface {
	Turn(ctx context.Context, org turnout.OrgID, name, owner string, now time.Time, ttl time.Duration) (bool, error)
}

// Errander remembers what must be done through any crash.
type Errander interface {
	AddErrands(ctx context.Context, org turnout.OrgID, ids []string) error
	Errands(ctx context.Context, org turnout.OrgID) ([]string, error)
	DoneErrands(ctx context.Context, org turnout.OrgID, ids []string) error
}

// Console is what operators ask.
type Console interface {
	// Progress counts an org's registrations by event; events without any may be missing.
	Progress(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]turnout.Progress, error)
}

// Files are what edges share: certificates, their keys, challenges. They come sealed.
type Files interface {
	PutFile(ctx context.Context, name string, value []byte, now time.Time) error
	File(ctx context.Context, name string) (value []byte, modified time.Time, err error)
	DeleteFile(ctx context.Context, name string) error
	ChangeFile(ctx context.Context, name string, change func(old []byte, now time.Time) ([]byte, error)) error
	// Files lists those whose names begin with prefix, in order of their names.
	// What comes after a prefix never begins with U+10FFFF.
	Files(ctx context.Context, prefix string) ([]turnout.FileInfo, error)
}

// Run runs the suite. open opens the store that lives in dir; called again
// for the same dir, it gives another handle on the same store, as another
// process has. The suite closes what it opens.
//
// Some tests kill a process: the test that calls Run, alone, is run again in
// one, so it must do nothing before Run.
func Run(t conformance.T, open func(t conformance.T, dir string) Store) {
	if beChild(t, open) {
		return
	}
	for _, part := range []struct {
		name  string
		tests map[string]func(*env)
	}{
		{"Ledger", ledgerTests()},
		{"Accept", acceptTests()},
		{"Revise", reviseTests()},
		{"Waitlist", waitlistTests()},
		{"Lanes", laneTests()},
		{"People", peopleTests()},
		{"Orgs", orgTests()},
		{"Feed", feedTests()},
		{"Files", fileTests()},
		{"Random", randomTests()},
		{"Concurrent", concurrentTests()},
	} {
		t.Run(part.name, func(t conformance.T) {
			for name, test := range part.tests {
				t.Run(name, func(t conformance.T) { test(newEnv(t, open)) })
			}
		})
	}
	t.Run("Killed", func(t conformance.T) {
		for name, test := range killedTests(open) {
			t.Run(name, test)
		}
	})
}

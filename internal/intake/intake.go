// Package intake accepts registrations: durable, once, never oversold.
//
// It checks a submission against the event's form, seals what is personal
// under the person's data key and hands the store one acceptance, which takes
// the seats and inserts the registration in one atomic step. Only then does
// the visitor hear "you're registered" (P1, P2). Nothing here reaches
// Salesforce (P3); delivery finds what was accepted in the store.
//
// Every call may be repeated: the idempotency key was made with the form.
package intake

import (
	"context"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// Store takes registrations and their seats.
type Store interface {
	Accept(ctx context.Context, a turnout.Acceptance) (turnout.Accepted, error)
	Revise(ctx context.Context, v turnout.Revision) (turnout.Registration, error)
	Registration(ctx context.Context, org turnout.OrgID, key turnout.Key) (turnout.Registration, error)
	LinkRegistration(ctx context.Context, org turnout.OrgID, link turnout.LinkID) (turnout.Registration, bool, error)
}

// DataKeys reads people's wrapped keys.
type DataKeys interface {
	DataKey(ctx context.Context, org turnout.OrgID, person turnout.PersonID) (turnout.DataKey, error)
}

// Options of an intake. All but Now and Accepted are needed.
type Options struct {
	Store   Store
	Keys    DataKeys
	Keyring *seal.Keyring
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Changed is told of every registration that was accepted or changed and
	// now waits for delivery; nil means nobody. It must not block.
	Changed func(org turnout.OrgID, event turnout.EventID, fresh bool)
}

// Intake accepts, shows, edits and cancels registrations. Safe for concurrent use.
type Intake struct{ o Options }

// New makes an intake.
func New(o Options) *Intake {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Changed == nil {
		o.Changed = func(turnout.OrgID, turnout.EventID, bool) {}
	}
	return &Intake{o}
}

// kind names sealed registrations in their associated data.
const kind = "registration"

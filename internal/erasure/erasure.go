// Package erasure forgets people (P8): at once when asked, and by itself when
// the time to keep answers has passed.
//
// Forgetting destroys the person's data key, so that everything sealed with it
// (registrations, links, the delivery queue, every backup) can no longer be
// read by anybody, then removes what names the person's records, and leaves a
// keyed tombstone that keeps the mirror from bringing them back.
package erasure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// Store forgets and shreds, and sees to it that no file keeps what was destroyed.
type Store interface {
	Forget(ctx context.Context, org turnout.OrgID, person turnout.PersonID, at time.Time) (turnout.Forgotten, error)
	Shred(ctx context.Context, org turnout.OrgID, before time.Time, limit int) (int, error)
	PruneChanges(ctx context.Context, before time.Time) error
}

// Cache drops what it holds of a person.
type Cache interface {
	DeletePerson(ctx context.Context, org turnout.OrgID, person turnout.PersonID) error
}

// Sessions ends those of a person.
type Sessions interface {
	RevokePerson(ctx context.Context, org turnout.OrgID, person turnout.PersonID) error
}

// Orgs lists all orgs.
type Orgs interface {
	Orgs(ctx context.Context) ([]turnout.Org, error)
}

// Options of an erasure; the first four are needed.
type Options struct {
	Store   Store
	Cache   Cache
	Orgs    Orgs
	Keyring *seal.Keyring
	// Sessions may be nil, for none that know a person.
	Sessions Sessions
	Logger   *slog.Logger
	Now      func() time.Time
}

// Erasure forgets people. Safe for concurrent use.
type Erasure struct{ o Options }

// New makes an erasure.
func New(o Options) *Erasure {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Erasure{o}
}

// Receipt proves that a person was forgotten without saying who it was.
type Receipt struct {
	// ID is the start of the person's blind index: asking again for the same
	// address gives the same one, and nobody without the org's key can compute it.
	ID  string        `json:"id"`
	Org turnout.OrgID `json:"org"`
	At  time.Time     `json:"at"`
	turnout.Forgotten
}

// Forget erases a person by e-mail address, as far as Turnout knows of them;
// somebody unknown gives a receipt of zeros and a tombstone. It may be
// repeated, and must be when it fails: only a receipt without an error says that
// everything is reached.
//
// Any address with an @ is taken: Salesforce holds some that no form would
// take, and what can be cached can be forgotten (P8). Others are CodeInvalid.
func (e *Erasure) Forget(ctx context.Context, org turnout.OrgID, email string) (Receipt, error) {
	if !strings.Contains(turnout.FoldEmail(email), "@") {
		return Receipt{}, turnout.Errorf(turnout.CodeInvalid, "forget person", "give the whole e-mail address")
	}
	if err := e.known(ctx, org); err != nil {
		return Receipt{}, err
	}
	ring, err := e.o.Keyring.Ring(ctx, string(org))
	if err != nil {
		return Receipt{}, turnout.Wrap(turnout.CodeUnavailable, "forget person", err)
	}
	person := turnout.PersonID(ring.Index(turnout.FoldEmail(email)))
	r := Receipt{ID: person.String()[:12], Org: org, At: e.o.Now().UTC().Truncate(time.Second)}
	r.Forgotten, err = e.o.Store.Forget(ctx, org, person, e.o.Now())
	if err != nil {
		return Receipt{}, err
	}
	if err := e.o.Cache.DeletePerson(ctx, org, person); err != nil {
		return r, fmt.Errorf("forget person: drop links: %w", err)
	}
	if e.o.Sessions != nil {
		if err := e.o.Sessions.RevokePerson(ctx, org, person); err != nil {
			return r, fmt.Errorf("forget person: %w", err)
		}
	}
	e.o.Logger.Info("erasure: person forgotten", "org", org, "receipt", r.ID, "registrations", r.Registrations)
	return r, nil
}

// known keeps a mistyped org from getting keys, which nobody would ever rotate.
func (e *Erasure) known(ctx context.Context, org turnout.OrgID) error {
	orgs, err := e.o.Orgs.Orgs(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(orgs, func(o turnout.Org) bool { return o.ID == org }) {
		return turnout.Errorf(turnout.CodeNotFound, "forget person", "org %s is not set up", org)
	}
	return nil
}

// How often Run looks, and what it leaves.
const (
	retainEvery = 10 * time.Minute
	feedKept    = 15 * time.Minute
	shredBatch  = 500
)

// Run shreds answers whose time has passed and prunes the change feed, until
// ctx ends.
func (e *Erasure) Run(ctx context.Context) error {
	retain := time.NewTicker(retainEvery)
	defer retain.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-retain.C:
			if err := e.Retain(ctx); err != nil && ctx.Err() == nil {
				e.o.Logger.Error("erasure: retention", "error", err)
			}
		}
	}
}

// Retain shreds, once, every answer whose event ended longer ago than its org
// keeps answers.
func (e *Erasure) Retain(ctx context.Context) error {
	orgs, err := e.o.Orgs.Orgs(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, org := range orgs {
		before := e.o.Now().Add(-org.KeepAnswers())
		for {
			n, err := e.o.Store.Shred(ctx, org.ID, before, shredBatch)
			if err != nil {
				errs = append(errs, err)
				break
			}
			if n > 0 {
				e.o.Logger.Info("erasure: answers shredded", "org", org.ID, "registrations", n)
			}
			if n < shredBatch {
				break
			}
		}
	}
	errs = append(errs, e.o.Store.PruneChanges(ctx, e.o.Now().Add(-feedKept)))
	return errors.Join(errs...)
}

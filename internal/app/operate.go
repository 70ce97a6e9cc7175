package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/erasure"
	"github.com/turnout-events/turnout/internal/intake"
	"github.com/turnout-events/turnout/internal/salesforce/mapping"
	"github.com/turnout-events/turnout/internal/seal"
)

// Desk is what an operator's commands work with: they act on the store
// directly, so they work with every instance down as well as up.
type Desk struct {
	*Engines
	cache  deskCache
	Intake *intake.Intake
	// Erasure forgets people.
	Erasure  *erasure.Erasure
	sessions *sessions
}

// OpenDesk opens store, keys and cache of a store that is there; NothingSetUp
// where there is none.
func OpenDesk(ctx context.Context, cfg config.Config, log *slog.Logger) (*Desk, error) {
	e, err := OpenExisting(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	cache, err := e.openDeskCache(ctx, cfg, log)
	if err != nil {
		_ = e.Close()
		return nil, err
	}
	server, err := openSessionServer(ctx, cfg, log)
	if err != nil {
		return nil, errors.Join(err, cache.Close(), e.Close())
	}
	visitors := newSessions(e, server, nil, log)
	return &Desk{
		Engines: e, cache: cache, sessions: visitors,
		Intake:  intake.New(intake.Options{Store: e.Store, Keys: e.Store, Keyring: e.Keyring, Now: e.Store.Now}),
		Erasure: erasure.New(erasure.Options{Store: e.Store, Cache: cache, Orgs: e.Store, Keyring: e.Keyring, Sessions: visitors, Logger: log, Now: e.Store.Now}),
	}, nil
}

// Close closes everything.
func (d *Desk) Close() error {
	return errors.Join(d.sessions.Close(), d.cache.Close(), d.Engines.Close())
}

// EndSessions ends all sessions of an org's visitors.
func (d *Desk) EndSessions(ctx context.Context, org turnout.OrgID) error {
	return d.sessions.RevokeOrg(ctx, org)
}

// CacheKind says which cache it is, and why it is away if it is.
func (d *Desk) CacheKind() (string, error) {
	switch c := d.cache.(type) {
	case sweeping:
		return MongoDB, nil
	case awayCache:
		return MongoDB, c.err
	}
	return Embedded, nil
}

// Event reads a published event from the cache.
func (d *Desk) Event(ctx context.Context, org turnout.OrgID, id turnout.EventID) (*turnout.Event, error) {
	sealed, err := d.cache.Event(ctx, org, id)
	if err != nil {
		return nil, err
	}
	ring, err := d.Keyring.Ring(ctx, string(org))
	if err != nil {
		return nil, err
	}
	plain, err := ring.Open(sealed.Sealed, "event", string(id))
	if err != nil {
		return nil, turnout.Wrap(turnout.CodeInternal, "open event", err)
	}
	e := new(turnout.Event)
	if err := json.Unmarshal(plain, e); err != nil {
		return nil, turnout.Wrap(turnout.CodeInternal, "open event", err)
	}
	return e, nil
}

// Org finds an org's settings; CodeNotFound for one that is not set up.
func (d *Desk) Org(ctx context.Context, org turnout.OrgID) (turnout.Org, error) {
	return d.targets.settings(ctx, org)
}

// Retry sends parked registrations out again, all of an org's when key is empty.
func (d *Desk) Retry(ctx context.Context, org turnout.OrgID, key turnout.Key) (int, error) {
	return d.Store.Unpark(ctx, org, key, d.Store.Now())
}

// Dismiss notes that nothing is to be done about a parked registration; with cancel, it
// is cancelled.
func (d *Desk) Dismiss(ctx context.Context, org turnout.OrgID, key turnout.Key, cancel bool) error {
	return d.Intake.Dismiss(ctx, org, key, cancel)
}

// Amend changes what a registration says, as edit does to it, and sends it out again.
func (d *Desk) Amend(ctx context.Context, org turnout.OrgID, key turnout.Key, edit func(*turnout.Details)) error {
	r, err := d.Store.Registration(ctx, org, key)
	if err != nil {
		return err
	}
	details, err := d.Intake.Open(ctx, &r)
	if err != nil {
		return err
	}
	event, err := d.Event(ctx, org, r.Event)
	if err != nil {
		return err
	}
	edit(&details)
	_, err = d.Intake.Amend(ctx, org, event, key, details)
	return err
}

// RotateOrgKey gives an org a new key and wraps every data key by it, while
// instances run. It tells how many there were.
func (d *Desk) RotateOrgKey(ctx context.Context, org turnout.OrgID) (int, error) {
	if _, err := d.targets.settings(ctx, org); err != nil {
		return 0, err
	}
	ring, err := d.Keyring.Rotate(ctx, string(org))
	if err != nil {
		return 0, err
	}
	done, after := 0, turnout.PersonID{}
	for {
		keys, err := d.Store.DataKeysAfter(ctx, org, after, 1000)
		if err != nil || len(keys) == 0 {
			return done, err
		}
		after = keys[len(keys)-1].Person
		anew := make([]turnout.Rewrapped, len(keys))
		for i, k := range keys {
			anew[i].DataKey = k
			if anew[i].Anew, err = ring.Rewrap(seal.Subject(k.Person), k.Wrapped); err != nil {
				return done, fmt.Errorf("rewrap data keys of %s: %w", org, err)
			}
		}
		if err := d.Store.Rewrap(ctx, org, anew); err != nil {
			return done, err
		}
		done += len(keys)
	}
}

// RewrapOrgKeys wraps every org's keys, those of what edges share and the one
// that names this deployment, by the current master key.
func (d *Desk) RewrapOrgKeys(ctx context.Context) (int, error) {
	orgs, err := d.Store.Orgs(ctx)
	if err != nil {
		return 0, err
	}
	for _, o := range orgs {
		if err := d.Keyring.RewrapScope(ctx, string(o.ID)); err != nil {
			return 0, err
		}
	}
	for _, scope := range []string{edgeScope, cacheScope} {
		if err := d.Keyring.RewrapScope(ctx, scope); err != nil {
			return 0, err
		}
	}
	return len(orgs), nil
}

// CheckOrg compares one org's mapping with what its Salesforce has: what stops
// it from working, and what only limits it.
func (d *Desk) CheckOrg(ctx context.Context, o turnout.Org) (faults, warnings []string, err error) {
	client, m, err := d.targets.connect(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	if err := client.Probe(ctx); err != nil {
		return nil, nil, err
	}
	for _, f := range mapping.Check(ctx, client, m) {
		if f.Warning {
			warnings = append(warnings, f.String())
		} else {
			faults = append(faults, f.String())
		}
	}
	return faults, warnings, nil
}

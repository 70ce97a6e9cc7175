package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
	"github.com/turnout-events/turnout/internal/salesforce/mapping"
	"github.com/turnout-events/turnout/internal/salesforce/orgs"
	"github.com/turnout-events/turnout/internal/seal"
)

// orgStore keeps orgs and their sealed secrets.
type orgStore interface {
	Orgs(ctx context.Context) ([]turnout.Org, error)
	OrgSecrets(ctx context.Context, org turnout.OrgID) ([]byte, error)
	SetOrg(ctx context.Context, o turnout.Org, secrets []byte, now time.Time) error
}

// targets is every org's Salesforce, connected at first use.
type targets struct {
	store   orgStore
	keyring *seal.Keyring
	log     *slog.Logger
	observe func(org turnout.OrgID, operation string, code turnout.Code, took time.Duration)

	mu   sync.Mutex
	open map[turnout.OrgID]*connected
	// drops counts how often settings turned out to be old.
	drops int
}

// connected is an org with its Salesforce.
type connected struct {
	*orgs.Org
	settings turnout.Org
}

// secretsKind names an org's sealed secrets.
const secretsKind = "secrets"

// apply seals the secrets of orgs and stores them: all of them, or none where
// one is at fault.
func (t *targets) apply(ctx context.Context, list []turnout.Org, now time.Time) error {
	if err := t.check(ctx, list); err != nil {
		return err
	}
	for _, o := range list {
		ring, err := t.keyring.Ring(ctx, string(o.ID))
		if err != nil {
			return err
		}
		plain, err := json.Marshal(o.Secrets)
		if err != nil {
			return fmt.Errorf("org %s: seal secrets: %w", o.ID, err)
		}
		if err := t.store.SetOrg(ctx, o, ring.Seal(plain, secretsKind, ""), now); err != nil {
			return err
		}
	}
	return nil
}

// check reports every mapping that cannot be read, every host that another org has
// already, and every stack that a migration decides.
func (t *targets) check(ctx context.Context, list []turnout.Org) error {
	stored, err := t.store.Orgs(ctx)
	if err != nil {
		return err
	}
	owner := map[string]turnout.OrgID{}
	for _, o := range stored {
		if !slices.ContainsFunc(list, func(n turnout.Org) bool { return n.ID == o.ID }) {
			owner[string(o.ID)+".localhost"] = o.ID
			for _, host := range o.Hosts {
				owner[host] = o.ID
			}
		}
	}
	var faults []error
	for _, o := range list {
		if _, err := mapping.Load(o.Mapping); err != nil {
			faults = append(faults, fmt.Errorf("org %s: %w", o.ID, err))
		}
		if i := slices.IndexFunc(stored, func(before turnout.Org) bool { return before.ID == o.ID }); i >= 0 {
			_, err := o.Replaces(stored[i])
			faults = append(faults, err)
		}
		for _, host := range append([]string{string(o.ID) + ".localhost"}, o.Hosts...) {
			if other, ok := owner[host]; ok {
				faults = append(faults, fmt.Errorf("org %s: host %s belongs to %s already", o.ID, host, other))
			}
		}
	}
	return errors.Join(faults...)
}

// secrets opens an org's secrets. Those sealed under an org key that is newer
// than the ones in memory make the keyring read them again.
func (t *targets) secrets(ctx context.Context, org turnout.OrgID) (turnout.Secrets, error) {
	s, err := t.openSecrets(ctx, org)
	if errors.Is(err, seal.ErrSealed) {
		t.keyring.Drop(string(org))
		s, err = t.openSecrets(ctx, org)
	}
	return s, err
}

func (t *targets) openSecrets(ctx context.Context, org turnout.OrgID) (turnout.Secrets, error) {
	var s turnout.Secrets
	sealed, err := t.store.OrgSecrets(ctx, org)
	if err != nil {
		return s, err
	}
	ring, err := t.keyring.Ring(ctx, string(org))
	if err != nil {
		return s, err
	}
	plain, err := ring.Open(sealed, secretsKind, "")
	if err == nil {
		err = json.Unmarshal(plain, &s)
	}
	return s, turnout.Wrap(turnout.CodeInternal, "open org secrets", err)
}

// Secrets are the org's hook secrets; two are valid while one is being replaced.
func (t *targets) Secrets(ctx context.Context, org turnout.OrgID) ([]string, error) {
	s, err := t.secrets(ctx, org)
	return s.HookSecrets, err
}

// org is an org's Salesforce. Connecting holds nobody else up: what two callers
// make at once, the first one's is kept. What is made of settings that change
// meanwhile is made again.
func (t *targets) org(ctx context.Context, id turnout.OrgID) (*connected, error) {
	for {
		t.mu.Lock()
		o, ok := t.open[id]
		drops := t.drops
		t.mu.Unlock()
		if ok {
			return o, nil
		}
		o, err := t.made(ctx, id)
		if err != nil || t.keep(id, o, drops) {
			return o, err
		}
	}
}

// made is a connection by an org's settings as they are.
func (t *targets) made(ctx context.Context, id turnout.OrgID) (*connected, error) {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	settings, err := t.settings(ctx, id)
	if err != nil {
		return nil, err
	}
	client, m, err := t.connect(ctx, settings)
	if err != nil {
		return nil, err
	}
	return &connected{Org: orgs.New(orgs.Options{Org: settings, Mapping: m, Client: client}), settings: settings}, nil
}

// keep keeps a connection, unless there is one by now, or some were dropped since.
func (t *targets) keep(id turnout.OrgID, o *connected, drops int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.open[id]; ok || t.drops != drops {
		return false
	}
	t.open[id] = o
	return true
}

// connectPatience bounds reading an org's settings and keys, which may ask a KMS.
const connectPatience = 20 * time.Second

func (t *targets) settings(ctx context.Context, id turnout.OrgID) (turnout.Org, error) {
	all, err := t.store.Orgs(ctx)
	if err != nil {
		return turnout.Org{}, err
	}
	for _, o := range all {
		if o.ID == id {
			return o, nil
		}
	}
	return turnout.Org{}, turnout.Errorf(turnout.CodeNotFound, "find org", "org %s is not set up; use turnout org apply", id)
}

// connect makes a client for an org. It does no I/O towards Salesforce.
func (t *targets) connect(ctx context.Context, o turnout.Org) (*salesforce.Client, *mapping.Mapping, error) {
	m, err := mapping.Load(o.Mapping)
	if err != nil {
		return nil, nil, turnout.Wrap(turnout.CodeMisconfigured, "read mapping", err)
	}
	secrets, err := t.secrets(ctx, o.ID)
	if err != nil {
		return nil, nil, err
	}
	return salesforce.New(salesforce.Options{
		Connection: o.Salesforce, Secrets: secrets, Logger: t.log.With("org", o.ID),
		Observe: func(operation string, code turnout.Code, took time.Duration) { t.observe(o.ID, operation, code, took) },
	}), m, nil
}

// drop forgets an org's connection, so that changed settings are used; all of
// them for the empty id.
func (t *targets) drop(id turnout.OrgID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drops++
	if id == "" {
		clear(t.open)
		return
	}
	delete(t.open, id)
}

// usage is the API usage of every org that was called, as last told.
func (t *targets) usage() map[turnout.OrgID]turnout.Usage {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[turnout.OrgID]turnout.Usage, len(t.open))
	for id, o := range t.open {
		out[id] = o.Usage()
	}
	return out
}

// defaultShare leaves an org a fifth of its API requests for everything else it does.
const defaultShare = 0.8

// share is the part of its daily API requests that an org lends Turnout.
func (t *targets) share(id turnout.OrgID) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o, ok := t.open[id]; ok && o.settings.APIShare > 0 {
		return o.settings.APIShare
	}
	return defaultShare
}

// affords reports whether the org's share leaves room for another call at now.
func (t *targets) affords(id turnout.OrgID, now time.Time) bool {
	t.mu.Lock()
	o, ok := t.open[id]
	t.mu.Unlock()
	if !ok {
		return true
	}
	return o.Usage().Affords(t.share(id), now)
}

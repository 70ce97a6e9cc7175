package seal

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/turnout-events/turnout"
)

// StoredKey is an org key as it rests: wrapped by the master key.
type StoredKey struct {
	Scope string
	// Purpose is "wrap", "index" or "mac".
	Purpose string
	// Version counts from 1. Only the purpose "wrap" has more than one.
	Version uint32
	Wrapped []byte
}

// The purposes of org keys.
const (
	purposeWrap  = "wrap"
	purposeIndex = "index"
	purposeMAC   = "mac"
)

// Shelf is where wrapped org keys rest.
type Shelf interface {
	// OrgKeys returns the scope's keys, none for a new scope.
	OrgKeys(ctx context.Context, scope string) ([]StoredKey, error)
	// AddOrgKeys adds keys that are not there yet; of two callers one wins, and
	// what rests afterwards is returned.
	AddOrgKeys(ctx context.Context, keys []StoredKey) ([]StoredKey, error)
	// ReplaceOrgKeys replaces the wrapped form of keys that are there.
	ReplaceOrgKeys(ctx context.Context, keys []StoredKey) error
}

// Keyring opens the keys of every scope, and keeps them in memory.
type Keyring struct {
	shelf Shelf
	// load reads the master key, again whenever a key does not unwrap.
	load func() (Master, error)

	mu      sync.Mutex
	rings   map[string]*Ring
	dropped map[string]*Ring    // what holds while the master key is away
	reads   map[string]*reading // under way

	masterMu sync.Mutex
	master   Master
}

// NewKeyring makes a keyring over shelf. load gives the master key; it is
// called at first use and again when a stored key does not unwrap, so that a
// rotated master key is picked up without a restart.
func NewKeyring(shelf Shelf, load func() (Master, error)) *Keyring {
	return &Keyring{shelf: shelf, load: load, rings: map[string]*Ring{}, dropped: map[string]*Ring{}, reads: map[string]*reading{}}
}

// reading is one reading of a scope's keys, for all who wait for it.
type reading struct {
	done chan struct{}
	ring *Ring
	err  error
	// stale says why ring is the dropped one, or is nil.
	stale error
}

// Ring returns the scope's keys, making them for a new scope. While a KMS that
// holds the master key is away, keys that were in memory go on, dropped or not,
// and a scope whose keys must wait for it keeps no other waiting.
func (k *Keyring) Ring(ctx context.Context, scope string) (*Ring, error) {
	k.mu.Lock()
	ring := k.rings[scope]
	k.mu.Unlock()
	if ring != nil {
		return ring, nil
	}
	r, err := k.read(ctx, scope)
	if err != nil {
		return nil, err
	}
	return r.ring, nil
}

// reread is Ring for who needs what rests now and not what was in memory.
func (k *Keyring) reread(ctx context.Context, scope string) (*Ring, error) {
	k.Drop(scope)
	r, err := k.read(ctx, scope)
	if err != nil {
		return nil, err
	}
	return r.ring, r.stale
}

func (k *Keyring) read(ctx context.Context, scope string) (*reading, error) {
	k.mu.Lock()
	if r, ok := k.rings[scope]; ok {
		k.mu.Unlock()
		return &reading{ring: r}, nil
	}
	r, ok := k.reads[scope]
	if !ok {
		r = &reading{done: make(chan struct{})}
		k.reads[scope] = r
		// It goes on for those who come later when the first one leaves.
		go k.finish(context.WithoutCancel(ctx), scope, r)
	}
	k.mu.Unlock()
	select {
	case <-r.done:
		return r, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("open org keys of %s: %w", scope, ctx.Err())
	}
}

func (k *Keyring) finish(ctx context.Context, scope string, r *reading) {
	ring, err := k.stored(ctx, scope)
	k.mu.Lock()
	defer k.mu.Unlock()
	defer close(r.done)
	r.ring, r.err = ring, err
	if k.reads[scope] != r {
		return // dropped meanwhile: what was read may be old already
	}
	delete(k.reads, scope)
	if old := k.dropped[scope]; old != nil && turnout.CodeOf(err) == turnout.CodeUnavailable {
		r.ring, r.err, r.stale = old, nil, err
	}
	if r.err == nil {
		k.rings[scope] = r.ring
		delete(k.dropped, scope)
	}
}

func (k *Keyring) stored(ctx context.Context, scope string) (*Ring, error) {
	stored, err := k.shelf.OrgKeys(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("read org keys of %s: %w", scope, err)
	}
	if len(stored) == 0 {
		if stored, err = k.create(ctx, scope); err != nil {
			return nil, err
		}
	}
	return k.openRing(ctx, scope, stored)
}

// DataKey unwraps a person's key. One that was wrapped by an org key newer
// than those in memory makes the keyring read them again, so that an instance
// that has not heard of a rotation yet goes on.
func (k *Keyring) DataKey(ctx context.Context, scope string, subject Subject, wrapped []byte) (*DataKey, error) {
	r, err := k.Ring(ctx, scope)
	if err != nil {
		return nil, err
	}
	key, err := r.DataKey(subject, wrapped)
	if !errors.Is(err, errVersion) {
		return key, err
	}
	if r, err = k.reread(ctx, scope); err != nil {
		return nil, err
	}
	return r.DataKey(subject, wrapped)
}

// Drop makes the next Ring of a scope read its keys again; the empty scope
// means all.
func (k *Keyring) Drop(scope string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if scope == "" {
		maps.Copy(k.dropped, k.rings)
		clear(k.rings)
		clear(k.reads)
		return
	}
	if r, ok := k.rings[scope]; ok {
		k.dropped[scope] = r
	}
	delete(k.rings, scope)
	delete(k.reads, scope)
}

// Rotate adds a new org key, by which data keys are wrapped from now on. The
// older ones still open; rewrap data keys with Ring.Rewrap.
func (k *Keyring) Rotate(ctx context.Context, scope string) (*Ring, error) {
	r, err := k.Ring(ctx, scope)
	if err != nil {
		return nil, err
	}
	key, err := k.wrap(ctx, StoredKey{Scope: scope, Purpose: purposeWrap, Version: r.current + 1}, newKey())
	if err != nil {
		return nil, err
	}
	if _, err := k.shelf.AddOrgKeys(ctx, []StoredKey{key}); err != nil {
		return nil, fmt.Errorf("rotate org key of %s: %w", scope, err)
	}
	return k.reread(ctx, scope)
}

// RewrapScope wraps the scope's stored keys by the current master key.
func (k *Keyring) RewrapScope(ctx context.Context, scope string) error {
	if _, err := k.loaded(true); err != nil {
		return err
	}
	stored, err := k.shelf.OrgKeys(ctx, scope)
	if err != nil {
		return fmt.Errorf("rewrap org keys of %s: %w", scope, err)
	}
	if len(stored) == 0 {
		return nil
	}
	for i, s := range stored {
		key, err := k.unwrap(ctx, s)
		if err != nil {
			return err
		}
		if stored[i], err = k.wrap(ctx, s, key); err != nil {
			return err
		}
	}
	return k.shelf.ReplaceOrgKeys(ctx, stored)
}

func (k *Keyring) create(ctx context.Context, scope string) ([]StoredKey, error) {
	var keys []StoredKey
	for _, purpose := range []string{purposeWrap, purposeIndex, purposeMAC} {
		s, err := k.wrap(ctx, StoredKey{Scope: scope, Purpose: purpose, Version: 1}, newKey())
		if err != nil {
			return nil, err
		}
		keys = append(keys, s)
	}
	stored, err := k.shelf.AddOrgKeys(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("make org keys of %s: %w", scope, err)
	}
	return stored, nil
}

func (k *Keyring) openRing(ctx context.Context, scope string, stored []StoredKey) (*Ring, error) {
	r := &Ring{scope: scope, wrapping: map[uint32]cipher.AEAD{}}
	for _, s := range stored {
		key, err := k.unwrap(ctx, s)
		if err != nil {
			return nil, err
		}
		switch s.Purpose {
		case purposeIndex:
			r.index = newHasher(key)
		case purposeMAC:
			r.mac = newHasher(key)
		case purposeWrap:
			if r.wrapping[s.Version], err = newAEAD(key); err != nil {
				return nil, err
			}
			r.current = max(r.current, s.Version)
		}
	}
	if r.index == nil || r.mac == nil || r.current == 0 {
		return nil, fmt.Errorf("open org keys of %s: some are missing; restore the store's keys", scope)
	}
	return r, nil
}

func (k *Keyring) wrap(ctx context.Context, s StoredKey, key []byte) (StoredKey, error) {
	m, err := k.loaded(false)
	if err != nil {
		return s, err
	}
	s.Wrapped, err = m.Wrap(ctx, key, s.associated())
	if err != nil {
		return s, fmt.Errorf("wrap org key of %s: %w", s.Scope, err)
	}
	return s, nil
}

func (k *Keyring) unwrap(ctx context.Context, s StoredKey) ([]byte, error) {
	for _, again := range []bool{false, true} {
		m, err := k.loaded(again)
		if err != nil {
			return nil, err
		}
		key, err := m.Unwrap(ctx, s.Wrapped, s.associated())
		if err == nil {
			return key, nil
		}
		if again || !errors.Is(err, ErrSealed) {
			return nil, fmt.Errorf("unwrap org key of %s: %w", s.Scope, err)
		}
	}
	return nil, ErrSealed
}

// Fingerprint unwraps a stored key and answers with what tells it from other
// keys, and from which nobody learns it. Its error says which master key is
// needed. It needs no shelf.
func (k *Keyring) Fingerprint(ctx context.Context, s StoredKey) ([]byte, error) {
	key, err := k.unwrap(ctx, s)
	if err != nil {
		return nil, err
	}
	return newHasher(key).sum("fingerprint", s.Scope, s.Purpose), nil
}

func (k *Keyring) loaded(again bool) (Master, error) {
	k.masterMu.Lock()
	defer k.masterMu.Unlock()
	if k.master == nil || again {
		m, err := k.load()
		if err != nil {
			return nil, err
		}
		k.master = m
	}
	return k.master, nil
}

func (s StoredKey) associated() []byte {
	return associated(s.Scope, "org-key", s.Purpose, fmt.Sprint(s.Version))
}

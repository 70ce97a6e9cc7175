// Package sessiontest is what every engine of sessions must do: one suite that
// runs against each of them.
//
// It promises that an engine that passes crosses no session (P6): not to another
// org, host, stack or deployment, not changed, cut, moved, over, or ended, whoever
// brings it and however often.
package sessiontest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/session"
)

// Engine is what an engine does for the rest of the program.
type Engine interface {
	// Open is the session that a cookie's value stands for.
	Open(ctx context.Context, b session.Binding, value string) (session.Session, bool)
	// Seal is a session as a cookie's value.
	Seal(ctx context.Context, b session.Binding, s session.Session) (string, error)
	End(ctx context.Context, b session.Binding, s session.Session) error
	RevokePerson(ctx context.Context, org turnout.OrgID, person turnout.PersonID) error
	RevokeOrg(ctx context.Context, org turnout.OrgID) error
	Heard(org turnout.OrgID, person turnout.PersonID, at time.Time)
}

// Instance is what an engine under test is made of. Those of one test that have
// the same keyring are instances of one deployment.
type Instance struct {
	Keyring *seal.Keyring
	Now     func() time.Time
}

// Made is an engine.
type Made struct {
	Engine
	// Settle waits until what was begun in the background is done; nil for nothing.
	Settle func()
	// Shared says that what one instance ends is over on all, copies of a cookie too.
	Shared bool
}

// Run runs the suite. What begin makes in one test shares whatever the engine
// shares.
func Run(t conformance.T, begin func(t conformance.T) func(Instance) Made) {
	for name, test := range map[string]func(*env){
		"ComesBack":            (*env).comesBack,
		"P6NeverCrosses":       (*env).neverCrosses,
		"P6OtherKeys":          (*env).otherKeys,
		"P6Forged":             (*env).forged,
		"Over":                 (*env).over,
		"ClocksApart":          (*env).clocksApart,
		"P6PersonRevoked":      (*env).personRevoked,
		"P6OrgRevoked":         (*env).orgRevoked,
		"P6RevokedElsewhere":   (*env).revokedElsewhere,
		"P6Ended":              (*env).ended,
		"KeysRotated":          (*env).keysRotated,
		"P6OfTheSamePerson":    (*env).samePerson,
		"P6HeardOfARevocation": (*env).heard,
	} {
		t.Run(name, func(t conformance.T) { test(&env{T: t, make: begin(t), clock: time.Now().Truncate(time.Second)}) })
	}
}

// env is one test's.
type env struct {
	conformance.T
	make  func(Instance) Made
	mu    sync.Mutex
	clock time.Time
}

func (e *env) now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.clock
}

func (e *env) pass(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clock = e.clock.Add(d)
}

// instance makes an engine; ahead is how its clock differs.
func (e *env) instance(k *seal.Keyring, ahead time.Duration) Made {
	m := e.make(Instance{Keyring: k, Now: func() time.Time { return e.now().Add(ahead) }})
	if m.Settle == nil {
		m.Settle = func() {}
	}
	return m
}

// keyring is a deployment's.
func (e *env) keyring() *seal.Keyring {
	master, err := seal.ParseMaster(seal.NewMasterLine())
	if err != nil {
		e.Fatal(err)
	}
	return seal.NewKeyring(NewShelf(), func() (seal.Master, error) { return master, nil })
}

var (
	home = session.Binding{Org: "acme", Host: "events.acme.example", Stack: "blue"}
	ada  = turnout.PersonID{0xad, 0xa0}
	bob  = turnout.PersonID{0xb0, 0xb0}
)

func begun(person turnout.PersonID, now time.Time) session.Session {
	return session.Begin(person, now).With(session.Link{Event: "a0B000000000001AAA", Token: "token-of-a-link"})
}

// cookie is a session's, which its browser sent back once.
func (e *env) cookie(m Made, b session.Binding, s session.Session) string {
	e.Helper()
	value, err := m.Seal(e.Context(), b, s)
	if err != nil {
		e.Fatal(err)
	}
	e.opens(m, b, value)
	m.Settle()
	return value
}

func (e *env) opens(m Made, b session.Binding, value string) session.Session {
	e.Helper()
	s, ok := m.Open(e.Context(), b, value)
	if !ok {
		e.Fatalf("a session of %v is none", b)
	}
	m.Settle()
	return s
}

func (e *env) isNone(m Made, b session.Binding, value, why string) {
	e.Helper()
	for range 2 {
		if s, ok := m.Open(e.Context(), b, value); ok {
			e.Errorf("P6: %s: it opens, to %+v", why, s)
		}
		m.Settle()
	}
}

// NewShelf is where a keyring of a test keeps its org keys.
func NewShelf() seal.Shelf { return &shelf{} }

// shelf keeps org keys as the store does.
type shelf struct {
	mu   sync.Mutex
	keys []seal.StoredKey
}

func (s *shelf) OrgKeys(_ context.Context, scope string) ([]seal.StoredKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(scope), nil
}

func (s *shelf) of(scope string) []seal.StoredKey {
	return slices.DeleteFunc(slices.Clone(s.keys), func(k seal.StoredKey) bool { return k.Scope != scope })
}

func (s *shelf) AddOrgKeys(_ context.Context, keys []seal.StoredKey) ([]seal.StoredKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		there := func(o seal.StoredKey) bool {
			return o.Scope == k.Scope && o.Purpose == k.Purpose && o.Version == k.Version
		}
		if !slices.ContainsFunc(s.keys, there) {
			s.keys = append(s.keys, k)
		}
	}
	return s.of(keys[0].Scope), nil
}

func (s *shelf) ReplaceOrgKeys(context.Context, []seal.StoredKey) error { return nil }

// Package cookie keeps sessions in sealed cookies: nothing is shared between
// instances but the org's key, and nothing is lost when one of them dies.
//
// It promises that a session opens for the org, host and stack that it was sealed
// for and nowhere else (P6). What it cannot do by itself is to end a session that
// somebody kept a copy of: marks end those of a person or of an org, as far as
// this process was told.
package cookie

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/session"
)

// Keyring opens an org's keys.
type Keyring interface {
	Ring(ctx context.Context, scope string) (*seal.Ring, error)
}

// Options of an Engine. Keyring is needed.
type Options struct {
	Keyring Keyring
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Engine keeps sessions in cookies. Safe for concurrent use.
type Engine struct {
	o     Options
	marks session.Marks
}

// New makes an engine.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Engine{o: o}
}

// kind is what a sealed cookie is.
const kind = "session cookie"

// longest is the length of a cookie that holds the most links of the longest
// tokens, in characters, and some more: others are not looked at.
const longest = 1600

// A cookie has one spelling.
var text = base64.RawURLEncoding.Strict()

// Open is the session that a cookie's value stands for. One that is forged,
// foreign, cut, over, ended or from the future is none, and so is any while the
// org's keys cannot be had.
func (e *Engine) Open(ctx context.Context, b session.Binding, value string) (session.Session, bool) {
	if value == "" || len(value) > longest {
		return session.Session{}, false
	}
	sealed, err := text.DecodeString(value)
	if err != nil {
		return session.Session{}, false
	}
	ring, err := e.o.Keyring.Ring(ctx, string(b.Org))
	if err != nil {
		return session.Session{}, false
	}
	plain, err := ring.Open(sealed, kind, b.Name())
	if err != nil {
		return session.Session{}, false
	}
	s, ok := session.Decode(plain)
	return s, ok && s.Live(e.o.Now()) && !e.marks.End(b.Org, s)
}

// Seal is a session as a cookie's value.
func (e *Engine) Seal(ctx context.Context, b session.Binding, s session.Session) (string, error) {
	ring, err := e.o.Keyring.Ring(ctx, string(b.Org))
	if err != nil {
		return "", turnout.Wrap(turnout.CodeUnavailable, "seal session", err)
	}
	return text.EncodeToString(ring.Seal(s.Encode(), kind, b.Name())), nil
}

// End ends a session. There is nothing to end but the cookie, which the caller
// takes back.
func (e *Engine) End(context.Context, session.Binding, session.Session) error { return nil }

// RevokePerson ends a person's sessions in this process.
func (e *Engine) RevokePerson(_ context.Context, org turnout.OrgID, person turnout.PersonID) error {
	e.Heard(org, person, e.o.Now())
	return nil
}

// RevokeOrg ends an org's sessions in this process.
func (e *Engine) RevokeOrg(_ context.Context, org turnout.OrgID) error {
	e.Heard(org, turnout.PersonID{}, e.o.Now())
	return nil
}

// Heard ends what another process ended at a time: a person's sessions, or with
// the zero PersonID all of the org's.
func (e *Engine) Heard(org turnout.OrgID, person turnout.PersonID, at time.Time) {
	e.marks.Add(org, person, at)
}

// Package session keeps who may act in a simulated org: the sessions that it
// gave out, and the keys whose signed assertions it trusts.
package session

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"sync"
	"time"
)

// Life is the default session timeout of an org: two hours without use.
const Life = 2 * time.Hour

// Tokens are the sessions that were given out. All methods are safe for
// concurrent use.
type Tokens struct {
	now func() time.Time
	mu  sync.Mutex
	at  map[string]time.Time // last use
}

// New makes an empty set of sessions.
func New(now func() time.Time) *Tokens {
	return &Tokens{now: now, at: map[string]time.Time{}}
}

// Issue makes a token in Salesforce's form: the org's id, an exclamation mark,
// and letters, digits, dots and underscores.
func (t *Tokens) Issue(org string) string {
	var raw [66]byte
	_, _ = rand.Read(raw[:]) // crypto/rand.Read never fails
	text := base64.URLEncoding.EncodeToString(raw[:])
	token := org[:15] + "!AR8AQ" + strings.NewReplacer("-", ".").Replace(text)
	t.mu.Lock()
	defer t.mu.Unlock()
	for old, used := range t.at {
		if t.now().Sub(used) > Life {
			delete(t.at, old)
		}
	}
	t.at[token] = t.now()
	return token
}

// Valid reports whether a token is a live session, and keeps it alive.
func (t *Tokens) Valid(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	used, ok := t.at[token]
	if !ok || t.now().Sub(used) > Life {
		delete(t.at, token)
		return false
	}
	t.at[token] = t.now()
	return true
}

// Revoke ends one session; it reports whether there was one.
func (t *Tokens) Revoke(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.at[token]
	delete(t.at, token)
	return ok
}

// Expire ends every session.
func (t *Tokens) Expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.at)
}

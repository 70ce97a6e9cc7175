// Package affinity keeps a visitor's session on one upstream (P6). Which one it
// is rides in a signed cookie with the org, host and stack that it is for, so
// edges share nothing but a key, and a restart forgets nobody.
package affinity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"sync"
	"time"
)

// Binding is what a session is worthless without.
type Binding struct{ Org, Host, Stack string }

// Session is a visitor's, at the edge.
type Session struct {
	// ID is random; it tells sessions apart and nothing else.
	ID uint64
	// Upstream is the handle of the one that it stays on (see Handle).
	Upstream uint64
	// Began is when it did; Seen is when it was last counted as active. Both in
	// whole minutes, UTC.
	Began, Seen time.Time
}

// Fresh is a new session on an upstream.
func Fresh(upstream uint64, now time.Time) Session {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	now = now.UTC().Truncate(time.Minute)
	return Session{ID: binary.LittleEndian.Uint64(id[:]), Upstream: upstream, Began: now, Seen: now}
}

// Handle is how a session names an upstream: 64 bits of a hash of its name.
func Handle(name string) uint64 {
	sum := sha256.Sum256([]byte("turnout upstream\x00" + name))
	return binary.LittleEndian.Uint64(sum[:])
}

// Longest is how long a session lasts at most; Idle is how long after it was
// last seen.
const (
	Longest = 24 * time.Hour
	Idle    = 2 * time.Hour
)

// Sizes of a cookie, in bytes: a version, four numbers, a truncated MAC.
const (
	version  = 1
	bodySize = 1 + 8 + 8 + 4 + 4
	macSize  = 16
	fullSize = bodySize + macSize
)

// One cookie has one spelling.
var text = base64.RawURLEncoding.Strict()

// textSize is the length of a cookie's value.
var textSize = text.EncodedLen(fullSize)

// Signer makes and checks cookies. Safe for concurrent use.
type Signer struct {
	// keys: the first signs, all verify.
	keys []*sync.Pool
}

// KeySize is the least that a key has, in bytes.
const KeySize = 32

// NewSigner makes a signer of keys, of which the first signs. All edges have
// the same.
func NewSigner(keys ...[]byte) (*Signer, error) {
	if len(keys) == 0 {
		return nil, errors.New("there is no key to sign sessions with")
	}
	s := &Signer{}
	for _, k := range keys {
		if len(k) < KeySize {
			return nil, errors.New("a key that signs sessions has at least 32 bytes")
		}
		sum := sha256.Sum256(append([]byte("turnout affinity\x00"), k...))
		s.keys = append(s.keys, &sync.Pool{New: func() any { return &macing{Hash: hmac.New(sha256.New, sum[:])} }})
	}
	return s, nil
}

// Sign is the cookie's value for a session.
func (s *Signer) Sign(session Session, b Binding) string {
	var raw [fullSize]byte
	raw[0] = version
	binary.LittleEndian.PutUint64(raw[1:], session.ID)
	binary.LittleEndian.PutUint64(raw[9:], session.Upstream)
	binary.LittleEndian.PutUint32(raw[17:], minutes(session.Began))
	binary.LittleEndian.PutUint32(raw[21:], minutes(session.Seen))
	mac := tag(s.keys[0], raw[:bodySize], b)
	copy(raw[bodySize:], mac[:])
	return text.EncodeToString(raw[:])
}

// Read is the session of a cookie's value. One that is forged, foreign, cut,
// over or from the future is none.
func (s *Signer) Read(value string, b Binding, now time.Time) (Session, bool) {
	if len(value) != textSize {
		return Session{}, false
	}
	var raw [fullSize]byte
	if _, err := text.Decode(raw[:], []byte(value)); err != nil || raw[0] != version {
		return Session{}, false
	}
	if !s.genuine(raw[:], b) {
		return Session{}, false
	}
	session := Session{
		ID: binary.LittleEndian.Uint64(raw[1:]), Upstream: binary.LittleEndian.Uint64(raw[9:]),
		Began: at(binary.LittleEndian.Uint32(raw[17:])), Seen: at(binary.LittleEndian.Uint32(raw[21:])),
	}
	// Edges' clocks may differ by a minute.
	future := session.Began.Sub(now) > 2*time.Minute || session.Seen.Sub(now) > 2*time.Minute
	over := now.Sub(session.Began) > Longest || now.Sub(session.Seen) > Idle
	return session, !future && !over
}

func (s *Signer) genuine(raw []byte, b Binding) bool {
	for _, k := range s.keys {
		mac := tag(k, raw[:bodySize], b)
		if subtle.ConstantTimeCompare(mac[:], raw[bodySize:]) == 1 {
			return true
		}
	}
	return false
}

// macing is what computing one takes. It is kept, since making it costs more
// than using it.
type macing struct {
	hash.Hash
	message, sum []byte
}

// tag is the MAC over a body and what it is bound to. Lengths go before the
// names, so that no two bindings read the same.
func tag(key *sync.Pool, body []byte, b Binding) [macSize]byte {
	m := key.Get().(*macing)
	defer key.Put(m)
	m.message = append(m.message[:0], body...)
	for _, part := range [...]string{b.Org, b.Host, b.Stack} {
		m.message = binary.LittleEndian.AppendUint16(m.message, uint16(len(part)))
		m.message = append(m.message, part...)
	}
	m.Reset()
	m.Write(m.message)
	m.sum = m.Sum(m.sum[:0])
	return [macSize]byte(m.sum)
}

func minutes(t time.Time) uint32 { return uint32(t.Unix() / 60) }

func at(m uint32) time.Time { return time.Unix(int64(m)*60, 0).UTC() }

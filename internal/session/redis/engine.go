// Package redis keeps sessions in Redis besides their cookies.
//
// The cookie goes on holding the whole session, sealed as package cookie does, so
// that Redis may be away and nobody is logged out. What Redis adds is that a
// session can be ended, one person's or one org's at once, and that they are
// counted. What rests there is sealed with org, host, stack and the very name of
// its key; key names are keyed hashes. A Redis that several deployments share, or a
// value under a wrong name, crosses no session (P6).
//
// A session gets there once its browser has sent the cookie back, and no sooner: a
// mail scanner that opens every link of a mailing fills nothing. It is written in
// the background (P12), and read with the client's own cache, which the server
// empties of what changes.
package redis

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/turnout-events/turnout"
	server "github.com/turnout-events/turnout/internal/redis"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/session"
	"github.com/turnout-events/turnout/internal/session/cookie"
)

// Keyring opens an org's keys.
type Keyring interface {
	Ring(ctx context.Context, scope string) (*seal.Ring, error)
}

// Options of an Engine. Server, Cookies and Keyring are needed.
type Options struct {
	Server  *server.Server
	Cookies *cookie.Engine
	Keyring Keyring
	// Orgs are those whose sessions are counted; nil means none.
	Orgs func() []turnout.OrgID
	// Now is the clock; nil means time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// Engine keeps sessions in Redis. Safe for concurrent use.
type Engine struct {
	o       Options
	scripts scripts
	queue   chan keeping
	counts  counts
}

// New makes an engine; Run does its background work.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Orgs == nil {
		o.Orgs = func() []turnout.OrgID { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Engine{o: o, scripts: newScripts(), queue: make(chan keeping, mostQueued)}
}

// Open is the session that a cookie's value stands for. While Redis is away, the
// cookie's word is taken.
func (e *Engine) Open(ctx context.Context, b session.Binding, value string) (session.Session, bool) {
	s, ok := e.o.Cookies.Open(ctx, b, value)
	if !ok {
		return s, false
	}
	ring, err := e.o.Keyring.Ring(ctx, string(b.Org))
	if err != nil {
		return s, true
	}
	n := namesOf(ring, b, s)
	found, err := e.look(ctx, n)
	if err != nil {
		return s, true
	}
	if found.ended || e.marked(b.Org, s, found) {
		return session.Session{}, false
	}
	kept, ok := n.open(ring, found.sealed)
	ok = ok && kept.ID == s.ID && kept.Person == s.Person
	if !ok || kept.Stale(e.o.Now()) {
		e.keep(ring, n, s.Touched(e.o.Now()))
	}
	if ok && kept.Seen.After(s.Seen) {
		s.Links = kept.Links // of the same browser, later
	}
	return s, true
}

// marked reports whether a session was ended by a mark, and remembers the marks
// for the time when Redis is away.
func (e *Engine) marked(org turnout.OrgID, s session.Session, f found) bool {
	ended := false
	for _, m := range []struct {
		person turnout.PersonID
		at     time.Time
	}{{s.Person, f.person}, {turnout.PersonID{}, f.org}} {
		if session.Ended(s, m.at) {
			e.o.Cookies.Heard(org, m.person, m.at)
			ended = true
		}
	}
	return ended
}

// Seal is a session as a cookie's value.
func (e *Engine) Seal(ctx context.Context, b session.Binding, s session.Session) (string, error) {
	return e.o.Cookies.Seal(ctx, b, s)
}

// found is what Redis has of a session. Zero times mean that there is no mark.
type found struct {
	sealed      []byte
	ended       bool
	person, org time.Time
}

// cachedFor bounds how long this process answers from its own memory when the
// server's word that something changed is lost.
const cachedFor = time.Minute

// look reads a session and its marks.
func (e *Engine) look(ctx context.Context, n names) (found, error) {
	var values [3]string
	err := e.o.Server.Ask(ctx, func(ctx context.Context, c rueidis.Client) error {
		var asked [3]rueidis.CacheableTTL
		for i, key := range [...]string{n.session, n.personMark, n.orgMark} {
			asked[i] = rueidis.CT(c.B().Get().Key(key).Cache(), cachedFor)
		}
		for i, result := range c.DoMultiCache(ctx, asked[:]...) {
			text, err := result.ToString()
			if err != nil && !rueidis.IsRedisNil(err) {
				return err
			}
			values[i] = text
		}
		return nil
	})
	f := found{person: markOf(values[1]), org: markOf(values[2])}
	if values[0] != "" {
		f.ended, f.sealed = values[0][0] == isEnded, []byte(values[0][1:])
	}
	return f, err
}

// markOf reads a mark's time.
func markOf(text string) time.Time {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

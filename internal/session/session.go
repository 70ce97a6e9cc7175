// Package session is a visitor's session in the app: what an instance knows again
// of a browser that opened a personal link. Engines are in the directories below.
//
// A session holds no personal data. It begins with a personal link and nowhere
// else, so a visitor without one has no cookie of the app's, and no page that is
// the same for everybody is made different by it.
package session

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/turnout-events/turnout"
)

// Binding is what a session is worthless without (P6).
type Binding struct {
	Org turnout.OrgID
	// Host is the request's, in lower case and without port; Stack the instance's.
	Host, Stack string
}

// Name tells bindings of one org apart: no two of them have the same.
func (b Binding) Name() string { return strconv.Itoa(len(b.Host)) + ":" + b.Host + "/" + b.Stack }

// ID tells sessions apart and says nothing else.
type ID [16]byte

// String is the id in hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Link is a personal link that was opened in a session.
type Link struct {
	Event turnout.EventID
	// Token is the link's own, with which its page is found again.
	Token string
}

// MostLinks is how many links a session remembers; the one that was opened
// longest ago goes first.
const MostLinks = 4

// Session is a visitor's. Times are in whole seconds, UTC.
type Session struct {
	ID ID
	// Person is whose links these are.
	Person turnout.PersonID
	Links  []Link
	// Began is when it did, Seen when its browser was last heard of.
	Began, Seen time.Time
}

// Longest is how long a session lasts at most, Idle how long after it was last
// seen, and SeenEvery how often that is noted: the same times as at the edge.
const (
	Longest   = 24 * time.Hour
	Idle      = 2 * time.Hour
	SeenEvery = time.Minute
)

// Skew is how far instances' clocks may be apart, and a little more.
const Skew = 2 * time.Minute

// Begin is a new session of a person.
func Begin(person turnout.PersonID, now time.Time) Session {
	s := Session{Person: person, Began: now.UTC().Truncate(time.Second)}
	s.Seen = s.Began
	_, _ = rand.Read(s.ID[:]) // never fails
	return s
}

// Live reports whether a session counts at a time: neither over nor from the future.
func (s Session) Live(now time.Time) bool {
	future := s.Began.Sub(now) > Skew || s.Seen.Sub(now) > Skew
	return !future && now.Sub(s.Began) <= Longest && now.Sub(s.Seen) <= Idle
}

// Stale reports whether it is time to note that a session was seen.
func (s Session) Stale(now time.Time) bool { return now.Sub(s.Seen) >= SeenEvery }

// Touched is the session, seen now.
func (s Session) Touched(now time.Time) Session {
	if now = now.UTC().Truncate(time.Second); now.After(s.Seen) {
		s.Seen = now
	}
	return s
}

// With is the session with a link of its person's, which comes first.
func (s Session) With(l Link) Session {
	rest := slices.DeleteFunc(slices.Clone(s.Links), func(old Link) bool { return old.Event == l.Event })
	s.Links = slices.Insert(rest, 0, l)
	s.Links = s.Links[:min(len(s.Links), MostLinks)]
	return s
}

// Link is the session's link to an event.
func (s Session) Link(event turnout.EventID) (Link, bool) {
	i := slices.IndexFunc(s.Links, func(l Link) bool { return l.Event == event })
	if i < 0 {
		return Link{}, false
	}
	return s.Links[i], true
}

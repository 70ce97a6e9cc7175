package edge

import (
	"net/http"
	"time"

	"github.com/turnout-events/turnout/internal/edge/active"
	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/limit"
)

// Whether a pass was counted when it was given.
const (
	countedPass   = 0
	uncountedPass = 1
)

// pass is what a pass of a lobby is worthless without.
func (s *site) pass(l *lobby) affinity.Binding {
	return affinity.Binding{Org: string(s.tenant.org), Host: s.host, Stack: "in " + l.name}
}

// holdsPass reads the visitor's pass of a lobby, if they have one.
func (e *Edge) holdsPass(v *visit, l *lobby) (affinity.Session, bool) {
	return e.o.Signer.Read(cookie(v, l.cookie(passCookie)), v.site.pass(l), v.began)
}

// passed reports whether the visitor was let in before: everybody who sees a form
// is given a pass, whether or not there is a line.
func (e *Edge) passed(v *visit, l *lobby) bool {
	s, ok := e.holdsPass(v, l)
	if !ok {
		return false
	}
	if s.Upstream == countedPass && v.began.Sub(s.Seen) < countEvery {
		return true
	}
	if e.lines.counted.First(s.ID, v.began) { // a pass that is old or copied counts once a minute
		if s.Upstream == countedPass {
			l.in.Move(s.Seen, v.began)
		} else {
			l.in.Add(v.began)
		}
	}
	s.Seen, s.Upstream = v.began.UTC().Truncate(time.Minute), countedPass
	e.give(v, l, s)
	return true
}

// entry is that a visitor was let in by this very request.
type entry struct {
	lobby   *lobby
	session affinity.Session
	at      time.Time // when they were counted
}

// letIn gives a pass to somebody who has been counted. Of those who never come
// back with one, such as scanners, only as many count for each address as it
// would get places in line.
func (e *Edge) letIn(v *visit, l *lobby, counted time.Time) {
	s := affinity.Fresh(countedPass, counted)
	if !e.lines.newcomers.TakeAddr(v.client, newcomersOf(), v.began).OK {
		s.Upstream = uncountedPass
		l.in.Remove(counted)
	}
	v.entry = &entry{lobby: l, session: s, at: counted}
	e.give(v, l, s)
}

func (e *Edge) give(v *visit, l *lobby, s affinity.Session) {
	v.pass, v.passName = e.o.Signer.Sign(s, v.site.pass(l)), l.cookie(passCookie)
}

// newcomersOf is how many of an address count before they have come back.
func newcomersOf() limit.Rate { return limit.Rate{PerSecond: 0.5, Burst: 40} }

// found looks at what the visitor found who was let in by this request: whoever
// saw no form keeps nobody's place for long. Where there is none (400 to 499) they
// are not in; who is sent elsewhere counts when they come back; who found nobody
// well is in for a minute at most unless they do.
func (e *Edge) found(v *visit, status int) {
	n := v.entry
	if n == nil || (status >= 200 && status < 300) || status == http.StatusNotModified {
		return
	}
	v.entry = nil
	if n.session.Upstream == countedPass {
		n.lobby.in.Remove(n.at)
	}
	switch {
	case status >= 500 || status == http.StatusTooManyRequests:
		if n.session.Upstream == countedPass {
			n.session.Seen = n.session.Seen.Add(-(active.Lately - 1) * time.Minute)
			n.lobby.in.Add(n.session.Seen)
		}
		e.give(v, n.lobby, n.session)
	case status < 400:
		n.session.Upstream = uncountedPass
		e.give(v, n.lobby, n.session)
	default:
		v.pass, v.passName = "", ""
	}
}

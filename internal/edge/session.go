package edge

import (
	"net/http"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/pool"
)

// sessionCookie carries a session. On HTTPS a prefix keeps other hosts and plain
// HTTP from setting it.
const (
	sessionCookie = "turnout_session"
	secured       = "__Host-"
)

// cookieNamed is a cookie's name on the wire.
func (v *visit) cookieNamed(name string) string {
	if v.https {
		return secured + name
	}
	return name
}

// place decides which upstream a request goes to. It reports false when it
// answered by itself, since there is none.
func (e *Edge) place(v *visit) bool {
	if !v.known && v.kind != page {
		v.key = keyOf(v)
	}
	if v.known && e.stays(v) {
		e.seen(v)
		return true
	}
	v.turn()
	if v.up = v.choose(nil, v.began); v.up == nil {
		e.refuse(v, http.StatusServiceUnavailable)
		return false
	}
	switch {
	case v.known && v.kind == page:
		v.moved(v.up)
	case v.known: // told with the next page
	case v.kind == page:
		v.session = affinity.Fresh(v.up.Handle, v.began)
		v.changed = true
		v.site.tenant.sessions.Add(1)
		v.site.tenant.active.Add(v.began)
		v.up.Sessions.Add(1)
	}
	return true
}

// recall finds the session that a request belongs to: one of this org and host,
// on a stack that the org is on or has just left.
func (e *Edge) recall(v *visit) {
	v.course = v.site.courses[0]
	if v.kind == program {
		return
	}
	for value := range cookieValues(v.r.Header["Cookie"], v.cookieNamed(sessionCookie)) {
		for _, c := range v.site.courses {
			if s, ok := e.o.Signer.Read(value, c.binding, v.began); ok {
				v.session, v.course, v.known = s, c, true
				return
			}
		}
	}
}

// cookieValues are the values of the cookies of a name, of which there may be
// several: somebody else's may stand before ours.
func cookieValues(headers []string, name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, line := range headers {
			for part := range strings.SplitSeq(line, ";") {
				key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
				if ok && key == name && !yield(value) {
					return
				}
			}
		}
	}
}

// stays reports whether a session is served where it was, and finds that.
func (e *Edge) stays(v *visit) bool {
	v.pool, v.up = v.course.find(v.session.Upstream)
	if v.up == nil {
		return false
	}
	switch s := v.up.State(v.began); s.Condition {
	case pool.Up:
		return true
	case pool.Draining: // past the deadline it moves, when nothing typed is on its way
		return v.began.Before(s.Deadline) || (v.r.Method != http.MethodGet && v.r.Method != http.MethodHead)
	case pool.Ejected:
		return v.pool.Panics(v.began)
	}
	return false
}

// turn takes a session of a stack that is gone to the one that the org is on
// now, when nothing typed is on its way.
func (v *visit) turn() {
	current := v.site.courses[0]
	if v.known && v.course != current && v.course.gone(v.began) && (v.r.Method == http.MethodGet || v.r.Method == http.MethodHead) {
		v.course, v.changed = current, true
	}
}

// gone reports whether nobody is there in any region.
func (c *course) gone(now time.Time) bool {
	for _, p := range c.pools {
		if p.Alive(now) {
			return false
		}
	}
	return true
}

// choose is the upstream for a session that has none, or whose one was tried: in
// the first region that takes any, and of one that remembers, always the same.
// It is nil if everything was tried.
func (v *visit) choose(tried []*pool.Upstream, now time.Time) *pool.Upstream {
	pools := v.course.order()
	for _, want := range [...]pool.Standing{pool.Takes, pool.Keeps, pool.Gone} {
		if want == pool.Gone && !v.course.gone(now) {
			break // whoever was tried is worth waiting for, who may hang is not
		}
		for _, p := range pools {
			if p.Standing(now) != want {
				continue
			}
			if up := v.from(p, tried, now); up != nil {
				v.pool = p
				return up
			}
		}
	}
	return nil
}

func (v *visit) from(p *pool.Pool, tried []*pool.Upstream, now time.Time) *pool.Upstream {
	switch {
	case v.known:
		return p.Settle(now, v.session.ID, tried...)
	case v.key != 0:
		return p.Settle(now, v.key, tried...)
	}
	return p.Pick(now, tried...)
}

// moved binds the session to another upstream.
func (v *visit) moved(to *pool.Upstream) {
	if v.session.Upstream == to.Handle {
		return
	}
	v.session.Upstream = to.Handle
	v.changed = true
	v.site.tenant.moved.Add(1)
	to.Sessions.Add(1)
}

// countEvery is how often a session is counted as active, and told so.
const countEvery = time.Minute

// seen counts a session once a minute.
func (e *Edge) seen(v *visit) {
	if v.kind == page && v.began.Sub(v.session.Seen) >= countEvery {
		v.site.tenant.active.Move(v.session.Seen, v.began)
		v.session.Seen = v.began.UTC().Truncate(time.Minute)
		v.changed = true
	}
}

// tell sets the session's cookie, if it is new to the visitor. What carries a
// cookie is nobody else's to keep.
func (e *Edge) tell(v *visit, h http.Header) {
	if (!v.changed && v.pass == "") || v.kind != page {
		return
	}
	if v.changed {
		e.bind(v, h)
	}
	if v.pass != "" {
		v.setCookie(h, v.passName, v.pass)
	}
	if rest, ok := strings.CutPrefix(h.Get("Cache-Control"), "public"); ok {
		h.Set("Cache-Control", "private"+rest)
	}
}

// bind sets the session's cookie.
func (e *Edge) bind(v *visit, h http.Header) {
	v.setCookie(h, sessionCookie, e.o.Signer.Sign(v.session, v.course.binding))
}

// keyOf is what a request without a session is settled by: its credentials, the
// token in its path, the key that it brings, or else its address.
func keyOf(v *visit) uint64 {
	by := v.r.Header.Get("Authorization")
	if by == "" {
		by = tokenIn(v.r.URL.Path)
	}
	if by == "" {
		by = v.r.Header.Get("Idempotency-Key")
	}
	if by == "" {
		by = v.client.String()
	}
	return pool.Key(by)
}

// tokenIn is the token of a personal link or of a registration in a path of the
// API, empty for none.
func tokenIn(path string) string {
	for _, mark := range [...]string{"/registrations/", "/links/"} {
		if _, rest, ok := strings.Cut(path, mark); ok {
			token, _, _ := strings.Cut(rest, "/")
			return token
		}
	}
	return ""
}

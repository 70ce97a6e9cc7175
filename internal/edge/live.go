package edge

import (
	"net/url"
	"sync/atomic"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/active"
	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/routing"
	"github.com/turnout-events/turnout/internal/edge/turnstile"
)

// live is what outlives a change of tables: upstreams with their health and
// connections, and what orgs and hosts have used of their allowances. It is
// changed by one goroutine at a time.
type live struct {
	connect   func(*url.URL) pool.Exchange
	newMeter  func(holder string) Meter
	newShare  func(holder string) Share
	upstreams map[upstreamKey]*pool.Upstream
	tenants   map[turnout.OrgID]*tenant
	meters    map[string]Meter // by host
}

// upstreamKey is what makes an upstream the same one: one that moved to another
// address is another, under its old name.
type upstreamKey struct{ name, url string }

// tenant is what an org has used and gets counted.
type tenant struct {
	org   turnout.OrgID
	key   uint64 // of org, for instances' health
	meter Meter
	share Share
	stile turnstile.Turnstile // before share

	requests, refused, lost, waited, sessions, moved atomic.Int64

	lobbies map[string]*lobby // by event, "" for the org's own
	active  active.Sessions
	steer   steer
}

func newLive(o Options) *live {
	return &live{
		connect: o.Connect, newMeter: o.Meter, newShare: o.Share, upstreams: map[upstreamKey]*pool.Upstream{},
		tenants: map[turnout.OrgID]*tenant{}, meters: map[string]Meter{},
	}
}

// upstream is the one that a plan names, made at first sight.
func (l *live) upstream(u routing.Upstream) (up *pool.Upstream, made bool) {
	key := upstreamKey{u.Name, u.URL}
	if up, ok := l.upstreams[key]; ok {
		return up, false
	}
	origin, err := url.Parse(u.URL)
	if err != nil { // a table has only what parses
		origin = &url.URL{}
	}
	up = pool.NewUpstream(u.Name, origin, l.connect(origin))
	l.upstreams[key] = up
	return up, true
}

func (l *live) tenant(org turnout.OrgID) *tenant {
	t := l.tenants[org]
	if t == nil {
		t = &tenant{org: org, key: pool.Key(string(org)), meter: l.newMeter("org " + string(org)), share: l.newShare("org " + string(org)), lobbies: map[string]*lobby{}}
		l.tenants[org] = t
	}
	return t
}

// lobby is a tenant's for an event, made at first sight; no event means the org.
func (t *tenant) lobby(slug string, sessions int) *lobby {
	l := t.lobbies[slug]
	if l == nil {
		l = &lobby{name: string(t.org), event: slug}
		if slug != "" {
			l.name += "/" + slug
		}
		t.lobbies[slug] = l
	}
	l.sessions.Store(int64(sessions))
	return l
}

func (l *live) meter(host string) Meter {
	m := l.meters[host]
	if m == nil {
		m = l.newMeter("host " + host)
		l.meters[host] = m
	}
	return m
}

// keep drops what none of the views has. Requests that are under way at an
// upstream that goes end as they would have.
func (l *live) keep(views ...*view) {
	used := map[*pool.Upstream]bool{}
	tenants := map[*tenant]bool{}
	meters := map[Meter]bool{}
	lobbies := map[*lobby]bool{}
	for _, v := range views {
		if v == nil {
			continue
		}
		for _, u := range v.upstreams {
			used[u] = true
		}
		for _, s := range v.sites {
			tenants[s.tenant], meters[s.meter] = true, true
			for _, l := range s.lobbies {
				lobbies[l] = true
			}
		}
	}
	for key, u := range l.upstreams {
		if !used[u] {
			_ = u.Exchange.Close() // idle connections, which nobody waits for
			delete(l.upstreams, key)
		}
	}
	for id, t := range l.tenants {
		if !tenants[t] {
			delete(l.tenants, id)
		}
		for slug, lobby := range t.lobbies {
			if !lobbies[lobby] {
				delete(t.lobbies, slug)
			}
		}
	}
	for host, m := range l.meters {
		if !meters[m] {
			delete(l.meters, host)
		}
	}
}

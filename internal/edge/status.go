package edge

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/status"
)

// Status tells how it is now.
func (e *Edge) Status() status.Status {
	now := e.now()
	v := e.view.Load()
	s := status.Status{Since: v.made.UTC(), Dropped: e.access.Dropped(), Throttled: e.throttled.Load(), Pools: []status.Pool{}, Orgs: []status.Org{}, Rooms: []status.Room{}}
	e.changing.Lock()
	s.Former = e.former != nil
	e.changing.Unlock()
	for _, p := range v.pools {
		ps := status.Pool{Stack: p.Stack, Region: p.Region, Panic: p.Panics(now), Upstreams: []status.Upstream{}}
		for _, u := range p.Upstreams {
			ps.Upstreams = append(ps.Upstreams, upstreamStatus(u, now))
		}
		s.Pools = append(s.Pools, ps)
	}
	byOrg := map[*tenant]*status.Org{}
	for _, site := range v.sites {
		o := byOrg[site.tenant]
		if o == nil {
			s.Rooms = append(s.Rooms, roomsOf(site, now)...)
			o = orgStatus(site, now)
			byOrg[site.tenant] = o
		}
		o.Hosts = append(o.Hosts, site.host)
	}
	for _, o := range byOrg {
		slices.Sort(o.Hosts)
		s.Orgs = append(s.Orgs, *o)
	}
	slices.SortFunc(s.Rooms, func(a, b status.Room) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Orgs, func(a, b status.Org) int { return strings.Compare(string(a.Org), string(b.Org)) })
	return s
}

func roomsOf(s *site, now time.Time) (all []status.Room) {
	for _, l := range s.lobbies {
		r := l.room.Load()
		if r == nil {
			continue
		}
		rs := r.Status(now)
		all = append(all, status.Room{
			Name: rs.Name, Waiting: rs.Waiting, Inside: l.in.Count(now), Holds: l.holds(), PerMinute: rs.PerMinute,
			Longest: rs.Longest.Seconds(), NoShow: rs.NoShow, Refused: rs.Refused,
		})
	}
	return all
}

func upstreamStatus(u *pool.Upstream, now time.Time) status.Upstream {
	state := u.State(now)
	s := status.Upstream{
		Name: u.Name, Condition: state.Condition, Weight: state.Weight, InFlight: u.Places.InFlight(), Places: u.Places.Limit(),
		Latency: u.Latency().Seconds(), Requests: u.Requests.Load(), Failures: u.Failures.Load(), Sessions: u.Sessions.Load(),
	}
	if !state.Deadline.IsZero() {
		until := state.Deadline.UTC()
		s.DrainsUntil = &until
	}
	return s
}

func orgStatus(s *site, now time.Time) *status.Org {
	t := s.tenant
	o := &status.Org{
		Org: t.org, Stack: s.courses[0].binding.Stack, Active: t.active.Count(now),
		Share: s.allowance.Share, InFlight: t.share.InUse(), Waiting: t.stile.Waiting(),
		Requests: t.requests.Load(), Refused: t.refused.Load(), Lost: t.lost.Load(), Began: t.sessions.Load(), Moved: t.moved.Load(),
	}
	if a := s.allowance; a.PerSecond > 0 {
		o.PerSecond, o.Burst = &a.PerSecond, &a.Burst
	}
	if len(s.courses) > 1 {
		o.Leaving = s.courses[1].binding.Stack
	}
	for _, p := range s.courses[0].pools {
		o.Regions = append(o.Regions, p.Region)
	}
	return o
}

// Collector shows the edge's counts as metrics.
func (e *Edge) Collector() prometheus.Collector { return status.NewCollector(e.Status) }

// Admin serves operators. guard keeps strangers away from it.
func (e *Edge) Admin(guard func(http.Handler) http.Handler) (http.Handler, error) {
	return status.Pages(status.Options{Edge: e, Guard: guard, Logger: e.log, Now: e.now})
}

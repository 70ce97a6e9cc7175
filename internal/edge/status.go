package edge

import (
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/pool"
)

// Status is what the edge is doing, for GET /edge/status. Times are UTC,
// durations in seconds.
type Status struct {
	// Since is when the table came into force; Former says that there is one to
	// go back to.
	Since  time.Time    `json:"since"`
	Former bool         `json:"former"`
	Pools  []PoolStatus `json:"pools"`
	Orgs   []OrgStatus  `json:"orgs"`
	// Rooms are the waiting rooms that there are now.
	Rooms []RoomStatus `json:"rooms"`
}

// PoolStatus is a pool's.
type PoolStatus struct {
	Stack     string           `json:"stack"`
	Region    string           `json:"region"`
	Panic     bool             `json:"panic"`
	Upstreams []UpstreamStatus `json:"upstreams"`
}

// UpstreamStatus is an upstream's.
type UpstreamStatus struct {
	Name      string         `json:"name"`
	Condition pool.Condition `json:"condition"`
	// DrainsUntil is when a draining one loses its sessions.
	DrainsUntil *time.Time `json:"drains_until,omitempty"`
	// Weight is its part of new sessions beside others', under 1 while it starts slowly.
	Weight   float64 `json:"weight"`
	InFlight int     `json:"in_flight"`
	Places   int     `json:"places"`
	Latency  float64 `json:"latency_seconds"`
	Requests int64   `json:"requests"`
	Failures int64   `json:"failures"`
	// Sessions are those that began here or moved here since the edge started.
	Sessions int64 `json:"sessions"`
}

// OrgStatus is an org's.
type OrgStatus struct {
	Org     turnout.OrgID `json:"org"`
	Hosts   []string      `json:"hosts"`
	Stack   string        `json:"stack"`
	Leaving string        `json:"leaving,omitempty"`
	Regions []string      `json:"regions"`
	// Active sessions were seen within five minutes, here.
	Active int `json:"sessions_active"`
	// PerSecond and Burst are its allowance, null where there is no limit.
	PerSecond *float64 `json:"per_second"`
	Burst     *int     `json:"burst"`
	Share     float64  `json:"share"`
	InFlight  int      `json:"in_flight"`
	Waiting   int64    `json:"waiting"` // requests, for one of the org's places
	Requests  int64    `json:"requests"`
	Refused   int64    `json:"refused"`
	Lost      int64    `json:"lost"`
	Began     int64    `json:"sessions_began"`
	Moved     int64    `json:"sessions_moved"`
}

// RoomStatus is a waiting room's.
type RoomStatus struct {
	Name string `json:"name"`
	// Waiting is over all edges, the rest is this one's view.
	Waiting int `json:"waiting"`
	Inside  int `json:"inside"`
	Holds   int `json:"holds"`
	// PerMinute is people let in from the line, Longest the wait of the first in
	// it in seconds, NoShow the part of those called who do not come.
	PerMinute float64 `json:"per_minute"`
	Longest   float64 `json:"longest_seconds"`
	NoShow    float64 `json:"no_show"`
	// Refused are places that were not given, since their client had many.
	Refused int64 `json:"refused"`
}

// Status tells how it is now.
func (e *Edge) Status() Status {
	now := e.now()
	v := e.view.Load()
	s := Status{Since: v.made.UTC(), Pools: []PoolStatus{}, Orgs: []OrgStatus{}, Rooms: []RoomStatus{}}
	e.changing.Lock()
	s.Former = e.former != nil
	e.changing.Unlock()
	for _, p := range v.pools {
		ps := PoolStatus{Stack: p.Stack, Region: p.Region, Panic: p.Panics(now), Upstreams: []UpstreamStatus{}}
		for _, u := range p.Upstreams {
			ps.Upstreams = append(ps.Upstreams, upstreamStatus(u, now))
		}
		s.Pools = append(s.Pools, ps)
	}
	byOrg := map[*tenant]*OrgStatus{}
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
	slices.SortFunc(s.Rooms, func(a, b RoomStatus) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Orgs, func(a, b OrgStatus) int { return strings.Compare(string(a.Org), string(b.Org)) })
	return s
}

func roomsOf(s *site, now time.Time) (all []RoomStatus) {
	for _, l := range s.lobbies {
		r := l.room.Load()
		if r == nil {
			continue
		}
		rs := r.Status(now)
		all = append(all, RoomStatus{
			Name: rs.Name, Waiting: rs.Waiting, Inside: l.in.Count(now), Holds: l.holds(), PerMinute: rs.PerMinute,
			Longest: rs.Longest.Seconds(), NoShow: rs.NoShow, Refused: rs.Refused,
		})
	}
	return all
}

func upstreamStatus(u *pool.Upstream, now time.Time) UpstreamStatus {
	state := u.State(now)
	s := UpstreamStatus{
		Name: u.Name, Condition: state.Condition, Weight: state.Weight, InFlight: u.Places.InFlight(), Places: u.Places.Limit(),
		Latency: u.Latency().Seconds(), Requests: u.Requests.Load(), Failures: u.Failures.Load(), Sessions: u.Sessions.Load(),
	}
	if !state.Deadline.IsZero() {
		until := state.Deadline.UTC()
		s.DrainsUntil = &until
	}
	return s
}

func orgStatus(s *site, now time.Time) *OrgStatus {
	t := s.tenant
	o := &OrgStatus{
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

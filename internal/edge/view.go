package edge

import (
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/refusal"
	"github.com/turnout-events/turnout/internal/edge/routing"
	"github.com/turnout-events/turnout/internal/limit"
)

// view is a table joined to what is live. It never changes, and a request sees
// one of them from beginning to end.
type view struct {
	table     *routing.Table
	made      time.Time
	sites     map[string]*site
	pools     []*pool.Pool
	upstreams []*pool.Upstream
}

// site is one host of one org.
type site struct {
	host   string
	tenant *tenant
	meter  Meter // the host's
	// allowance is the org's, domain the host's.
	allowance turnout.Allowance
	domain    limit.Rate
	// name and language are the org's, whose what refusals say of it.
	name, language string
	whose          refusal.Whose
	// lobbies are the ways in to forms: of events that have a limit of their own,
	// and the org's under "".
	lobbies map[string]*lobby
	// courses are the stacks that sessions may be on: the one of new sessions,
	// then the one that the org has left.
	courses []*course
}

// course is a stack with its pools in the org's order.
type course struct {
	binding affinity.Binding
	pools   []*pool.Pool
	// steer is set for an org that is served by the nearest region.
	steer *steer
}

// newView joins table to what is live. Upstreams that were not in old start slowly.
func newView(table *routing.Table, l *live, old *view, otherwise turnout.Allowance, now time.Time) *view {
	v := &view{table: table, made: now, sites: map[string]*site{}}
	pools := map[*routing.Pool]*pool.Pool{}
	plan := table.Plan()
	for i := range plan.Stacks {
		s := &plan.Stacks[i]
		for j := range s.Pools {
			p := &pool.Pool{Stack: s.Name, Region: s.Pools[j].Region}
			for _, u := range s.Pools[j].Upstreams {
				up, made := l.upstream(u)
				if made && old != nil {
					up.Joins(now)
				}
				p.Upstreams = append(p.Upstreams, up)
			}
			pools[&s.Pools[j]] = p
			v.pools = append(v.pools, p)
			v.upstreams = append(v.upstreams, p.Upstreams...)
		}
	}
	for host, r := range table.Routes() {
		v.sites[host] = newSite(r, l, pools, otherwise)
	}
	v.inherit(old)
	return v
}

func newSite(r *routing.Route, l *live, pools map[*routing.Pool]*pool.Pool, otherwise turnout.Allowance) *site {
	allowance := r.Org.Placement.Allowance.Or(otherwise)
	domain := turnout.Allowance{PerSecond: r.Org.Placement.Domain.PerSecond, Burst: r.Org.Placement.Domain.Burst}.Or(allowance)
	s := &site{
		host: r.Host, tenant: l.tenant(r.Org.ID), meter: l.meter(r.Host), allowance: allowance,
		domain: limit.Rate{PerSecond: domain.PerSecond, Burst: domain.Burst},
		name:   r.Org.Name, language: r.Org.Language, whose: refusal.Of(r.Org.Name, r.Org.Language), lobbies: map[string]*lobby{},
	}
	s.lobbies[""] = s.tenant.lobby("", allowance.Sessions)
	for _, event := range r.Org.Placement.Events {
		s.lobbies[event.Slug] = s.tenant.lobby(event.Slug, event.Sessions)
	}
	for _, c := range []*routing.Course{r.Current, r.Previous} {
		if c == nil {
			continue
		}
		to := &course{
			binding: affinity.Binding{Org: string(r.Org.ID), Host: r.Host, Stack: c.Stack},
		}
		if r.Org.Placement.Nearest {
			to.steer = &s.tenant.steer
		}
		for _, p := range c.Pools {
			to.pools = append(to.pools, pools[p])
		}
		s.courses = append(s.courses, to)
	}
	return s
}

// inherit lets sessions end where they began (P9): an org that moved to another
// stack since old was made keeps the one that it left, whether or not its
// settings say so, for as long as that is there.
func (v *view) inherit(old *view) {
	if old == nil {
		return
	}
	for host, s := range v.sites {
		before := old.sites[host]
		if before == nil || before.tenant != s.tenant || len(s.courses) != 1 {
			continue
		}
		for _, c := range before.courses {
			if c.binding.Stack == s.courses[0].binding.Stack {
				continue
			}
			left := &course{binding: c.binding}
			for _, p := range c.pools {
				if now := v.pool(p.Stack, p.Region); now != nil {
					left.pools = append(left.pools, now)
				}
			}
			if len(left.pools) > 0 {
				s.courses = append(s.courses, left)
				break
			}
		}
	}
}

func (v *view) pool(stack, region string) *pool.Pool {
	for _, p := range v.pools {
		if p.Stack == stack && p.Region == region {
			return p
		}
	}
	return nil
}

// site finds a request's.
func (v *view) site(host string) (*site, bool) {
	if s, ok := v.sites[host]; ok {
		return s, true
	}
	s, ok := v.sites[routing.Name(host)]
	return s, ok
}

// find is the upstream with a handle, among all regions of a course.
func (c *course) find(handle uint64) (*pool.Pool, *pool.Upstream) {
	for _, p := range c.pools {
		if u := p.Find(handle); u != nil {
			return p, u
		}
	}
	return nil, nil
}

package catalog

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout"
)

// directory is which orgs there are. It is never changed; another one takes
// its place.
type directory struct {
	hosts map[string]*turnout.Org
	orgs  map[turnout.OrgID]*turnout.Org
	// shelves are carried over from one directory to the next.
	shelves map[turnout.OrgID]*atomic.Pointer[shelf]
}

// clash is a host that two orgs claim.
type clash struct {
	host        string
	keeps, asks turnout.OrgID
}

// newDirectory makes the host table. ID + ".localhost" is always the org's
// own; of two orgs that claim another host the first by id keeps it.
func newDirectory(orgs []turnout.Org, old *directory) (*directory, []clash) {
	d := &directory{hosts: map[string]*turnout.Org{}, orgs: map[turnout.OrgID]*turnout.Org{}, shelves: map[turnout.OrgID]*atomic.Pointer[shelf]{}}
	orgs = slices.SortedFunc(slices.Values(orgs), func(a, b turnout.Org) int { return cmp.Compare(a.ID, b.ID) })
	for i := range orgs {
		org := &orgs[i]
		d.orgs[org.ID] = org
		d.hosts[string(org.ID)+".localhost"] = org
		d.shelves[org.ID] = &atomic.Pointer[shelf]{}
		if old != nil && old.shelves[org.ID] != nil {
			d.shelves[org.ID] = old.shelves[org.ID]
		}
	}
	var clashes []clash
	for i := range orgs {
		for _, host := range orgs[i].Hosts {
			host = strings.ToLower(host)
			if first, ok := d.hosts[host]; ok && first.ID != orgs[i].ID {
				clashes = append(clashes, clash{host, first.ID, orgs[i].ID})
				continue
			}
			d.hosts[host] = &orgs[i]
		}
	}
	return d, clashes
}

// shelf is all that one org shows. It is never changed; another one takes its
// place.
type shelf struct {
	byID   map[turnout.EventID]*Entry
	bySlug map[string]*Entry
	// listed are the public entries that are not over, by start.
	listed []*Entry
	list   Page
}

// with is the shelf with entries added, replaced, or removed where nil. The
// list page stays the old one.
func (s *shelf) with(entries map[turnout.EventID]*Entry, now time.Time) *shelf {
	next := &shelf{byID: map[turnout.EventID]*Entry{}, bySlug: map[string]*Entry{}}
	if s != nil {
		maps.Copy(next.byID, s.byID)
		next.list = s.list
	}
	for id, e := range entries {
		if e == nil {
			delete(next.byID, id)
			continue
		}
		next.byID[id] = e
	}
	// Of two events with one slug, which the mirror does not let happen, the
	// first by id is shown, and always the same one.
	for _, id := range slices.Sorted(maps.Keys(next.byID)) {
		e := next.byID[id]
		if _, taken := next.bySlug[e.Event.Slug]; !taken {
			next.bySlug[e.Event.Slug] = e
		}
		if !e.Event.Private && e.Event.Phase(now) != turnout.PhaseOver {
			next.listed = append(next.listed, e)
		}
	}
	slices.SortStableFunc(next.listed, func(a, b *Entry) int { return a.Event.Starts.Compare(b.Event.Starts) })
	return next
}

// freeSeats is what a page says about seats, in the order of the event's pools.
func freeSeats(e *turnout.Event, seats turnout.Seatings) []int {
	pools := e.Pools()
	free := make([]int, len(pools))
	for i, p := range pools {
		free[i] = turnout.Unlimited
		if s, ok := seats[p.Pool]; ok {
			free[i] = s.Free()
		}
	}
	return free
}

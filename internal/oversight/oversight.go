// Package oversight gathers what operators see of all orgs, and does what they
// decide: retry, amend, dismiss, export. The admin API and the console both stand on
// it, so that they say the same.
//
// What it reads comes from the store and from memory; looking at the console
// costs no Salesforce call (P3). Parked and Export open personal data: show it
// to a person who must decide, keep and log none of it (P8).
package oversight

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
)

// Orgs lists all orgs.
type Orgs interface {
	Orgs(ctx context.Context) ([]turnout.Org, error)
}

// Store holds registrations and seats.
type Store interface {
	Seatings(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]turnout.Seatings, error)
	Parked(ctx context.Context, org turnout.OrgID, dismissed bool, limit int) ([]turnout.Registration, error)
	Unpark(ctx context.Context, org turnout.OrgID, key turnout.Key, now time.Time) (int, error)
	Registration(ctx context.Context, org turnout.OrgID, key turnout.Key) (turnout.Registration, error)
}

// Records opens what is sealed.
type Records interface {
	Open(ctx context.Context, r *turnout.Registration) (turnout.Details, error)
	// Note is what Salesforce said about a parked registration.
	Note(ctx context.Context, r *turnout.Registration) (string, error)
}

// Registrations goes through an org's registrations, those of one event or,
// when it is empty, all of them. An error of yield ends it and is returned.
type Registrations interface {
	Each(ctx context.Context, org turnout.OrgID, event turnout.EventID, yield func(turnout.Registration) error) error
}

// Options of a Desk. The first five are needed; what comes from a function
// that is nil is left out of what is shown.
type Options struct {
	Orgs    Orgs
	Store   Store
	Records Records
	// Event finds a published event, nil for one that is not published.
	Event func(org turnout.OrgID, id turnout.EventID) *turnout.Event
	// Amend changes a registration for an operator; no deadline holds.
	Amend func(ctx context.Context, org turnout.OrgID, e *turnout.Event, key turnout.Key, d turnout.Details) error
	// Dismiss leaves a parked registration as it is, or cancels it.
	Dismiss func(ctx context.Context, org turnout.OrgID, key turnout.Key, cancel bool) error

	// Connection tells how it goes with an org's Salesforce, false when nothing
	// was sent there yet.
	Connection func(org turnout.OrgID) (Connection, bool)
	// Oldest tells since when each org's oldest registration waits.
	Oldest func() map[turnout.OrgID]time.Time
	// Mirror tells how it goes with reading an org.
	Mirror func(ctx context.Context, org turnout.OrgID) (Mirror, error)
	// Migration tells how the moving of these orgs stands.
	Migration func(ctx context.Context, orgs []turnout.Org) (Migration, error)
	// Funnel counts people by how far they came, by event.
	Funnel func(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]Funnel, error)
	// Sessions counts an org's sessions, false where nobody does.
	Sessions func(org turnout.OrgID) (int, bool)
	// Registrations are for the export.
	Registrations Registrations
	// Changed is told of an org that has something to deliver again.
	Changed func(org turnout.OrgID)
	Now     func() time.Time
}

// Desk is where operators sit. Safe for concurrent use.
type Desk struct{ o Options }

// New makes a desk.
func New(o Options) *Desk {
	if o.Connection == nil {
		o.Connection = func(turnout.OrgID) (Connection, bool) { return Connection{}, false }
	}
	if o.Oldest == nil {
		o.Oldest = func() map[turnout.OrgID]time.Time { return nil }
	}
	if o.Mirror == nil {
		o.Mirror = func(context.Context, turnout.OrgID) (Mirror, error) { return Mirror{}, nil }
	}
	if o.Funnel == nil {
		o.Funnel = func(context.Context, turnout.OrgID) (map[turnout.EventID]Funnel, error) { return nil, nil }
	}
	if o.Sessions == nil {
		o.Sessions = func(turnout.OrgID) (int, bool) { return 0, false }
	}
	if o.Changed == nil {
		o.Changed = func(turnout.OrgID) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Desk{o}
}

// Now is the desk's clock.
func (d *Desk) Now() time.Time { return d.o.Now() }

// MostParked is how many parked registrations are counted and shown at most;
// beyond that somebody has a different problem.
const MostParked = 500

// Overview shows every org, by id.
func (d *Desk) Overview(ctx context.Context) ([]Org, error) {
	orgs, err := d.o.Orgs.Orgs(ctx)
	if err != nil {
		return nil, err
	}
	oldest := d.o.Oldest()
	all := make([]Org, 0, len(orgs))
	for _, o := range orgs {
		shown, err := d.org(ctx, o, oldest[o.ID])
		if err != nil {
			return nil, err
		}
		all = append(all, shown)
	}
	return all, nil
}

// Org shows one org; CodeNotFound when there is none.
func (d *Desk) Org(ctx context.Context, id turnout.OrgID) (Org, error) {
	orgs, err := d.o.Orgs.Orgs(ctx)
	if err != nil {
		return Org{}, err
	}
	for _, o := range orgs {
		if o.ID == id {
			return d.org(ctx, o, d.o.Oldest()[id])
		}
	}
	return Org{}, turnout.Errorf(turnout.CodeNotFound, "find org", "there is no such org")
}

func (d *Desk) org(ctx context.Context, o turnout.Org, oldest time.Time) (Org, error) {
	mirror, err := d.o.Mirror(ctx, o.ID)
	if err != nil {
		return Org{}, err
	}
	out := Org{ID: o.ID, Name: o.Name, Hosts: o.Hosts, Mirror: mirror}
	if out.Name == "" {
		out.Name = string(o.ID)
	}
	if c, ok := d.o.Connection(o.ID); ok {
		out.Connection = c
	}
	if n, ok := d.o.Sessions(o.ID); ok {
		out.Sessions = &n
	}
	out.Connection.Budget = budget(out.Connection, o.APIShare)
	if !oldest.IsZero() {
		out.Oldest = &Waiting{Since: oldest.UTC(), Seconds: int64(max(0, d.o.Now().Sub(oldest)).Seconds())}
	}
	parked, err := d.o.Store.Parked(ctx, o.ID, false, MostParked+1)
	if err != nil {
		return Org{}, err
	}
	out.Parked, out.MoreParked = min(len(parked), MostParked), len(parked) > MostParked
	seatings, err := d.o.Store.Seatings(ctx, o.ID)
	if err != nil {
		return Org{}, err
	}
	for id := range seatings {
		if d.o.Event(o.ID, id) != nil {
			out.Events.Published++
		} else {
			out.Events.Unpublished++
		}
	}
	for _, cached := range out.Mirror.Events {
		if len(cached.Faults) > 0 {
			out.Events.Faulty++
		}
	}
	return out, nil
}

// Events shows an org's events by start; those that are not published come last.
func (d *Desk) Events(ctx context.Context, id turnout.OrgID) ([]Event, error) {
	org, err := d.Org(ctx, id)
	if err != nil {
		return nil, err
	}
	seatings, err := d.o.Store.Seatings(ctx, id)
	if err != nil {
		return nil, err
	}
	funnels, err := d.o.Funnel(ctx, id)
	if err != nil {
		return nil, err
	}
	cached := org.Mirror.Events
	all := make([]Event, 0, len(seatings))
	for event, pools := range seatings {
		all = append(all, d.event(id, event, pools, cached[event]))
	}
	for event, c := range cached { // those that were never fit to be shown
		if _, ok := seatings[event]; !ok && len(c.Faults) > 0 {
			all = append(all, d.event(id, event, nil, c))
		}
	}
	for i := range all {
		if f, ok := funnels[all[i].ID]; ok {
			all[i].Funnel = &f
		}
	}
	slices.SortFunc(all, func(a, b Event) int {
		switch {
		case a.Published != b.Published && a.Published:
			return -1
		case a.Published != b.Published:
			return 1
		case !a.Starts.Equal(b.Starts):
			return a.Starts.Compare(b.Starts)
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return all, nil
}

func (d *Desk) event(org turnout.OrgID, id turnout.EventID, seatings turnout.Seatings, cached Cached) Event {
	out := Event{ID: id, Title: string(id), Faults: cached.Faults}
	if !cached.At.IsZero() {
		out.Fetched = &Waiting{Since: cached.At.UTC(), Seconds: int64(max(0, d.o.Now().Sub(cached.At)).Seconds())}
	}
	e := d.o.Event(org, id)
	if e != nil {
		out.Published, out.Slug, out.Title, out.Starts, out.Zone, out.Private = true, e.Slug, e.Title, e.Starts, e.Zone, e.Private
		out.PictureFault = e.Picture.Fault
		for _, claim := range e.Pools() {
			if s, ok := seatings[claim.Pool]; ok {
				out.Pools = append(out.Pools, pool(nameOf(e, claim.Pool), s))
			}
		}
		return out
	}
	for _, p := range slices.Sorted(maps.Keys(seatings)) {
		out.Pools = append(out.Pools, pool(nameOf(&turnout.Event{}, p), seatings[p]))
	}
	return out
}

func pool(name string, s turnout.Seating) Pool {
	out := Pool{Pool: s.Pool, Name: name, Taken: s.Taken, Outside: s.Outside, Waiting: s.Waiting}
	if s.Limit != turnout.Unlimited {
		limit, over := s.Limit, max(0, s.Taken+s.Outside-s.Limit)
		out.Limit, out.Over = &limit, over
	}
	return out
}

// nameOf is what an organiser calls a pool, its id where the event does not say.
func nameOf(e *turnout.Event, p turnout.Pool) string {
	for _, t := range e.Tickets {
		if p == turnout.PoolTicket(t.ID) {
			return t.Name
		}
	}
	for _, item := range e.Agenda {
		if p == turnout.PoolAgenda(item.ID) {
			return item.Name
		}
	}
	if p == turnout.PoolEvent {
		return "Whole event"
	}
	return string(p)
}

package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// debt names what must be loaded again: an event, all of an org where event
// is empty, everything where org is empty too.
type debt struct {
	org   turnout.OrgID
	event turnout.EventID
}

// retry is when a debt is paid next.
type retry struct {
	attempts int
	due      time.Time
}

// maxWait bounds the wait between two attempts of a reload.
const maxWait = 30 * time.Second

// hear takes in a look at the change feed.
func (c *Catalog) hear(ctx context.Context, n News) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n.All {
		_ = c.reloadAll(ctx)
		return
	}
	events := map[turnout.OrgID]map[turnout.EventID]bool{}
	whole := map[turnout.OrgID]bool{}
	for _, change := range n.Changes {
		switch {
		case change.Kind == turnout.ChangeOrg, change.Kind == turnout.ChangeEvent && change.ID == "":
			whole[change.Org] = true
		case change.Kind == turnout.ChangeEvent:
			if events[change.Org] == nil {
				events[change.Org] = map[turnout.EventID]bool{}
			}
			events[change.Org][turnout.EventID(change.ID)] = true
		}
	}
	if len(whole) > 0 && c.reloadDirectory(ctx) != nil {
		return // owed, with all that belongs to it
	}
	for org := range whole {
		c.reloadOrg(ctx, org)
		delete(events, org)
	}
	for org, ids := range events {
		c.reloadEvents(ctx, org, ids)
	}
}

// owe notes that something could not be loaded.
func (c *Catalog) owe(d debt, err error) {
	r := c.owed[d]
	if r == nil {
		r = &retry{}
		c.owed[d] = r
	}
	wait := min(maxWait, time.Second<<min(r.attempts, 10))
	r.attempts, r.due = r.attempts+1, c.o.Now().Add(wait)
	c.o.Logger.Error("reload failed; showing what was there before", "org", d.org, "event", d.event, "attempt", r.attempts, "again_in", wait, "err", err)
}

// pay tries again what is owed and due.
func (c *Catalog) pay(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for d, r := range maps.Clone(c.owed) {
		switch {
		case r.due.After(c.o.Now()) || c.owed[d] == nil:
		case d.org == "":
			_ = c.reloadAll(ctx)
		case d.event == "":
			c.reloadOrg(ctx, d.org)
		default:
			c.reloadEvents(ctx, d.org, map[turnout.EventID]bool{d.event: true})
		}
	}
}

func (c *Catalog) reloadAll(ctx context.Context) error {
	if err := c.reloadDirectory(ctx); err != nil {
		return err
	}
	for org := range c.now.Load().orgs {
		c.reloadOrg(ctx, org)
	}
	return nil
}

// reloadDirectory reads which orgs there are. Their shelves stay.
func (c *Catalog) reloadDirectory(ctx context.Context) error {
	orgs, err := c.o.Orgs.Orgs(ctx)
	if err != nil {
		c.owe(debt{}, err)
		return turnout.Wrap(turnout.CodeOf(err), "read orgs", err)
	}
	delete(c.owed, debt{})
	d, clashes := newDirectory(orgs, c.now.Load())
	for _, x := range clashes {
		c.o.Logger.Error("two orgs claim one host; the first by id keeps it", "host", x.host, "keeps", x.keeps, "asks", x.asks)
	}
	c.now.Store(d)
	return nil
}

// reloadOrg reads all of an org's events. One that cannot be read stays as it
// was.
func (c *Catalog) reloadOrg(ctx context.Context, id turnout.OrgID) {
	org, ok := c.now.Load().orgs[id]
	if !ok {
		return
	}
	sealed, err := c.o.Cache.Events(ctx, id)
	if err != nil {
		c.owe(debt{org: id}, err)
		return
	}
	delete(c.owed, debt{org: id})
	entries := map[turnout.EventID]*Entry{}
	if s := c.shelf(id); s != nil {
		for event := range s.byID {
			entries[event] = nil
		}
	}
	for d := range c.owed { // of events that are gone by now, too
		if d.org == id {
			delete(c.owed, d)
		}
	}
	seats := c.seatings(ctx, id)
	for _, s := range sealed {
		delete(entries, s.ID)
		c.enter(ctx, org, s, seats, entries)
	}
	c.show(org, entries)
}

// reloadEvents reads some events of an org.
func (c *Catalog) reloadEvents(ctx context.Context, id turnout.OrgID, events map[turnout.EventID]bool) {
	org, ok := c.now.Load().orgs[id]
	if !ok {
		return
	}
	seats := c.seatings(ctx, id)
	entries := map[turnout.EventID]*Entry{}
	for event := range events {
		s, err := c.o.Cache.Event(ctx, id, event)
		switch {
		case turnout.CodeOf(err) == turnout.CodeNotFound:
			entries[event] = nil
			delete(c.owed, debt{id, event})
		case err != nil:
			c.owe(debt{id, event}, err)
		default:
			c.enter(ctx, org, s, seats, entries)
		}
	}
	c.show(org, entries)
}

// enter makes an entry of a sealed event.
func (c *Catalog) enter(ctx context.Context, org *turnout.Org, s SealedEvent, seats map[turnout.EventID]turnout.Seatings, entries map[turnout.EventID]*Entry) {
	e, err := c.open(ctx, org.ID, s)
	if err == nil {
		entries[s.ID], err = c.draw(org, e, seats[s.ID])
	}
	if err != nil {
		delete(entries, s.ID) // what is shown stays
		c.owe(debt{org.ID, s.ID}, err)
		return
	}
	delete(c.owed, debt{org.ID, s.ID})
}

// open unseals an event. One that does not open may be sealed under an org key
// that this process has not read yet.
func (c *Catalog) open(ctx context.Context, org turnout.OrgID, s SealedEvent) (*turnout.Event, error) {
	for _, again := range []bool{false, true} {
		ring, err := c.o.Keyring.Ring(ctx, string(org))
		if err != nil {
			return nil, err
		}
		plain, err := ring.Open(s.Sealed, "event", string(s.ID))
		if errors.Is(err, seal.ErrSealed) && !again {
			c.o.Keyring.Drop(string(org))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open event: %w", err)
		}
		e := &turnout.Event{}
		if err := json.Unmarshal(plain, e); err != nil {
			return nil, fmt.Errorf("read event: %w", err)
		}
		return e, nil
	}
	return nil, seal.ErrSealed
}

// draw renders an event as of now.
func (c *Catalog) draw(org *turnout.Org, e *turnout.Event, seats turnout.Seatings) (*Entry, error) {
	entry := &Entry{Org: org, Event: e, Seats: seats, phase: e.Phase(c.o.Now()), free: freeSeats(e, seats)}
	var err error
	if entry.Page, err = c.o.Renderer.Event(org, e, seats); err != nil {
		return nil, fmt.Errorf("draw event: %w", err)
	}
	if entry.Form, err = c.o.Renderer.Form(org, e, seats); err != nil {
		return nil, fmt.Errorf("draw form: %w", err)
	}
	if entry.Card, err = c.o.Renderer.Card(org, e, seats); err != nil {
		return nil, fmt.Errorf("draw card: %w", err)
	}
	return entry, nil
}

// show puts entries into the org's next snapshot.
func (c *Catalog) show(org *turnout.Org, entries map[turnout.EventID]*Entry) {
	place := c.now.Load().shelves[org.ID]
	old := place.Load()
	c.gone.note(org.ID, old, entries)
	next := old.with(entries, c.o.Now())
	if list, err := c.o.Renderer.List(org, next.listed); err != nil {
		c.owe(debt{org: org.ID}, fmt.Errorf("draw list: %w", err))
	} else {
		next.list = list
	}
	place.Store(next)
	for event := range entries {
		delete(c.stale, debt{org.ID, event})
	}
}

// seatings are the seats of an org's events; where they cannot be read, those
// that are shown.
func (c *Catalog) seatings(ctx context.Context, org turnout.OrgID) map[turnout.EventID]turnout.Seatings {
	seats, err := c.o.Seats.Seatings(ctx, org)
	if err == nil {
		return seats
	}
	c.o.Logger.Warn("seats cannot be read; showing older ones", "org", org, "err", err)
	seats = map[turnout.EventID]turnout.Seatings{}
	if s := c.shelf(org); s != nil {
		for id, e := range s.byID {
			seats[id] = e.Seats
		}
	}
	return seats
}

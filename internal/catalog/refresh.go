package catalog

import (
	"context"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

const (
	// refreshEvery is how old the seats on a page may be.
	refreshEvery = time.Second
	// refreshChunk is how many events are drawn before the change feed gets its turn.
	refreshChunk = 20
)

// refresh keeps seats and phases current until ctx ends.
func (c *Catalog) refresh(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.pay(ctx)
			c.refreshOnce(ctx)
		}
	}
}

// refreshOnce draws events again whose free seats or phase are not those they
// were drawn for, those first that have been so for longest.
func (c *Catalog) refreshOnce(ctx context.Context) {
	seats := c.allSeatings(ctx)
	stale := c.findStale(seats)
	for chunk := range slices.Chunk(stale[:min(len(stale), c.o.Renders)], refreshChunk) {
		c.redraw(chunk, seats)
	}
}

// allSeatings reads the seats of every org that shows something. An org whose
// seats cannot be read is left out and keeps those it has.
func (c *Catalog) allSeatings(ctx context.Context) map[turnout.OrgID]map[turnout.EventID]turnout.Seatings {
	all := map[turnout.OrgID]map[turnout.EventID]turnout.Seatings{}
	for id := range c.now.Load().orgs {
		if s := c.shelf(id); s == nil || len(s.byID) == 0 {
			continue
		}
		if seats, err := c.o.Seats.Seatings(ctx, id); err == nil {
			all[id] = seats
		}
	}
	return all
}

func (c *Catalog) findStale(seats map[turnout.OrgID]map[turnout.EventID]turnout.Seatings) []debt {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, found := c.o.Now(), map[debt]time.Time{}
	var order []debt
	for id := range c.now.Load().orgs {
		s := c.shelf(id)
		if s == nil {
			continue
		}
		for event, e := range s.byID {
			if !e.overtaken(now, seats[id]) {
				continue
			}
			d := debt{id, event}
			found[d] = now
			if since, ok := c.stale[d]; ok {
				found[d] = since
			}
			order = append(order, d)
		}
	}
	c.stale = found
	slices.SortFunc(order, func(a, b debt) int { return found[a].Compare(found[b]) })
	return order
}

// overtaken reports whether the entry was drawn for another phase or other
// free seats. Nil seats are not known.
func (e *Entry) overtaken(now time.Time, seats map[turnout.EventID]turnout.Seatings) bool {
	return e.phase != e.Event.Phase(now) || seats != nil && !slices.Equal(e.free, freeSeats(e.Event, seats[e.Event.ID]))
}

// redraw draws some events again and shows them.
func (c *Catalog) redraw(some []debt, seats map[turnout.OrgID]map[turnout.EventID]turnout.Seatings) {
	c.mu.Lock()
	defer c.mu.Unlock()
	drawn := map[turnout.OrgID]map[turnout.EventID]*Entry{}
	for _, d := range some {
		old, ok := c.EventByID(d.org, d.event)
		if !ok {
			continue
		}
		of := old.Seats
		if all, ok := seats[d.org]; ok {
			of = all[d.event]
		}
		entry, err := c.draw(old.Org, old.Event, of)
		if err != nil {
			c.owe(d, err)
			continue
		}
		if drawn[d.org] == nil {
			drawn[d.org] = map[turnout.EventID]*Entry{}
		}
		drawn[d.org][d.event] = entry
	}
	for id, entries := range drawn {
		if org, ok := c.now.Load().orgs[id]; ok {
			c.show(org, entries)
		}
	}
}

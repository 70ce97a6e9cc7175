package catalog

import (
	"sync"

	"github.com/turnout-events/turnout"
)

// withdrawn remembers events that are published no more, as this process showed them
// last. No page is made of them (P5): what was registered for them still goes to
// Salesforce, which wants the names of tickets and questions. A process that starts later
// does not know them.
type withdrawn struct {
	mu     sync.RWMutex
	events map[debt]*turnout.Event
}

// mostWithdrawn bounds them; beyond it all are forgotten.
const mostWithdrawn = 1000

// note learns what becomes of entries: nil is one that goes.
func (w *withdrawn) note(org turnout.OrgID, old *shelf, entries map[turnout.EventID]*Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, entry := range entries {
		key := debt{org, id}
		if entry != nil {
			delete(w.events, key)
			continue
		}
		if old == nil || old.byID[id] == nil {
			continue
		}
		if w.events == nil || len(w.events) >= mostWithdrawn {
			w.events = map[debt]*turnout.Event{}
		}
		w.events[key] = old.byID[id].Event
	}
}

// LastKnown is an event as it was published last, though it may be withdrawn; nil for
// one that was not published while this process ran.
func (c *Catalog) LastKnown(org turnout.OrgID, id turnout.EventID) *turnout.Event {
	if entry, ok := c.EventByID(org, id); ok {
		return entry.Event
	}
	c.gone.mu.RLock()
	defer c.gone.mu.RUnlock()
	return c.gone.events[debt{org, id}]
}

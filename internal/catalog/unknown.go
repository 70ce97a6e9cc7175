package catalog

import (
	"maps"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

const (
	// unknownFor is how long an unknown link is not asked for again. The change
	// feed ends it earlier when links came in.
	unknownFor = 5 * time.Second
	maxUnknown = 20_000
)

// unknown remembers for a short time which links are not in the cache.
type unknown struct {
	mu    sync.Mutex
	until map[spot]time.Time
}

func newUnknown() *unknown { return &unknown{until: map[spot]time.Time{}} }

func (u *unknown) has(at spot, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Before(u.until[at])
}

// add remembers a link unless something was heard since it was asked for. A
// full memory begins anew: it only saves a read of microseconds.
func (u *unknown) add(at spot, now time.Time, current func() bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !current() {
		return
	}
	if len(u.until) >= maxUnknown {
		clear(u.until)
	}
	u.until[at] = now.Add(unknownFor)
}

func (u *unknown) remove(at spot) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.until, at)
}

func (u *unknown) clear() {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.until)
}

func (u *unknown) clearOrg(org turnout.OrgID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.until, func(at spot, _ time.Time) bool { return at.org == org })
}

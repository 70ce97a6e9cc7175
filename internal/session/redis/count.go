package redis

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/turnout-events/turnout"
)

// activeFor is how long after it was last seen a session counts as active.
const activeFor = 5 * time.Minute

// countScript counts what was seen lately, by the server's clock.
//
//	KEYS all
//	ARGV lately in ms
const countScript = `
local time = redis.call('TIME')
return redis.call('ZCOUNT', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1], '+inf')`

// counts are the latest.
type counts struct {
	mu     sync.Mutex
	active map[turnout.OrgID]int
}

// Active is how many sessions of each org were seen within five minutes, on all
// instances, as it was last counted; nil while Redis is away.
func (e *Engine) Active() map[turnout.OrgID]int {
	if e.o.Server.Away() {
		return nil
	}
	e.counts.mu.Lock()
	defer e.counts.mu.Unlock()
	return maps.Clone(e.counts.active)
}

// Count counts the sessions of every org. Run does so every few seconds.
func (e *Engine) Count(ctx context.Context) {
	active := map[turnout.OrgID]int{}
	for _, org := range e.o.Orgs() {
		ring, err := e.o.Keyring.Ring(ctx, string(org))
		if err != nil {
			continue // its metric is missing, which is what is known
		}
		all := orgNames(ring).org
		err = e.o.Server.Do(ctx, func(ctx context.Context, c rueidis.Client) error {
			n, err := e.scripts.count.Exec(ctx, c, []string{all}, []string{milliseconds(activeFor)}).AsInt64()
			active[org] = int(n)
			return err
		})
		if err != nil {
			return // away, or refused: what was counted before is better than nothing
		}
	}
	e.counts.mu.Lock()
	defer e.counts.mu.Unlock()
	e.counts.active = active
}

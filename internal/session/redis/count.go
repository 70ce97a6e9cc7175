package redis

import (
	"context"
	"maps"
	"slices"
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

// countAtOnce is how many orgs are counted in one exchange: what is to be kept waits
// for that, and not for as many exchanges as there are orgs.
const countAtOnce = 512

// Count counts the sessions of every org. Run does so every few seconds.
func (e *Engine) Count(ctx context.Context) {
	active := map[turnout.OrgID]int{}
	for some := range slices.Chunk(e.o.Orgs(), countAtOnce) {
		if e.countSome(ctx, some, active) != nil {
			return // away, or refused: what was counted before is better than nothing
		}
	}
	e.counts.mu.Lock()
	defer e.counts.mu.Unlock()
	e.counts.active = active
}

func (e *Engine) countSome(ctx context.Context, some []turnout.OrgID, active map[turnout.OrgID]int) error {
	var orgs []turnout.OrgID
	var batch []rueidis.LuaExec
	for _, org := range some {
		ring, err := e.o.Keyring.Ring(ctx, string(org))
		if err != nil {
			continue // its metric is missing, which is what is known
		}
		orgs = append(orgs, org)
		batch = append(batch, rueidis.LuaExec{Keys: []string{orgNames(ring).org}, Args: []string{milliseconds(activeFor)}})
	}
	if len(batch) == 0 {
		return nil
	}
	return e.o.Server.Do(ctx, func(ctx context.Context, c rueidis.Client) error {
		for i, r := range e.scripts.count.ExecMulti(ctx, c, batch...) {
			n, err := r.AsInt64()
			if err != nil {
				return err
			}
			active[orgs[i]] = int(n)
		}
		return nil
	})
}

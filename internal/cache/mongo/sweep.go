package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// sweepEvery is how often an instance sweeps. Several may at once: what one has
	// removed the others do not find.
	sweepEvery = 10 * time.Minute
	// unfinished is the age at which a write has lost its writer: no call takes
	// that long, and clocks may differ by a minute.
	unfinished = 10 * time.Minute
	// sweepAtOnce is how many documents one step takes, so that no instance works
	// for long what another one might have done.
	sweepAtOnce = 1000
)

// Run sweeps until ctx ends: it finishes what writers that died have left, and
// drops removals of links that are old enough. What fails is tried again.
func (c *Cache) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := c.sweep(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("cache: sweeping failed; it is tried again", "again_in", sweepEvery, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep sweeps once. A database that was dropped meanwhile gets its indexes back.
func (c *Cache) sweep(ctx context.Context) error {
	for _, step := range []func(context.Context) (int, error){
		func(ctx context.Context) (int, error) { return 0, c.prepare(ctx) },
		c.finish, c.expire,
	} {
		for left := sweepAtOnce; left == sweepAtOnce; {
			err := do(ctx, "sweep", c.longest, func(ctx context.Context) (err error) {
				left, err = step(ctx)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// finish removes the older versions that a writer did not come to remove.
func (c *Cache) finish(ctx context.Context) (int, error) {
	left, err := find[pendingDoc](ctx, c.pending, before("at", c.now().Add(-unfinished)), options.Find().SetLimit(sweepAtOnce))
	if err != nil {
		return 0, err
	}
	for _, note := range left {
		if err := supersede(ctx, c.links, note.Keys); err != nil {
			return 0, err
		}
		if _, err := c.pending.DeleteOne(ctx, byID(note.ID)); err != nil {
			return 0, err
		}
	}
	return len(left), nil
}

// expire drops old removals, and before them whatever older version is left: it
// would be the newest then.
func (c *Cache) expire(ctx context.Context) (int, error) {
	expired, err := idsOf(ctx, c.links, before("x", c.now()), options.Find().SetLimit(sweepAtOnce))
	if err != nil || len(expired) == 0 {
		return 0, err
	}
	keys := make([]string, len(expired))
	for i, id := range expired {
		keys[i] = keyOf(id)
	}
	if err := supersede(ctx, c.links, keys); err != nil {
		return 0, err
	}
	return len(expired), remove(ctx, c.links, expired)
}

func before(field string, at time.Time) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$lt", Value: at}}}}
}

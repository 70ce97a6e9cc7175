package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/turnout-events/turnout"
)

// cursorDoc is where a cursor was moved to. Moves are numbered in the _id, and
// there is one of each number: of two who move it from the same place one
// inserts, and the other meets a duplicate.
type cursorDoc struct {
	ID  string `bson:"_id"`
	Key string `bson:"k"`
	At  int64  `bson:"at"` // milliseconds since 1970, UTC; 0 for no time
}

// Cursor returns how far the mirror has read, the zero time if it never did.
func (c *Cache) Cursor(ctx context.Context, org turnout.OrgID, name string) (at time.Time, err error) {
	err = do(ctx, "read cursor "+name, c.patience, func(ctx context.Context) error {
		last, err := c.lastMove(ctx, scoped(org, name))
		at = instant(last.At)
		return err
	})
	return at, err
}

// lastMove is the last move of a cursor, or one without an _id.
func (c *Cache) lastMove(ctx context.Context, key string) (last cursorDoc, err error) {
	moves, err := find[cursorDoc](ctx, c.cursors, bson.D{{Key: "k", Value: key}})
	for _, m := range moves {
		if m.ID > last.ID {
			last = m
		}
	}
	return last, err
}

// SetCursor moves a cursor, backwards too, from what the caller read before.
// It is false, and nothing is changed, where another time is stored: somebody
// else moved the cursor, or the database was begun anew since and lacks what the
// cursor would claim.
func (c *Cache) SetCursor(ctx context.Context, org turnout.OrgID, name string, from, to time.Time) (moved bool, err error) {
	err = do(ctx, "set cursor "+name, c.longest, func(ctx context.Context) error {
		moved, err = c.move(ctx, scoped(org, name), from, to)
		return err
	})
	return moved, err
}

func (c *Cache) move(ctx context.Context, key string, from, to time.Time) (bool, error) {
	last, err := c.lastMove(ctx, key)
	if err != nil || last.At != millis(from) {
		return false, err
	}
	var number uint64
	if last.ID != "" {
		if number, err = numberOf(last.ID); err != nil {
			return false, err
		}
	}
	next := cursorDoc{ID: numbered(key, number+1, kindThere), Key: key, At: millis(to)}
	if _, err := c.cursors.InsertOne(ctx, next); err != nil {
		if driver.IsDuplicateKeyError(err) {
			return false, nil
		}
		return false, err
	}
	// Whoever slept since it read may have filled a number that was removed.
	ids, err := idsOf(ctx, c.cursors, bson.D{{Key: "k", Value: key}})
	if err != nil {
		return false, err
	}
	older, newest := split(ids)
	if err := remove(ctx, c.cursors, older); err != nil {
		return false, err
	}
	return len(newest) == 1 && newest[0] == next.ID, nil
}

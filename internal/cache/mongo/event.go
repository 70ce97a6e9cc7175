package mongo

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/turnout-events/turnout"
)

// SealedEvent is a published event as the cache holds it. It is an alias of
// an unnamed type, so that engines and those who read them agree on it
// without importing each other.
type SealedEvent = struct {
	ID   turnout.EventID
	Slug string
	// Sealed is the turnout.Event under the org's key.
	Sealed []byte
	// Modified is the record's SystemModstamp.
	Modified time.Time
}

// eventDoc is a version of an event.
type eventDoc struct {
	ID     string `bson:"_id"`
	Key    string `bson:"k"`
	Org    string `bson:"o"`
	Event  string `bson:"e"`
	Slug   string `bson:"slug"`
	Sealed []byte `bson:"s"`
}

func (d *eventDoc) open() (SealedEvent, error) {
	at, err := timeOf(d.ID)
	return SealedEvent{ID: turnout.EventID(d.Event), Slug: d.Slug, Sealed: blob(d.Sealed), Modified: at}, err
}

// PutEvent stores an event unless a newer one of the same id is there.
func (c *Cache) PutEvent(ctx context.Context, org turnout.OrgID, id turnout.EventID, slug string, sealed []byte, modified time.Time) error {
	return do(ctx, "store event "+string(id), c.longest, func(ctx context.Context) error {
		key := scoped(org, string(id))
		d := eventDoc{ID: timed(key, modified, kindThere), Key: key, Org: string(org), Event: string(id), Slug: slug, Sealed: blob(sealed)}
		return put(ctx, c.events, []versioned{{d.ID, d}})
	})
}

// DeleteEvent removes an event; it need not be there.
func (c *Cache) DeleteEvent(ctx context.Context, org turnout.OrgID, id turnout.EventID) error {
	return do(ctx, "remove event "+string(id), c.longest, func(ctx context.Context) error {
		key := scoped(org, string(id))
		ids, err := idsOf(ctx, c.events, bson.D{{Key: "k", Value: key}})
		if err != nil {
			return err
		}
		if err := removeAll(ctx, c.events, ids); err != nil {
			return err
		}
		_, err = c.fetched.DeleteOne(ctx, byID(key))
		return err
	})
}

// Event returns one event, or CodeNotFound.
func (c *Cache) Event(ctx context.Context, org turnout.OrgID, id turnout.EventID) (SealedEvent, error) {
	op := "read event " + string(id)
	found, err := c.newestEvents(ctx, op, c.patience, bson.D{{Key: "k", Value: scoped(org, string(id))}})
	if err != nil {
		return SealedEvent{}, err
	}
	if len(found) == 0 {
		return SealedEvent{}, &turnout.Error{Code: turnout.CodeNotFound, Op: op}
	}
	return found[0], nil
}

// Events returns all events of the org by id, none for an unknown org.
func (c *Cache) Events(ctx context.Context, org turnout.OrgID) ([]SealedEvent, error) {
	return c.newestEvents(ctx, "read events", wholeOrg*c.patience, bson.D{{Key: "o", Value: string(org)}})
}

// wholeOrg is how much longer it may take to read all of an org's events than one.
const wholeOrg = 3

// newestEvents reads events by id, and of each the newest version.
func (c *Cache) newestEvents(ctx context.Context, op string, bound time.Duration, filter bson.D) (events []SealedEvent, err error) {
	err = do(ctx, op, bound, func(ctx context.Context) error {
		found, err := find[eventDoc](ctx, c.events, filter)
		if err != nil {
			return err
		}
		slices.SortFunc(found, func(a, b eventDoc) int {
			return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.ID, b.ID))
		})
		for i := range found {
			if i+1 < len(found) && found[i+1].Key == found[i].Key {
				continue
			}
			e, err := found[i].open()
			if err != nil {
				return err
			}
			events = append(events, e)
		}
		return nil
	})
	slices.SortFunc(events, func(a, b SealedEvent) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return events, err
}

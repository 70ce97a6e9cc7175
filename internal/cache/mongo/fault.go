package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/turnout-events/turnout"
)

// faultDoc is why an event cannot be shown; its _id is the event's key.
type faultDoc struct {
	ID     string `bson:"_id"`
	Org    string `bson:"o"`
	Event  string `bson:"e"`
	Sealed []byte `bson:"s"`
}

// PutFault keeps why an event cannot be shown, sealed, in place of what was
// known before.
func (c *Cache) PutFault(ctx context.Context, org turnout.OrgID, id turnout.EventID, sealed []byte) error {
	return do(ctx, "store fault of event "+string(id), c.longest, func(ctx context.Context) error {
		d := faultDoc{ID: scoped(org, string(id)), Org: string(org), Event: string(id), Sealed: blob(sealed)}
		return replace(ctx, c.faults, []versioned{{d.ID, d}})
	})
}

// DeleteFault removes an event's fault; it need not be there.
func (c *Cache) DeleteFault(ctx context.Context, org turnout.OrgID, id turnout.EventID) error {
	return do(ctx, "remove fault of event "+string(id), c.longest, func(ctx context.Context) error {
		_, err := c.faults.DeleteOne(ctx, byID(scoped(org, string(id))))
		return err
	})
}

// Faults returns the faults of the org's events, none for an unknown org.
func (c *Cache) Faults(ctx context.Context, org turnout.OrgID) (map[turnout.EventID][]byte, error) {
	all := map[turnout.EventID][]byte{}
	err := do(ctx, "read faults of events", c.longest, func(ctx context.Context) error {
		found, err := find[faultDoc](ctx, c.faults, bson.D{{Key: "o", Value: string(org)}})
		for _, d := range found {
			all[turnout.EventID(d.Event)] = blob(d.Sealed)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

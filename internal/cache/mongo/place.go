package mongo

import (
	"context"
	"errors"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/turnout-events/turnout"
)

// placeDoc is where reading something stands. The mirror holds it against the
// cursor, so that an older one which a sleeper wrote last does no harm.
type placeDoc struct {
	ID    string `bson:"_id"`
	Place string `bson:"place"`
}

// Place returns what SetPlace left of that name, "" if nothing.
func (c *Cache) Place(ctx context.Context, org turnout.OrgID, name string) (string, error) {
	var d placeDoc
	err := do(ctx, "read place "+name, c.patience, func(ctx context.Context) error {
		err := c.places.FindOne(ctx, byID(scoped(org, name))).Decode(&d)
		if errors.Is(err, driver.ErrNoDocuments) {
			return nil
		}
		return err
	})
	return d.Place, err
}

// SetPlace keeps where reading something stands, in place of what was kept
// before; "" removes it.
func (c *Cache) SetPlace(ctx context.Context, org turnout.OrgID, name, place string) error {
	return do(ctx, "set place "+name, c.longest, func(ctx context.Context) error {
		id := scoped(org, name)
		if place == "" {
			_, err := c.places.DeleteOne(ctx, byID(id))
			return err
		}
		return replace(ctx, c.places, []versioned{{id, placeDoc{ID: id, Place: place}}})
	})
}

package mongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/turnout-events/turnout"
)

// pictureDoc is a file of a picture. Its name is made of its bytes, so that it needs no
// versions: of two writers both write the same.
type pictureDoc struct {
	ID     string    `bson:"_id"`
	Org    string    `bson:"o"`
	Name   string    `bson:"n"`
	Sealed []byte    `bson:"s"`
	At     time.Time `bson:"at"`
}

// PutPicture stores a file of a picture, sealed, whose name is made of its bytes.
func (c *Cache) PutPicture(ctx context.Context, org turnout.OrgID, name string, sealed []byte, at time.Time) error {
	return do(ctx, "store picture", c.longest, func(ctx context.Context) error {
		d := pictureDoc{ID: scoped(org, name), Org: string(org), Name: name, Sealed: blob(sealed), At: at.UTC()}
		return replace(ctx, c.pictures, []versioned{{d.ID, d}})
	})
}

// Picture returns a file of a picture, or CodeNotFound.
func (c *Cache) Picture(ctx context.Context, org turnout.OrgID, name string) ([]byte, error) {
	const op = "read picture"
	var d pictureDoc
	err := do(ctx, op, c.patience, func(ctx context.Context) error {
		err := c.pictures.FindOne(ctx, byID(scoped(org, name))).Decode(&d)
		if errors.Is(err, driver.ErrNoDocuments) {
			return nil
		}
		return err
	})
	if err == nil && d.ID == "" {
		err = &turnout.Error{Code: turnout.CodeNotFound, Op: op}
	}
	return d.Sealed, err
}

// Pictures lists the files of an org's pictures, and when each was stored.
func (c *Cache) Pictures(ctx context.Context, org turnout.OrgID) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	err := do(ctx, "list pictures", c.longest, func(ctx context.Context) error {
		without := options.Find().SetProjection(bson.D{{Key: "n", Value: 1}, {Key: "at", Value: 1}})
		found, err := find[pictureDoc](ctx, c.pictures, bson.D{{Key: "o", Value: string(org)}}, without)
		for _, d := range found {
			all[d.Name] = d.At.UTC()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// DeletePicture removes a file of a picture; it need not be there.
func (c *Cache) DeletePicture(ctx context.Context, org turnout.OrgID, name string) error {
	return do(ctx, "remove picture", c.longest, func(ctx context.Context) error {
		_, err := c.pictures.DeleteOne(ctx, byID(scoped(org, name)))
		return err
	})
}

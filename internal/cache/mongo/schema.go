package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// schemaVersion is what this program writes.
	schemaVersion = 1
	// readableFrom is the oldest version whose programs may use what this one writes.
	readableFrom = 1
)

// metaCollection holds one document that says whose the database is.
const metaCollection = "turnout"

// metaDoc is that document.
type metaDoc struct {
	ID         string    `bson:"_id"`
	Version    int       `bson:"version"`
	Readable   int       `bson:"readable_from"`
	Deployment string    `bson:"deployment"`
	Made       time.Time `bson:"made"`
}

const metaID = "cache"

// prepare checks whose database this is, claims an empty one, and makes what it
// lacks. Instances that start together do it at once and find the same.
func (c *Cache) prepare(ctx context.Context) error {
	if err := c.claim(ctx); err != nil {
		return err
	}
	return c.index(ctx)
}

// look checks all that can be checked without a change, and without knowing whose
// it should be.
func (c *Cache) look(ctx context.Context) error {
	var have metaDoc
	err := c.db.Collection(metaCollection).FindOne(ctx, byID(metaID)).Decode(&have)
	if errors.Is(err, driver.ErrNoDocuments) {
		return c.unclaimed(ctx)
	}
	if err != nil {
		return err
	}
	return have.fits(have.Deployment)
}

func (c *Cache) claim(ctx context.Context) error {
	meta := c.db.Collection(metaCollection)
	var have metaDoc
	err := meta.FindOne(ctx, byID(metaID)).Decode(&have)
	if errors.Is(err, driver.ErrNoDocuments) {
		if err := c.unclaimed(ctx); err != nil {
			return err
		}
		have = metaDoc{ID: metaID, Version: schemaVersion, Readable: readableFrom, Deployment: c.deployment, Made: c.now()}
		if _, err = meta.InsertOne(ctx, have); driver.IsDuplicateKeyError(err) {
			err = meta.FindOne(ctx, byID(metaID)).Decode(&have)
		}
	}
	if err != nil {
		return err
	}
	return have.fits(c.deployment)
}

// fits refuses what this program must not touch.
func (have metaDoc) fits(deployment string) error {
	switch {
	case have.Version < schemaVersion:
		return cause{errSchema, fmt.Sprintf("it has version %d and this program needs %d; name an empty database, which is filled again from Salesforce", have.Version, schemaVersion)}
	case have.Readable > schemaVersion:
		return cause{errSchema, fmt.Sprintf("it has version %d and can be used from version %d on, this program knows %d; use the newer program", have.Version, have.Readable, schemaVersion)}
	case have.Deployment != deployment:
		return errOthers
	}
	return nil
}

// Clear begins the cache anew: everything is dropped but whose it is, and the
// mirror fills it again from Salesforce. Cursors go first: where they are gone,
// nothing that is missing is taken for read.
func (c *Cache) Clear(ctx context.Context) error {
	return do(ctx, "begin the cache anew", c.longest, func(ctx context.Context) error {
		for _, in := range []*driver.Collection{c.cursors, c.places, c.pending, c.links, c.pictures, c.events, c.faults, c.fetched} {
			if err := in.Drop(ctx); err != nil {
				return err
			}
		}
		return c.index(ctx)
	})
}

// unclaimed refuses a database that holds what is none of the cache's.
func (c *Cache) unclaimed(ctx context.Context) error {
	names, err := c.db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return err
	}
	ours := []string{metaCollection, "links", "events", "cursors", "places", "faults", "fetched", "pending", "pictures"}
	for _, name := range names {
		if !slices.Contains(ours, name) {
			return errForeign
		}
	}
	return nil
}

// index makes the indexes, which does nothing where they are. Every document has
// every field that they are on.
func (c *Cache) index(ctx context.Context) error {
	versions := ascending("k", "_id")
	for in, indexes := range map[*driver.Collection][]driver.IndexModel{
		c.links:    {versions, ascending("p"), ascending("o", "e")},
		c.events:   {versions, ascending("o")},
		c.cursors:  {versions},
		c.faults:   {ascending("o")},
		c.fetched:  {ascending("o")},
		c.pending:  {ascending("o"), ascending("at")},
		c.pictures: {ascending("o")},
	} {
		for _, i := range indexes { // FerretDB fails on several of which some are there
			if _, err := in.Indexes().CreateOne(ctx, i); err != nil {
				return fmt.Errorf("make indexes of %s: %w", in.Name(), err)
			}
		}
	}
	return c.indexExpiry(ctx)
}

// indexExpiry lets the server drop what has expired, long after the sweeper
// should have. A server that cannot do that leaves it to the sweeper.
func (c *Cache) indexExpiry(ctx context.Context) error {
	expiry := ascending("x")
	expiry.Options = options.Index().SetExpireAfterSeconds(int32(removalsKept.Seconds()))
	_, err := c.links.Indexes().CreateOne(ctx, expiry)
	var refused driver.CommandError
	if errors.As(err, &refused) && codeOf(err) == codeOf(errUnsaid) {
		c.log.Info("the cache engine drops nothing by itself; the sweeper alone does", "why", refused.Name)
		_, err = c.links.Indexes().CreateOne(ctx, ascending("x"))
	}
	return err
}

// errUnsaid stands for every error of which nothing is known.
var errUnsaid = errors.New("unsaid")

func ascending(fields ...string) driver.IndexModel {
	var keys bson.D
	for _, f := range fields {
		keys = append(keys, bson.E{Key: f, Value: 1})
	}
	return driver.IndexModel{Keys: keys}
}

// Package mongo is the cache for more than one machine: the mirror of
// Salesforce, which is published events and AttendeeLinks, sealed, in a MongoDB
// database that many instances share.
//
// It promises what any engine of the cache promises (package cachetest), and
// asks little of the server for it: inserts, upserts, reads and deletes by _id
// or by one indexed field, in bulks without order. There are no transactions and
// no conditional updates, so the order of two writers is in the documents
// themselves: a version ends the _id of each, versions lie beside each other, the
// newest one counts, and what it replaces is removed after it was written
// (version.go). Whatever comes in between, and in whatever order, nothing older
// comes back.
//
// Nothing here is the truth: a database that is lost is filled again from
// Salesforce. While the server is away every call fails within seconds with
// CodeUnavailable, and works again when it is back. Outside of this machine the
// wire is TLS 1.2 or newer (P8).
package mongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/turnout-events/turnout"
)

// Options of a cache.
type Options struct {
	// URL is mongodb://user@host,host/database?tls=true or
	// mongodb+srv://user@host/database; the database is "turnout" if unsaid.
	URL string
	// Deployment names whose cache it is, by something that all instances of it
	// have and nobody else. A database that another one has begun is refused.
	Deployment string
	// Logger hears of what the sweeper cannot do; nil means silence.
	Logger *slog.Logger
	// Patience is how long a read of one thing waits, which a visitor may wait for,
	// and any call for a server that is away; 0 means 2 s.
	Patience time.Duration
}

const (
	ordinaryPatience = 2 * time.Second
	// longest is how long anything else takes at most, a chunk of links or a count,
	// unless Options have more patience with a single read.
	longest = 30 * time.Second
)

// Cache is an open cache. All methods are safe for concurrent use.
type Cache struct {
	log        *slog.Logger
	deployment string
	patience   time.Duration
	longest    time.Duration
	client     *driver.Client
	db         *driver.Database
	// now is the clock, in tests another one.
	now  func() time.Time
	once sync.Once

	links, events, cursors, places, faults, fetched, pending, pictures *driver.Collection
}

// Open connects to the cache and makes what it lacks. A URL without TLS, a server
// that does not answer or refuses the credentials, a database that is something
// else's or another deployment's, and a schema that this program does not know
// are errors of one line, and leave everything as it is.
func Open(ctx context.Context, o Options) (*Cache, error) {
	c, err := reach(ctx, o, (*Cache).prepare)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Look tells with which error Open would refuse a cache, and changes nothing there.
// Whose it is it leaves to Open: Options need no Deployment.
func Look(ctx context.Context, o Options) error {
	c, err := reach(ctx, o, (*Cache).look)
	if err != nil {
		return err
	}
	return c.Close()
}

// reach connects to a cache for which first has no error.
func reach(ctx context.Context, o Options, first func(*Cache, context.Context) error) (*Cache, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Patience == 0 {
		o.Patience = ordinaryPatience
	}
	set, at, err := parse(o.URL)
	if err != nil {
		return nil, turnout.Errorf(turnout.CodeMisconfigured, "open cache", "%v", err)
	}
	if set.ServerSelectionTimeout == nil {
		set.SetServerSelectionTimeout(o.Patience)
	}
	client, err := driver.Connect(set)
	if err != nil { // it may quote what is secret
		return nil, turnout.Errorf(turnout.CodeMisconfigured, "open cache", "%v", errUnreadable)
	}
	c := newCache(client, at.database, o)
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if err := first(c, ctx); err != nil {
		_ = c.Close()
		code, op := codeOf(err), fmt.Sprintf("open cache %s at %s", at.database, at.hosts)
		if err = plain(err); errors.Is(err, errAway) {
			err = fmt.Errorf("%w; start it, or mend host and port in the cache's URL", err)
		}
		return nil, turnout.Wrap(code, op, err)
	}
	return c, nil
}

func newCache(client *driver.Client, database string, o Options) *Cache {
	db := client.Database(database)
	return &Cache{
		log: o.Logger, deployment: o.Deployment, patience: o.Patience, longest: max(longest, o.Patience), client: client, db: db, now: time.Now,
		links: db.Collection("links"), events: db.Collection("events"), cursors: db.Collection("cursors"), places: db.Collection("places"),
		faults: db.Collection("faults"), fetched: db.Collection("fetched"), pending: db.Collection("pending"), pictures: db.Collection("pictures"),
	}
}

// Close closes the connections. It may be called twice.
func (c *Cache) Close() (err error) {
	c.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), c.patience)
		defer cancel()
		err = c.client.Disconnect(ctx)
	})
	return err
}

// do runs one call with a bound, and gives its error a code.
func do(ctx context.Context, op string, bound time.Duration, call func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	if err := call(ctx); err != nil {
		return turnout.Wrap(codeOf(err), op, plain(err))
	}
	return nil
}

// unordered goes on behind a document that is there already.
func unordered() *options.InsertManyOptionsBuilder { return options.InsertMany().SetOrdered(false) }

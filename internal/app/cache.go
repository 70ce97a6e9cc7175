package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/cache/mongo"
	"github.com/turnout-events/turnout/internal/cache/sqlite"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/erasure"
	"github.com/turnout-events/turnout/internal/mirror"
)

// Cache is the mirror of Salesforce, on whichever engine.
type Cache interface {
	mirror.EventCache
	mirror.LinkCache
	mirror.Cursors
	mirror.FaultCache
	mirror.PictureCache
	catalog.Events
	catalog.LinkCache
	catalog.PictureCache
	erasure.Cache

	Fetched(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]time.Time, error)
	CountLinks(ctx context.Context, org turnout.OrgID) (int, error)
	Invited(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]int, error)
	Close() error
}

// sweeping is a cache that has to be tidied up beside its use, until ctx ends.
type sweeping interface {
	Run(ctx context.Context) error
}

// MongoDB is the kind of cache that several machines share.
const MongoDB = "MongoDB"

// cacheScope is whose keys tell one deployment's cache from another's. It is no org's id.
const cacheScope = "cache engine"

// openCache opens the cache that cfg names.
func (e *Engines) openCache(ctx context.Context, cfg config.Config, log *slog.Logger) (Cache, error) {
	if cfg.Cache == "" {
		c, err := sqlite.Open(ctx, sqlite.Options{Path: CachePath(cfg), Logger: log})
		if err != nil {
			return nil, err // and not an interface that holds nothing
		}
		return c, nil
	}
	c, err := e.openMongo(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// lookAtCache tells what is wrong with the cache that cfg names before anything is
// made or changed, in the store too.
func lookAtCache(ctx context.Context, cfg config.Config) error {
	if cfg.Cache == "" {
		return nil
	}
	return mongo.Look(ctx, mongo.Options{URL: cfg.Cache})
}

func (e *Engines) openMongo(ctx context.Context, cfg config.Config, log *slog.Logger) (*mongo.Cache, error) {
	deployment, err := e.deployment(ctx)
	if err != nil {
		return nil, err
	}
	return mongo.Open(ctx, mongo.Options{URL: cfg.Cache, Deployment: deployment, Logger: log})
}

// deskCache is what an operator's commands ask of the cache.
type deskCache interface {
	erasure.Cache
	Event(ctx context.Context, org turnout.OrgID, id turnout.EventID) (catalog.SealedEvent, error)
	Close() error
}

// openDeskCache opens the cache for commands, which need not wait for one that is
// away: somebody's key can be destroyed without it.
func (e *Engines) openDeskCache(ctx context.Context, cfg config.Config, log *slog.Logger) (deskCache, error) {
	c, err := e.openCache(ctx, cfg, log)
	if turnout.CodeOf(err) == turnout.CodeUnavailable {
		return awayCache{err}, nil
	}
	return c, err
}

// awayCache answers everything with why there is none.
type awayCache struct{ err error }

func (c awayCache) DeletePerson(context.Context, turnout.OrgID, turnout.PersonID) error { return c.err }
func (c awayCache) Close() error                                                        { return nil }

func (c awayCache) Event(context.Context, turnout.OrgID, turnout.EventID) (catalog.SealedEvent, error) {
	return catalog.SealedEvent{}, c.err
}

// deployment is a name that all instances on one store have, and no others: it
// comes from a key that rests in the store and never changes.
func (e *Engines) deployment(ctx context.Context) (string, error) {
	ring, err := e.Keyring.Ring(ctx, cacheScope)
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(ring.MAC("deployment")[:16]), nil
}

// clearCache begins the MongoDB cache anew, for a store that was put back to an
// earlier time.
func clearCache(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	e, err := OpenExisting(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	c, err := e.openMongo(ctx, cfg, log)
	if err != nil {
		return fmt.Errorf("the store is restored, but its cache must be begun anew: drop the database that cache names before anything is started: %w", err)
	}
	return errors.Join(c.Clear(ctx), c.Close())
}

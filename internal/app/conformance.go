package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/turnout-events/turnout/internal/cache/cachetest"
	"github.com/turnout-events/turnout/internal/cache/mongo"
	"github.com/turnout-events/turnout/internal/conformance"
	"github.com/turnout-events/turnout/internal/redis"
	"github.com/turnout-events/turnout/internal/session/cookie"
	sessionredis "github.com/turnout-events/turnout/internal/session/redis"
	"github.com/turnout-events/turnout/internal/session/sessiontest"
	"github.com/turnout-events/turnout/internal/store/postgres"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
	"github.com/turnout-events/turnout/internal/store/storetest"
)

// Suite is a conformance suite, bound to an engine.
type Suite struct {
	// Name is the engine's role: store, cache, sessions.
	Name string
	// Reach tells whether the engine can be used at all: made, written to and dropped.
	Reach func(ctx context.Context) error
	Run   func(t conformance.T)
}

// scratchPrefix begins the names of all that a conformance run makes.
const scratchPrefix = "turnout_conformance_"

// ScratchNames are what the schemas and databases of a run are called, up to a
// number behind it.
func ScratchNames(run string) string { return scratchPrefix + run }

// scratches keeps a run's places apart: each has a name that every process of the
// run makes of the place's directory, and is dropped by the test that opened it first.
type scratches struct {
	run string

	mu   sync.Mutex
	open map[string]bool
}

func (s *scratches) name(dir string) string {
	return ScratchNames(s.run) + fmt.Sprintf("_%x", sha256.Sum256([]byte(dir)))[:13]
}

// first says whether nobody has opened a place before, and lets drop follow the test.
func (s *scratches) first(t conformance.T, dir string, drop func(context.Context) error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[dir] {
		return false
	}
	if s.open == nil {
		s.open = map[string]bool{}
	}
	s.open[dir] = true
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), dropWithin)
		defer cancel()
		if err := drop(ctx); err != nil {
			t.Errorf("%s stays behind: %v", s.name(dir), err)
		}
	})
	return true
}

// dropWithin bounds the dropping of a schema or database, which goes on when the
// run was interrupted.
const dropWithin = 30 * time.Second

// StoreSuite is the store's, in schemas of the database that url names. All
// processes of a run have its name in common.
func StoreSuite(url, run string) (Suite, error) {
	if err := wire.Check(url); err != nil {
		return Suite{}, err
	}
	s := &scratches{run: run}
	open := func(t conformance.T, dir string) storetest.Store {
		t.Helper()
		scratch := postgres.NewScratch(url, s.name(dir))
		err := scratch.Make(t.Context())
		if err == nil && !s.first(t, dir, scratch.Drop) {
			err = scratch.Quiet(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		store, err := postgres.Open(t.Context(), postgres.Options{URL: scratch.URL()})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	return Suite{Name: "store", Reach: func(ctx context.Context) error {
		scratch := postgres.NewScratch(url, s.name("reach"))
		if err := scratch.Make(ctx); err != nil {
			return err
		}
		return scratch.Drop(ctx)
	}, Run: func(t conformance.T) { storetest.Run(t, open) }}, nil
}

// CacheSuite is the cache's, in databases beside the one that url names.
func CacheSuite(url, run string) (Suite, error) {
	if err := mongo.Check(url); err != nil {
		return Suite{}, err
	}
	s := &scratches{run: run}
	options := func(dir string) mongo.Options {
		return mongo.Options{URL: mongo.Beside(url, s.name(dir)), Deployment: ScratchNames(run), Patience: 10 * time.Second}
	}
	open := func(t conformance.T, dir string) cachetest.Cache {
		t.Helper()
		o := options(dir)
		s.first(t, dir, func(ctx context.Context) error { return mongo.Drop(ctx, o.URL) })
		cache, err := mongo.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return cache
	}
	return Suite{Name: "cache", Reach: func(ctx context.Context) error {
		o := options("reach")
		cache, err := mongo.Open(ctx, o)
		if err != nil {
			return err
		}
		defer cache.Close()
		return mongo.Drop(ctx, o.URL)
	}, Run: func(t conformance.T) { cachetest.Run(t, open, mongo.ChunkLinks) }}, nil
}

// SessionSuite is the sessions', in the Redis that url names. It writes under keys
// that nobody else can have, since their names are made with keys of its own, and
// all of which expire.
func SessionSuite(url, _ string) (Suite, error) {
	if err := redis.Check(url); err != nil {
		return Suite{}, err
	}
	open := func(ctx context.Context) (*redis.Server, error) {
		return redis.Open(ctx, redis.Options{URL: url, Use: "sessions", Patience: 5 * time.Second})
	}
	begin := func(t conformance.T) func(sessiontest.Instance) sessiontest.Made {
		return func(i sessiontest.Instance) sessiontest.Made {
			server, err := open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Close() }) // what was asked was answered
			e := sessionredis.New(sessionredis.Options{
				Server: server, Keyring: i.Keyring, Now: i.Now, Cookies: cookie.New(cookie.Options{Keyring: i.Keyring, Now: i.Now}),
			})
			return sessiontest.Made{Engine: e, Settle: e.Settle, Shared: true}
		}
	}
	return Suite{Name: "sessions", Reach: func(ctx context.Context) error {
		server, err := open(ctx)
		if err != nil {
			return err
		}
		if server.Away() {
			err = redis.ErrAway
		}
		return errors.Join(err, server.Close())
	}, Run: func(t conformance.T) { sessiontest.Run(t, begin) }}, nil
}

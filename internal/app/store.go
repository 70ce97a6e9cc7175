package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/delivery"
	"github.com/turnout-events/turnout/internal/edge/domains"
	"github.com/turnout-events/turnout/internal/edge/room"
	"github.com/turnout-events/turnout/internal/erasure"
	"github.com/turnout-events/turnout/internal/intake"
	"github.com/turnout-events/turnout/internal/migration"
	"github.com/turnout-events/turnout/internal/mirror"
	"github.com/turnout-events/turnout/internal/oversight"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/postgres"
	"github.com/turnout-events/turnout/internal/store/sqlite"

	"github.com/turnout-events/turnout"
)

// Store is the truth, on whichever engine: what the features ask of it, each in
// its own words, and what only the wiring and the commands need.
type Store interface {
	orgStore
	intake.Store
	delivery.Queue
	delivery.Leases
	mirror.Ledgers
	mirror.Registrations
	mirror.DataKeys
	mirror.Feed
	mirror.Errands
	catalog.Orgs
	catalog.Seats
	catalog.Feed
	catalog.DataKeys
	erasure.Store
	migration.Orgs
	oversight.Store
	oversight.Registrations
	seal.Shelf
	domains.Shelf
	room.Shelf

	Turn(ctx context.Context, org turnout.OrgID, name, owner string, now time.Time, ttl time.Duration) (bool, error)
	Progress(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]turnout.Progress, error)
	DataKeysAfter(ctx context.Context, org turnout.OrgID, after turnout.PersonID, limit int) ([]turnout.DataKey, error)
	Rewrap(ctx context.Context, org turnout.OrgID, keys []turnout.Rewrapped) error
	// Now is the clock that all instances share.
	Now() time.Time
	// Ping tells whether registrations can be taken.
	Ping(ctx context.Context) error
	Close() error
}

// The kinds of store.
const (
	Embedded   = "the embedded store"
	PostgreSQL = "PostgreSQL"
)

// storeOptions are what the wiring asks of either engine.
type storeOptions struct {
	// existing opens a store that is there and makes nothing.
	existing bool
	// ours refuses a store of another deployment.
	ours func(ctx context.Context, keys []seal.StoredKey) error
}

// openStore opens the store that cfg names.
func openStore(ctx context.Context, cfg config.Config, log *slog.Logger, o storeOptions) (Store, error) {
	if cfg.Store == "" {
		s, err := sqlite.Open(ctx, sqlite.Options{Path: StorePath(cfg), Logger: log, Existing: o.existing, Ours: o.ours})
		if err != nil {
			return nil, err // and not an interface that holds nothing
		}
		return s, nil
	}
	s, err := postgres.Open(ctx, postgres.Options{URL: cfg.Store, Logger: log, Existing: o.existing, Ours: o.ours})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Kind says which store it is.
func (e *Engines) Kind() string {
	if _, ok := e.Store.(*sqlite.Store); ok {
		return Embedded
	}
	return PostgreSQL
}

// errNotEmbedded answers commands that copy the embedded store's file.
var errNotEmbedded = errors.New("the store is PostgreSQL: back it up and restore it with PostgreSQL's own tools, the table people apart and kept shortly")

// Backup copies the embedded store into a new directory under to.
func (e *Engines) Backup(ctx context.Context, to string, now time.Time) (sqlite.BackupReport, error) {
	s, ok := e.Store.(*sqlite.Store)
	if !ok {
		return sqlite.BackupReport{}, errNotEmbedded
	}
	return s.Backup(ctx, to, now)
}

package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/schema"
)

// Engines are the store and the keys: what every command that works on the
// truth needs.
type Engines struct {
	Store   Store
	Keyring *seal.Keyring
	targets *targets
	log     *slog.Logger
}

// StorePath is where the embedded store lives.
func StorePath(cfg config.Config) string { return filepath.Join(cfg.Data, "store.db") }

// CachePath is where the embedded cache lives.
func CachePath(cfg config.Config) string { return filepath.Join(cfg.Data, "cache.db") }

// OpenEngines opens the store and the keyring, making both on the first run.
func OpenEngines(ctx context.Context, cfg config.Config, log *slog.Logger) (*Engines, error) {
	return engines(ctx, cfg, log, false)
}

// NothingSetUp is the error of opening what was never made.
type NothingSetUp struct {
	// Where it would be.
	Where string
}

func (e NothingSetUp) Error() string {
	return "no org is set up yet: there is no store in " + e.Where + "; set one up with turnout org apply, or say where it is with TURNOUT_DATA, TURNOUT_STORE or --config"
}

// OpenExisting opens what is there, as OpenEngines does, and makes nothing: a
// command that reads and was started in a wrong place leaves no trace there.
func OpenExisting(ctx context.Context, cfg config.Config, log *slog.Logger) (*Engines, error) {
	e, err := engines(ctx, cfg, log, true)
	if !errors.Is(err, schema.ErrNothing) {
		return e, err
	}
	if cfg.Store != "" {
		return nil, NothingSetUp{Where: "the database that the configuration names"}
	}
	return nil, NothingSetUp{Where: cfg.Data}
}

func engines(ctx context.Context, cfg config.Config, log *slog.Logger, existing bool) (*Engines, error) {
	load, err := masters(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, cfg, log, storeOptions{existing: existing, ours: ours{cfg, load}.check})
	if err != nil {
		return nil, err
	}
	e := &Engines{Store: store, log: log}
	e.Keyring = seal.NewKeyring(store, load)
	e.targets = &targets{
		store: store, keyring: e.Keyring, log: log, open: map[turnout.OrgID]*connected{},
		observe: func(turnout.OrgID, string, turnout.Code, time.Duration) {},
	}
	return e, nil
}

// master is the master key of the file, or of the environment.
func master(cfg config.Config, log *slog.Logger) (seal.Master, error) {
	if cfg.MasterKey != "" {
		return seal.ParseMaster(cfg.MasterKey)
	}
	m, made, err := seal.OpenMaster(cfg.MasterKeyFile)
	if made {
		log.Warn("A master key was made. Whoever loses it loses the data: keep a copy of it apart from the backups.", "file", cfg.MasterKeyFile)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Apply sets orgs up or changes them.
func (e *Engines) Apply(ctx context.Context, list []turnout.Org) error {
	return e.targets.apply(ctx, list, e.Store.Now())
}

// Close closes the store. It may be called twice.
func (e *Engines) Close() error { return e.Store.Close() }

// ApplyOrgs sets orgs up in the store that cfg names.
func ApplyOrgs(ctx context.Context, cfg config.Config, list []turnout.Org, log *slog.Logger) error {
	e, err := OpenEngines(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer e.Close()
	return e.Apply(ctx, list)
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/sqlite"
)

// Restore puts a backup in the place of the store that cfg names, with the
// master key that cfg names, which is not made if it is missing; o says where
// from. The cache is dropped: it belongs to the store that was there, and what it
// has read since the backup has to be read again.
func Restore(ctx context.Context, cfg config.Config, o sqlite.RestoreOptions, log *slog.Logger) (sqlite.RestoreReport, error) {
	if cfg.Store != "" {
		return sqlite.RestoreReport{}, errNotEmbedded
	}
	load, err := masters(ctx, cfg, log)
	if err != nil {
		return sqlite.RestoreReport{}, err
	}
	o.To, o.Logger, o.Now = StorePath(cfg), log, time.Now()
	o.Master = func() (seal.Master, error) {
		if needsMasterFile(cfg) && !masterFileExists(cfg) {
			return nil, fmt.Errorf("the master key file %s is missing", cfg.MasterKeyFile)
		}
		return load()
	}
	r, err := sqlite.Restore(ctx, o)
	if err != nil {
		return r, err
	}
	if cfg.Cache != "" {
		return r, clearCache(ctx, cfg, log)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(CachePath(cfg) + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return r, fmt.Errorf("drop the cache: %w", err)
		}
	}
	return r, nil
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/turnout-events/turnout/internal/config"
)

// CanSetUp reports what would keep the first org from being set up: a master
// key that cannot be read, a data directory that cannot be made or written.
// Nothing is left behind.
func CanSetUp(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	load, err := masters(ctx, cfg, log)
	if err == nil && masterFileExists(cfg) { // otherwise it is made then
		_, err = load()
	}
	if err != nil {
		return err
	}
	return writable(cfg.Data)
}

// writable makes a directory where dir is or would be, and takes it away.
func writable(dir string) error {
	within := filepath.Clean(dir)
	for {
		_, err := os.Stat(within)
		if !errors.Is(err, fs.ErrNotExist) || within == filepath.Dir(within) {
			break
		}
		within = filepath.Dir(within)
	}
	made, err := os.MkdirTemp(within, ".turnout-check-")
	if err != nil {
		return fmt.Errorf("data cannot be kept in %s: %w", dir, err)
	}
	return os.Remove(made)
}

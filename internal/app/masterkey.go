package app

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"

	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/kms"
	"github.com/turnout-events/turnout/internal/seal"
)

// masters gives the loader of the master key that cfg names: the file, or keys
// at a KMS of which the first wraps. The file is read again at every load, so
// that its rotation is noticed; a KMS is opened once.
func masters(ctx context.Context, cfg config.Config, log *slog.Logger) (func() (seal.Master, error), error) {
	names := cfg.MasterKeys()
	opened := map[string]seal.Master{}
	fromFile := len(names) == 0
	for _, name := range names {
		if name == config.MasterKeyFromFile {
			fromFile = true
			continue
		}
		m, err := kms.Open(ctx, name, kms.Options{Logger: log})
		if err != nil {
			return nil, err
		}
		opened[name] = m
	}
	return func() (seal.Master, error) {
		list := names
		if len(names) == 0 || (!fromFile && masterFileExists(cfg)) {
			list = append(names[:len(names):len(names)], config.MasterKeyFromFile)
		}
		var all []seal.Master
		for _, name := range list {
			m, ok := opened[name]
			if !ok {
				var err error
				if m, err = master(cfg, log); err != nil {
					return nil, err
				}
			}
			all = append(all, m)
		}
		if len(all) == 1 {
			return all[0], nil
		}
		return kms.Join(all[0], all[1:]...), nil
	}, nil
}

// needsMasterFile tells whether the file is one of the master keys, or the only one.
func needsMasterFile(cfg config.Config) bool {
	names := cfg.MasterKeys()
	return len(names) == 0 || slices.Contains(names, config.MasterKeyFromFile)
}

// masterFileExists tells whether there are keys outside the KMS that may still
// unwrap; one that cannot be looked at counts, so that reading it says why.
func masterFileExists(cfg config.Config) bool {
	if cfg.MasterKey != "" {
		return true
	}
	_, err := os.Stat(cfg.MasterKeyFile)
	return !errors.Is(err, fs.ErrNotExist)
}

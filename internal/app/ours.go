package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/seal"
)

// ours tells whether a store belongs to this deployment: whether the master key
// at hand opens its org keys.
type ours struct {
	cfg  config.Config
	load func() (seal.Master, error)
}

// kmsPatience bounds how long a KMS is asked; one that is away keeps nobody out.
const kmsPatience = 5 * time.Second

// check refuses keys of which none opens. One that does is enough: where others
// do not, their orgs alone are at fault, and say so themselves.
func (o ours) check(ctx context.Context, keys []seal.StoredKey) error {
	if len(keys) == 0 {
		return nil
	}
	// The key file is made before the first key that it wraps, so it is looked for
	// after those were read. A new one would open nothing, and hide that the old one
	// has to be found.
	byFile := slices.ContainsFunc(keys, func(k seal.StoredKey) bool { return seal.MasterOf(k.Wrapped) != "" })
	if byFile && needsMasterFile(o.cfg) && !masterFileExists(o.cfg) {
		return fmt.Errorf("the master key file %s is gone, and without it nothing of the orgs can be read: put a copy of it back", o.cfg.MasterKeyFile)
	}
	if _, err := o.load(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, kmsPatience)
	defer cancel()
	ring := seal.NewKeyring(nil, o.load)
	for _, k := range keys {
		if _, err := ring.Fingerprint(ctx, k); !errors.Is(err, seal.ErrSealed) {
			return nil
		}
	}
	return fmt.Errorf("this store belongs to another deployment, or its master key was replaced: its org keys were wrapped by %s, which is not at hand here; put that key into %s, or name another store",
		masterOf(keys[len(keys)-1]), o.place())
}

func masterOf(k seal.StoredKey) string {
	if id := seal.MasterOf(k.Wrapped); id != "" {
		return fmt.Sprintf("master key %q", id)
	}
	return "a KMS"
}

// place is where the master key at hand comes from.
func (o ours) place() string {
	switch {
	case len(o.cfg.MasterKeys()) > 0:
		return "master_key_uri"
	case o.cfg.MasterKey != "":
		return "TURNOUT_MASTER_KEY"
	}
	return o.cfg.MasterKeyFile
}

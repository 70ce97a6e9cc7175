package domains

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/turnout-events/turnout"
)

// Shelf is what certificates and their keys rest in; the store is one. Times
// are the caller's.
type Shelf interface {
	PutFile(ctx context.Context, name string, value []byte, now time.Time) error
	// File answers turnout.CodeNotFound where there is none.
	File(ctx context.Context, name string) (value []byte, modified time.Time, err error)
	DeleteFile(ctx context.Context, name string) error
	// Files lists those whose names begin with prefix.
	Files(ctx context.Context, prefix string) ([]turnout.FileInfo, error)
	Turner
}

// Turner hands out turns: one owner has a name until now+ttl, and keeps it by
// asking again in time; a ttl of zero gives it back. Edges ask for the org "".
type Turner interface {
	Turn(ctx context.Context, org turnout.OrgID, name, owner string, now time.Time, ttl time.Duration) (bool, error)
}

// Sealer encrypts what rests on a Shelf. A value opens only under the name that
// it was sealed for. Seal and Open are called from many goroutines at once.
type Sealer interface {
	Seal(name string, plain []byte) ([]byte, error)
	Open(name string, sealed []byte) ([]byte, error)
}

// NewStorage is a storage for Options that rests on shelf, sealed, so that
// every edge of one store has the same certificates and makes one order for
// all. owner names this process in locks.
func NewStorage(shelf Shelf, sealer Sealer, owner string) certmagic.Storage {
	return &storage{shelf: shelf, sealer: sealer, owner: owner, now: time.Now, held: map[string]*held{}}
}

// storage implements certmagic.Storage. Safe for concurrent use.
type storage struct {
	shelf  Shelf
	sealer Sealer
	owner  string
	now    func() time.Time

	mu   sync.Mutex
	held map[string]*held // by name
}

var _ certmagic.Storage = (*storage)(nil)

// Store implements certmagic.Storage.
func (s *storage) Store(ctx context.Context, key string, value []byte) error {
	sealed, err := s.sealer.Seal(key, value)
	if err != nil {
		return fmt.Errorf("seal %s: %w", key, err)
	}
	return s.shelf.PutFile(ctx, key, sealed, s.now())
}

// Load implements certmagic.Storage.
func (s *storage) Load(ctx context.Context, key string) ([]byte, error) {
	sealed, _, err := s.shelf.File(ctx, key)
	if err != nil {
		return nil, missing(err)
	}
	plain, err := s.sealer.Open(key, sealed)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	return plain, nil
}

// missing says of what is not there what certmagic expects.
func missing(err error) error {
	if turnout.CodeOf(err) == turnout.CodeNotFound {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

// Delete implements certmagic.Storage: a file, or all below a directory.
func (s *storage) Delete(ctx context.Context, key string) error {
	below, err := s.shelf.Files(ctx, key+"/")
	if err != nil {
		return err
	}
	errs := []error{s.shelf.DeleteFile(ctx, key)}
	for _, f := range below {
		errs = append(errs, s.shelf.DeleteFile(ctx, f.Name))
	}
	return errors.Join(errs...)
}

// Exists implements certmagic.Storage.
func (s *storage) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// Stat implements certmagic.Storage. The size is that of the sealed value.
func (s *storage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	sealed, modified, err := s.shelf.File(ctx, key)
	if err == nil {
		return certmagic.KeyInfo{Key: key, Modified: modified, Size: int64(len(sealed)), IsTerminal: true}, nil
	}
	if turnout.CodeOf(err) != turnout.CodeNotFound {
		return certmagic.KeyInfo{}, err
	}
	below, listing := s.shelf.Files(ctx, key+"/")
	if listing != nil {
		return certmagic.KeyInfo{}, listing
	}
	if len(below) == 0 {
		return certmagic.KeyInfo{}, missing(err)
	}
	return certmagic.KeyInfo{Key: key}, nil
}

// List implements certmagic.Storage: what is right below a directory, or with
// recursive all files and directories below it.
func (s *storage) List(ctx context.Context, dir string, recursive bool) ([]string, error) {
	prefix := strings.Trim(dir, "/") + "/"
	if prefix == "/" {
		prefix = ""
	}
	files, err := s.shelf.Files(ctx, prefix)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("list %s: %w", dir, fs.ErrNotExist)
	}
	seen := map[string]bool{}
	for _, f := range files {
		for _, key := range below(prefix, f.Name, recursive) {
			seen[key] = true
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// below is the first component of name after prefix, or with recursive all of
// them, each as a whole name.
func below(prefix, name string, recursive bool) (keys []string) {
	for i := len(prefix); i < len(name); i++ {
		if name[i] != '/' {
			continue
		}
		if keys = append(keys, name[:i]); !recursive {
			return keys
		}
	}
	return append(keys, name)
}

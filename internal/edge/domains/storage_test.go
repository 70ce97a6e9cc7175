package domains

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/sqlite"
)

// ringSealer seals as a program does: under the keys of a scope of its own.
type ringSealer struct{ ring *seal.Ring }

func (s ringSealer) Seal(name string, plain []byte) ([]byte, error) {
	return s.ring.Seal(plain, "edge file", name), nil
}

func (s ringSealer) Open(name string, sealed []byte) ([]byte, error) {
	return s.ring.Open(sealed, "edge file", name)
}

func openStore(t testing.TB, dir string) (*sqlite.Store, ringSealer) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "turnout.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	master, _, err := seal.OpenMaster(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.NewKeyring(store, func() (seal.Master, error) { return master, nil }).Ring(t.Context(), "edge")
	if err != nil {
		t.Fatal(err)
	}
	return store, ringSealer{ring}
}

func TestStorageIsWhatCertmagicExpects(t *testing.T) {
	store, sealer := openStore(t, t.TempDir())
	for name, s := range map[string]certmagic.Storage{
		"shelf": NewStorage(store, sealer, "edge-1"),
		"files": &certmagic.FileStorage{Path: t.TempDir()}, // the model
	} {
		t.Run(name, func(t *testing.T) { testStorage(t, s) })
	}
}

func testStorage(t *testing.T, s certmagic.Storage) {
	ctx := t.Context()
	for _, key := range []string{"a/one", "a/b/two", "a/b/three", "ab/four"} {
		if err := s.Store(ctx, key, []byte("value of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Load(ctx, "a/b/two"); err != nil || string(got) != "value of a/b/two" {
		t.Errorf("load: %q, %v", got, err)
	}
	for _, key := range []string{"a/b/none", "none"} {
		_, loading := s.Load(ctx, key)
		_, stat := s.Stat(ctx, key)
		if !errors.Is(loading, fs.ErrNotExist) || !errors.Is(stat, fs.ErrNotExist) || s.Exists(ctx, key) {
			t.Errorf("%s: %v, %v", key, loading, stat)
		}
	}
	for key, terminal := range map[string]bool{"a": false, "a/b": false, "a/one": true} {
		info, err := s.Stat(ctx, key)
		if err != nil || info.IsTerminal != terminal || info.Key != key || !s.Exists(ctx, key) {
			t.Errorf("stat %s: %+v, %v", key, info, err)
		}
	}
	for _, c := range []struct {
		dir       string
		recursive bool
		want      []string
	}{
		{"", false, []string{"a", "ab"}},
		{"a", false, []string{"a/b", "a/one"}},
		{"a", true, []string{"a/b", "a/b/three", "a/b/two", "a/one"}},
		{"a/b", false, []string{"a/b/three", "a/b/two"}},
	} {
		got, err := s.List(ctx, c.dir, c.recursive)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("list %s: %q, %v; want %q", c.dir, got, err, c.want)
		}
	}
	if _, err := s.List(ctx, "none", false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("list of none: %v", err)
	}
	for range 2 {
		if err := s.Delete(ctx, "a/b"); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	if s.Exists(ctx, "a/b/two") || !s.Exists(ctx, "a/one") || !s.Exists(ctx, "ab/four") {
		t.Error("deleting a directory deletes what is below it, and no more")
	}
}

// P8: whoever has the store's files has no private key of a domain, of the
// account at the CA or of the local CA.
func TestP8KeysAreSealedInTheStore(t *testing.T) {
	dir, ca := t.TempDir(), newAuthority(t)
	store, sealer := openStore(t, dir)
	storage := NewStorage(store, sealer, "edge-1")
	d := ca.with(t, storage, everybody)
	expect(t, d, "secret.example", ca.roots())
	open(t, func(o *Options) { o.Storage, o.Internal = storage, true })
	var keys [][]byte
	for _, name := range allKeys(t, storage) {
		plain, err := storage.Load(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if block, _ := pem.Decode(plain); block != nil && block.Type != "CERTIFICATE" {
			keys = append(keys, block.Bytes)
		}
	}
	if len(keys) != 2 {
		t.Fatalf("%d private keys, want the host's and the local CA's", len(keys))
	}
	files, _ := filepath.Glob(filepath.Join(dir, "turnout.db*"))
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if bytes.Contains(text, key) || bytes.Contains(text, []byte(base64.StdEncoding.EncodeToString(key)[:40])) || bytes.Contains(text, []byte("PRIVATE KEY")) {
				t.Errorf("P8: a private key can be read in %s", filepath.Base(path))
			}
		}
	}
	if len(files) == 0 {
		t.Error("there are no files to look into")
	}
}

func allKeys(t *testing.T, storage certmagic.Storage) []string {
	t.Helper()
	all, err := storage.List(t.Context(), "", true)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(name string) bool {
		info, err := storage.Stat(t.Context(), name)
		return err != nil || !info.IsTerminal
	})
}

// A sealed value that was moved to another name does not open: a host's key
// cannot be passed off as another's.
func TestP8SealedFilesDoNotMove(t *testing.T) {
	store, sealer := openStore(t, t.TempDir())
	s := NewStorage(store, sealer, "edge-1")
	if err := s.Store(t.Context(), "a.key", []byte("key")); err != nil {
		t.Fatal(err)
	}
	sealed, _, err := store.File(t.Context(), "a.key")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutFile(t.Context(), "b.key", sealed, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), "b.key"); !errors.Is(err, seal.ErrSealed) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a moved value: %v", err)
	}
}

// A store that cannot be read is not an empty one: nobody orders anew for it.
func TestAStoreThatFailsMakesNoOrder(t *testing.T) {
	ca := newAuthority(t)
	store, sealer := openStore(t, t.TempDir())
	d := ca.with(t, NewStorage(store, sealer, "edge-1"), everybody)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := shake(t, d, to("a.example", ca.roots())); err == nil {
		t.Error("a certificate came from nowhere")
	}
	if n := ca.orders.Load(); n != 0 {
		t.Errorf("%d orders", n)
	}
}

// turnShelf hands out turns in memory.
type turnShelf struct {
	Shelf
	mu    sync.Mutex
	turns map[string]turn
}

type turn struct {
	owner string
	until time.Time
}

func newTurnShelf() *turnShelf { return &turnShelf{turns: map[string]turn{}} }

func (s *turnShelf) Turn(_ context.Context, org turnout.OrgID, name, owner string, now time.Time, ttl time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = string(org) + "/" + name
	if t, ok := s.turns[name]; ok && t.owner != owner && now.Before(t.until) {
		return false, nil
	}
	s.turns[name] = turn{owner, now.Add(ttl)}
	return true, nil
}

func TestLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shelf := newTurnShelf()
		one, two := NewStorage(shelf, nil, "one"), NewStorage(shelf, nil, "two")
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(one.Lock(ctx, "a"))
		must(two.Lock(ctx, "b"))
		must(two.Unlock(ctx, "b"))

		short, cancel := context.WithTimeout(ctx, 10*lease) // renewed for as long as it takes
		defer cancel()
		for _, s := range []certmagic.Storage{one, two} {
			if err := s.Lock(short, "a"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a held lock is given away: %v", err)
			}
		}

		got := make(chan time.Time)
		go func() {
			must(two.Lock(ctx, "a"))
			got <- time.Now()
		}()
		<-time.After(time.Second)
		freed := time.Now()
		must(one.Unlock(ctx, "a"))
		if waited := (<-got).Sub(freed); waited > look {
			t.Errorf("a free lock is found after %v", waited)
		}
		if err := one.Unlock(ctx, "a"); err == nil {
			t.Error("a lock that another has is given back")
		}
		must(two.Unlock(ctx, "a"))
	})
}

func TestALockOutlivesItsEdgeByALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shelf := newTurnShelf()
		dead, two := NewStorage(shelf, nil, "one").(*storage), NewStorage(shelf, nil, "two")
		if err := dead.Lock(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		dead.held["a"].stop() // as kill -9 does
		began := time.Now()
		if err := two.Lock(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited < lease-time.Second || waited > lease+look {
			t.Errorf("waited %v for a dead edge's lock, want %v", waited, lease)
		}
		if err := two.Unlock(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	})
}

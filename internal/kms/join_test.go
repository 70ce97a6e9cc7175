package kms

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// shelf keeps org keys in memory as the store does.
type shelf struct {
	mu   sync.Mutex
	keys []seal.StoredKey
}

func (s *shelf) OrgKeys(_ context.Context, scope string) ([]seal.StoredKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []seal.StoredKey
	for _, k := range s.keys {
		if k.Scope == scope {
			found = append(found, k)
		}
	}
	return found, nil
}

func (s *shelf) AddOrgKeys(ctx context.Context, keys []seal.StoredKey) ([]seal.StoredKey, error) {
	s.mu.Lock()
	s.keys = append(s.keys, keys...)
	s.mu.Unlock()
	return s.OrgKeys(ctx, keys[0].Scope)
}

func (s *shelf) ReplaceOrgKeys(_ context.Context, keys []seal.StoredKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		i := slices.IndexFunc(s.keys, func(o seal.StoredKey) bool {
			return o.Scope == k.Scope && o.Purpose == k.Purpose && o.Version == k.Version
		})
		s.keys[i] = k
	}
	return nil
}

func (s *shelf) wrappedBy(format string) bool {
	return !slices.ContainsFunc(s.keys, func(k seal.StoredKey) bool { return !bytes.HasPrefix(k.Wrapped, []byte(format)) })
}

func keyring(s *shelf, m seal.Master) *seal.Keyring {
	return seal.NewKeyring(s, func() (seal.Master, error) { return m, nil })
}

func index(t *testing.T, k *seal.Keyring, scope string) seal.Subject {
	t.Helper()
	r, err := k.Ring(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	return r.Index("ada@example.com")
}

// All org keys go from the file to the KMS and back; at every step an instance
// that runs and one that starts open them, and they stay the same keys.
func TestP8OrgKeysMoveFromFileToKMSAndBack(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		file, _, err := seal.OpenMaster(filepath.Join(t.TempDir(), "master.key"))
		if err != nil {
			t.Fatal(err)
		}
		m, s := b.open(t, b.uri), &shelf{}
		running := keyring(s, Join(file, m))
		want := index(t, keyring(s, file), "acme")
		step := func(name, format string, by seal.Master, open ...seal.Master) {
			t.Helper()
			if err := keyring(s, by).RewrapScope(t.Context(), "acme"); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !s.wrappedBy(format) {
				t.Errorf("%s: not all keys are wrapped by %s", name, format)
			}
			for _, o := range open {
				if index(t, keyring(s, o), "acme") != want {
					t.Errorf("%s: the keys changed", name)
				}
			}
			running.Drop("acme")
			if index(t, running, "acme") != want {
				t.Errorf("%s: the running instance has other keys", name)
			}
		}
		both, back := Join(m, file), Join(file, m)
		step("to the KMS", m.format, both, both, back, m)
		if _, err := keyring(s, file).Ring(t.Context(), "acme"); !errors.Is(err, seal.ErrSealed) {
			t.Errorf("the file alone: %v", err)
		}
		step("once more", m.format, both, m)
		step("back", file.ID(), back, both, back, file)
		if _, err := keyring(s, m).Ring(t.Context(), "acme"); !errors.Is(err, seal.ErrSealed) {
			t.Errorf("the KMS alone: %v", err)
		}
	})
}

// A value that only the absent KMS may open is not called wrong.
func TestJoinedKnowsWhatItCouldNotAsk(t *testing.T) {
	b := vaultBench(t, transit{})
	file, _ := seal.ParseMaster(seal.NewMasterLine())
	m := b.open(t, b.uri)
	j := Join(file, m)
	w := mustWrap(t, m, "key", "acme")
	if _, err := j.Unwrap(t.Context(), mustWrap(t, j, "key", "acme"), []byte("other")); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("moved: %v", err)
	}
	if j.ID() != file.ID() {
		t.Error("the first one wraps")
	}
	b.server.Close()
	if _, err := j.Unwrap(t.Context(), w, []byte("acme")); turnout.CodeOf(err) != turnout.CodeUnavailable || errors.Is(err, seal.ErrSealed) {
		t.Errorf("away: %v", err)
	}
}

// An instance whose KMS is away keeps working on keys already in memory.
func TestP8InstanceOutlastsItsKMS(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		s := &shelf{}
		k := keyring(s, b.open(t, b.uri))
		want := index(t, k, "acme")
		b.fail(1<<10, b.down)
		for _, scope := range []string{"acme", ""} {
			k.Drop(scope)
			if index(t, k, "acme") != want {
				t.Error("the keys in memory are lost")
			}
		}
		if _, err := k.Ring(t.Context(), "other"); turnout.CodeOf(err) != turnout.CodeUnavailable {
			t.Errorf("a new org: %v", err)
		}
		if _, err := k.Rotate(t.Context(), "acme"); turnout.CodeOf(err) != turnout.CodeUnavailable {
			t.Errorf("a rotation: %v", err)
		}
		b.heal()
		b.pass(rest + time.Second)
		index(t, k, "other")
	})
}

package seal

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// shelf keeps org keys in memory as the store does.
type shelf struct{ keys []StoredKey }

func (s *shelf) OrgKeys(_ context.Context, scope string) ([]StoredKey, error) {
	var found []StoredKey
	for _, k := range s.keys {
		if k.Scope == scope {
			found = append(found, k)
		}
	}
	return found, nil
}

func (s *shelf) at(k StoredKey) int {
	return slices.IndexFunc(s.keys, func(o StoredKey) bool {
		return o.Scope == k.Scope && o.Purpose == k.Purpose && o.Version == k.Version
	})
}

func (s *shelf) AddOrgKeys(ctx context.Context, keys []StoredKey) ([]StoredKey, error) {
	for _, k := range keys {
		if s.at(k) < 0 {
			s.keys = append(s.keys, k)
		}
	}
	return s.OrgKeys(ctx, keys[0].Scope)
}

func (s *shelf) ReplaceOrgKeys(_ context.Context, keys []StoredKey) error {
	for _, k := range keys {
		s.keys[s.at(k)] = k
	}
	return nil
}

func fileKeyring(t *testing.T, s *shelf, path string) *Keyring {
	t.Helper()
	return NewKeyring(s, func() (Master, error) {
		m, _, err := OpenMaster(path)
		return m, err
	})
}

func mustRing(t *testing.T, k *Keyring, scope string) *Ring {
	t.Helper()
	r, err := k.Ring(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// P8: a sealed value opens only where it was put.
func TestP8SealedValueCannotBeMoved(t *testing.T) {
	k := fileKeyring(t, &shelf{}, filepath.Join(t.TempDir(), "master.key"))
	acme, other := mustRing(t, k, "acme"), mustRing(t, k, "other")
	ada, bob := acme.Index("ada@example.com"), acme.Index("bob@example.com")
	adaKey, adaWrapped, err := acme.NewDataKey(ada)
	if err != nil {
		t.Fatal(err)
	}
	bobKey, _, _ := acme.NewDataKey(bob)
	sealed := adaKey.Seal([]byte("secret"), "registration", "k1")
	if plain, err := adaKey.Open(sealed, "registration", "k1"); err != nil || string(plain) != "secret" {
		t.Fatalf("own place: %q, %v", plain, err)
	}
	moves := map[string]func() ([]byte, error){
		"other kind":     func() ([]byte, error) { return adaKey.Open(sealed, "link", "k1") },
		"other record":   func() ([]byte, error) { return adaKey.Open(sealed, "registration", "k2") },
		"other person":   func() ([]byte, error) { return bobKey.Open(sealed, "registration", "k1") },
		"changed":        func() ([]byte, error) { return adaKey.Open(flip(sealed), "registration", "k1") },
		"short":          func() ([]byte, error) { return adaKey.Open(sealed[:5], "registration", "k1") },
		"empty":          func() ([]byte, error) { return adaKey.Open(nil, "registration", "k1") },
		"person to org":  func() ([]byte, error) { return acme.Open(sealed, "registration", "k1") },
		"wrapped to bob": func() ([]byte, error) { _, err := acme.DataKey(bob, adaWrapped); return nil, err },
		"key to other":   func() ([]byte, error) { _, err := other.DataKey(ada, adaWrapped); return nil, err },
	}
	for name, move := range moves {
		if _, err := move(); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: got %v, want ErrSealed", name, err)
		}
	}
	if acme.Index("ada@example.com") != ada || other.Index("ada@example.com") == ada {
		t.Error("a blind index must be stable within an org and differ between orgs")
	}
	if bytes.Equal(acme.MAC("p", "a", "bc"), acme.MAC("p", "ab", "c")) {
		t.Error("parts of a MAC must not run together")
	}
}

func flip(b []byte) []byte {
	c := bytes.Clone(b)
	c[len(c)-1] ^= 1
	return c
}

func TestMasterFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "master.key")
	m, made, err := OpenMaster(path)
	if err != nil || !made {
		t.Fatalf("first run: made=%v, %v", made, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v", info.Mode())
	}
	again, made, err := OpenMaster(path)
	if err != nil || made || again.ID() != m.ID() {
		t.Errorf("second run: made=%v id=%s want %s, %v", made, again.ID(), m.ID(), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenMaster(path); err == nil {
		t.Error("a file that others can read must be refused")
	}
	for _, bad := range []string{"", "# only a comment", "short", "AAAA"} {
		if _, err := ParseMaster(bad); err == nil {
			t.Errorf("%q must be refused", bad)
		}
	}
}

// A running process must survive the rotation of both keys by another one.
func TestRotationWithoutDowntime(t *testing.T) {
	path, s := filepath.Join(t.TempDir(), "master.key"), &shelf{}
	running := fileKeyring(t, s, path)
	ring := mustRing(t, running, "acme")
	ada := ring.Index("ada@example.com")
	key, wrapped, _ := ring.NewDataKey(ada)
	sealed := key.Seal([]byte("x"), "k", "1")

	if err := RotateMaster(path); err != nil {
		t.Fatal(err)
	}
	operator := fileKeyring(t, s, path)
	if err := operator.RewrapScope(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if err := RetireMaster(path); err != nil {
		t.Fatal(err)
	}
	rotated, err := operator.Rotate(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	rewrapped, err := rotated.Rewrap(ada, wrapped)
	if err != nil || bytes.Equal(rewrapped, wrapped) {
		t.Fatalf("rewrap: %v", err)
	}
	if again, _ := rotated.Rewrap(ada, rewrapped); !bytes.Equal(again, rewrapped) {
		t.Error("what is wrapped by the current key stays as it is")
	}
	opened, err := running.DataKey(t.Context(), "acme", ada, rewrapped)
	if err != nil {
		t.Fatalf("the running process must pick up both new keys: %v", err)
	}
	if plain, err := opened.Open(sealed, "k", "1"); err != nil || string(plain) != "x" {
		t.Errorf("old data: %q, %v", plain, err)
	}
	if mustRing(t, running, "acme").Index("ada@example.com") != ada {
		t.Error("rotation must not change blind indexes")
	}
}

func FuzzOpen(f *testing.F) {
	s := &shelf{}
	k := NewKeyring(s, func() (Master, error) { return ParseMaster(NewMasterLine()) })
	ring, err := k.Ring(context.Background(), "acme")
	if err != nil {
		f.Fatal(err)
	}
	key, wrapped, _ := ring.NewDataKey(Subject{1})
	good := key.Seal([]byte("x"), "k", "1")
	f.Add(wrapped)
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := key.Open(b, "k", "1"); err == nil && !bytes.Equal(b, good) {
			t.Fatalf("opened %x to %q", b, plain)
		}
		_, _ = ring.DataKey(Subject{1}, b)
		_, _ = ring.Open(b, "k", "1")
	})
}

func BenchmarkUnwrapAndOpen(b *testing.B) {
	k := NewKeyring(&shelf{}, func() (Master, error) { return ParseMaster(NewMasterLine()) })
	ring, _ := k.Ring(b.Context(), "acme")
	key, wrapped, _ := ring.NewDataKey(Subject{1})
	sealed := key.Seal(make([]byte, 120), "link", "0123456789abcdef")
	for b.Loop() {
		dk, err := ring.DataKey(Subject{1}, wrapped)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := dk.Open(sealed, "link", "0123456789abcdef"); err != nil {
			b.Fatal(err)
		}
	}
}

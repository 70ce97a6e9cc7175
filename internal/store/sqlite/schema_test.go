package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/schema"
)

// newer is the schema of a later program: everything that a step may add.
func newer(t *testing.T, readableFrom int) schema.Known {
	t.Helper()
	known, err := knownSchema()
	if err != nil {
		t.Fatal(err)
	}
	known.ReadableFrom = readableFrom
	known.Steps = append(known.Steps, `
		ALTER TABLE registrations ADD COLUMN shade TEXT NOT NULL DEFAULT 'plain';
		ALTER TABLE people ADD COLUMN seen INTEGER;
		CREATE TABLE shades (shade TEXT PRIMARY KEY) STRICT;
		CREATE INDEX registrations_by_shade ON registrations (shade);`)
	return known
}

// expand lets a later program start on the file at path.
func expand(t *testing.T, path string, to schema.Known) {
	t.Helper()
	db, err := openDB(path, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := migrate(t.Context(), db, to); err != nil {
		t.Fatal(err)
	}
}

// An older process goes on with a file that a newer one has expanded under it,
// and may be started on it again: a rollout has both, and a rollback only this.
func TestExpandedFileIsUsedByOlderPrograms(t *testing.T) {
	path := prepared(t, 100)
	s := openStore(t, path)
	mustAccept(t, s, 1)
	expand(t, path, newer(t, 2))
	use := func(first int) {
		t.Helper()
		mustAccept(t, s, first)
		mustAccept(t, s, first+1)
		if _, err := s.DataKey(t.Context(), acme, dataKey(first).Person); err != nil {
			t.Error(err)
		}
		if _, err := s.Forget(t.Context(), acme, dataKey(first).Person, start); err != nil {
			t.Error(err)
		}
		if _, err := s.Registration(t.Context(), acme, acceptance(first+1).Key); err != nil {
			t.Error(err)
		}
		if _, err := s.Backup(t.Context(), filepath.Join(t.TempDir(), fmt.Sprint(first)), start); err != nil {
			t.Error(err)
		}
		sound(t, s)
	}
	use(10)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path)
	defer s.Close()
	use(20)
	expand(t, path, newer(t, 2)) // the newer one finds its file as it left it
	if n := count(t, s, "SELECT count(*) FROM registrations WHERE shade = 'plain'"); n != 5 {
		t.Errorf("%d of 5 registrations have what was added", n)
	}
}

// What a newer program has taken away, or does not say whether it has, keeps
// older ones from the file.
func TestContractedFileIsLeftAlone(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string){
		"contracted": func(t *testing.T, path string) {
			known, err := knownSchema()
			if err != nil {
				t.Fatal(err)
			}
			expand(t, path, newer(t, len(known.Steps)+1))
		},
		"no mark": func(t *testing.T, path string) {
			expand(t, path, newer(t, 2))
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("DELETE FROM meta"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := prepared(t, 5)
			spoil(t, path)
			before := digest(t, path)
			if s, err := Open(t.Context(), Options{Path: path}); err == nil {
				_ = s.Close()
				t.Fatal("opened a store of a newer program")
			} else if !strings.Contains(err.Error(), "newer program") {
				t.Errorf("got %v", err)
			}
			if digest(t, path) != before {
				t.Error("the file was changed")
			}
		})
	}
}

// A backup of an expanded file can be restored by the program that made it.
func TestBackupOfAnExpandedFile(t *testing.T) {
	path := prepared(t, 5)
	expand(t, path, newer(t, 2))
	s := openStore(t, path)
	mustAccept(t, s, 1)
	made, err := s.Backup(t.Context(), t.TempDir(), start)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), RestoreOptions{From: made.Dir, To: path, Now: start}); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path)
	defer s.Close()
	if r, err := s.Registration(t.Context(), acme, acceptance(1).Key); err != nil || r.Status != turnout.StatusRegistered {
		t.Errorf("%+v %v", r, err)
	}
}

// A command that only looks makes no file and upgrades none, and is told in one
// line what to do.
func TestOpenedAsItIs(t *testing.T) {
	open := func(path string) error {
		s, err := Open(t.Context(), Options{Path: path, Existing: true})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	dir := filepath.Join(t.TempDir(), "nowhere")
	if err := open(filepath.Join(dir, "turnout.db")); !errors.Is(err, schema.ErrNothing) {
		t.Errorf("where there is none: %v", err)
	}
	if made, err := filepath.Glob(dir); err != nil || made != nil {
		t.Errorf("it made %v, %v", made, err)
	}
	path := prepared(t, 5)
	if err := open(path); err != nil {
		t.Errorf("as it is: %v", err)
	}
	older := filepath.Join(t.TempDir(), "turnout.db")
	first, err := knownSchema()
	if err != nil {
		t.Fatal(err)
	}
	first.Steps = first.Steps[:1]
	expand(t, older, first)
	before := digest(t, older)
	if err := open(older); err == nil || !strings.Contains(err.Error(), "turnout serve") {
		t.Errorf("an older one: %v", err)
	}
	if digest(t, older) != before {
		t.Error("the older one was changed")
	}
}

// A store whose org keys are another deployment's is refused before anything is
// written, an upgrade included.
func TestP8StoreOfAnotherDeploymentIsLeftAlone(t *testing.T) {
	older := filepath.Join(t.TempDir(), "turnout.db")
	first, err := knownSchema()
	if err != nil {
		t.Fatal(err)
	}
	first.Steps = first.Steps[:1]
	expand(t, older, first)
	db, err := sql.Open("sqlite", older)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO org_keys (scope, purpose, version, wrapped) VALUES ('acme', 'wrap', 1, x'01')"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	before := digest(t, older)
	foreign := errors.New("another deployment's")
	_, err = Open(t.Context(), Options{Path: older, Ours: func(_ context.Context, keys []seal.StoredKey) error {
		if len(keys) != 1 || keys[0].Scope != "acme" {
			t.Errorf("it was shown %v", keys)
		}
		return foreign
	}})
	if !errors.Is(err, foreign) {
		t.Errorf("got %v", err)
	}
	if digest(t, older) != before {
		t.Error("the file was changed")
	}
}

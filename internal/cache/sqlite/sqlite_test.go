package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/cache/cachetest"
	"github.com/turnout-events/turnout/internal/conformance"
	"github.com/turnout-events/turnout/internal/conformance/gotest"

	"modernc.org/sqlite"
)

func TestConformance(t *testing.T) {
	cachetest.Run(gotest.New(t), func(t conformance.T, place string) cachetest.Cache {
		c, err := Open(t.Context(), Options{Path: filepath.Join(place, "cache file%20?.db")})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}, chunkLinks)
}

func open(t testing.TB, path string, log *bytes.Buffer) *Cache {
	t.Helper()
	c, err := Open(t.Context(), Options{Path: path, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache.db")
	c := open(t, path, &bytes.Buffer{})
	if _, err := c.SetCursor(t.Context(), "acme", "links", time.Time{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", suffix, info.Mode(), err)
		}
	}
}

// TestDamagedFileIsRebuilt: the cache can be filled again, so it never stops
// an instance from starting.
func TestDamagedFileIsRebuilt(t *testing.T) {
	for name, content := range map[string]string{
		"noise":     strings.Repeat("this is not a database ", 400),
		"torn":      "SQLite format 3\x00" + strings.Repeat("\xff", 5000),
		"text file": "hello\n",
	} {
		t.Run(name, func(t *testing.T) {
			path, log := filepath.Join(t.TempDir(), "cache.db"), &bytes.Buffer{}
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for range 3 { // three processes that start together
				all.Go(func() {
					c, err := Open(t.Context(), Options{Path: path})
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					if _, err := c.SetCursor(t.Context(), "acme", "links", time.Time{}, time.Now()); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if aside, err := os.ReadFile(path + ".damaged"); err != nil || string(aside) != content {
				t.Errorf("set aside: %d bytes, %v; want what was there", len(aside), err)
			}
			c := open(t, path, log)
			if at, err := c.Cursor(t.Context(), "acme", "links"); err != nil || at.IsZero() {
				t.Errorf("the new file did not keep what was written: %v, %v", at, err)
			}
		})
	}
}

func TestOtherVersionIsRebuilt(t *testing.T) {
	path, log := filepath.Join(t.TempDir(), "cache.db"), &bytes.Buffer{}
	c := open(t, path, log)
	if _, err := c.SetCursor(t.Context(), "acme", "links", time.Time{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.now.Load().write.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	c = open(t, path, log)
	if at, err := c.Cursor(t.Context(), "acme", "links"); err != nil || !at.IsZero() {
		t.Errorf("cursor %v, %v; want none: losing the cache means a backfill", at, err)
	}
	if !strings.Contains(log.String(), "level=ERROR") {
		t.Error("nothing was logged")
	}
}

// TestOlderFileIsExpanded: a file of before expand.sql keeps all it has, and a
// process of that time that has it open goes on.
func TestOlderFileIsExpanded(t *testing.T) {
	path, log := filepath.Join(t.TempDir(), "cache.db"), &bytes.Buffer{}
	old, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if _, err := old.Exec(schema + fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; INSERT INTO org VALUES (7, 'acme')", applicationID, schemaVersion)); err != nil {
		t.Fatal(err)
	}
	put := func(n byte, event turnout.EventID) {
		t.Helper()
		l := turnout.AttendeeLink{ID: turnout.LinkID{n}, Org: "acme", Event: event, Person: turnout.PersonID{n}, Sealed: []byte("sealed"), Changed: time.UnixMilli(1)}
		if _, err := old.Exec(putLink, key(7, l.ID), key(7, l.Person), millis(l.Changed), pack(&l)); err != nil {
			t.Fatal(err)
		}
	}
	put(1, "a0E5g000000AbCdEAK")
	put(2, "a0E5g000000AbCdEAK")
	put(3, "a0E5g000000AbCdEAL")
	c := open(t, path, log)
	put(4, "a0E5g000000AbCdEAL")
	put(1, "a0E5g000000AbCdEAL")
	got, err := c.Invited(t.Context(), "acme")
	if want := map[turnout.EventID]int{"a0E5g000000AbCdEAK": 1, "a0E5g000000AbCdEAL": 3}; err != nil || !maps.Equal(got, want) {
		t.Errorf("links by event: %v, %v; want %v", got, err, want)
	}
	if l, err := c.Link(t.Context(), "acme", turnout.LinkID{2}); err != nil || l.Event != "a0E5g000000AbCdEAK" {
		t.Errorf("link: %+v, %v", l, err)
	}
	open(t, path, log)                                      // a second time finds nothing to do
	if _, err := old.Exec("DROP TABLE place"); err != nil { // as in a file of before place.sql
		t.Fatal(err)
	}
	c = open(t, path, log)
	if err := c.SetPlace(t.Context(), "acme", "links", "page 2"); err != nil {
		t.Error(err)
	}
	if got, err := c.Invited(t.Context(), "acme"); err != nil || len(got) != 2 {
		t.Errorf("links by event: %v, %v", got, err)
	}
	if log.Len() > 0 {
		t.Errorf("log: %s", log)
	}
}

// TestLongestEventID: expand.sql reads the length of an id as a character.
func TestLongestEventID(t *testing.T) {
	c := open(t, filepath.Join(t.TempDir(), "cache.db"), &bytes.Buffer{})
	l := turnout.AttendeeLink{ID: turnout.LinkID{1}, Org: "acme", Person: turnout.PersonID{1}, Sealed: []byte("sealed"), Event: turnout.EventID(strings.Repeat("x", maxEventID))}
	if err := c.PutLinks(t.Context(), []turnout.AttendeeLink{l}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Invited(t.Context(), "acme"); err != nil || got[l.Event] != 1 {
		t.Errorf("%v, %v", got, err)
	}
	l.Event += "x"
	if err := c.PutLinks(t.Context(), []turnout.AttendeeLink{l}); err == nil {
		t.Error("a longer one is taken, and nobody could count it")
	}
}

func TestForeignDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE precious (x)"); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	if _, err := Open(t.Context(), Options{Path: path}); turnout.CodeOf(err) != turnout.CodeMisconfigured {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(path + ".damaged"); err == nil {
		t.Error("it was set aside")
	}
}

// A setting that a connection lost, for whatever reason, is found by Open, and
// is no reason to begin the cache anew.
func TestOpenReadsSettingsBack(t *testing.T) {
	for _, pragma := range []string{"journal_mode = DELETE", "synchronous = OFF", "busy_timeout = 0"} {
		t.Run(pragma, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "spoiled.db")
			spoil(path, pragma)
			c, err := Open(t.Context(), Options{Path: path})
			if err == nil {
				_ = c.Close()
			}
			if name, _, _ := strings.Cut(pragma, " "); err == nil || !strings.Contains(err.Error(), "pragma "+name) {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(path + ".damaged"); err == nil {
				t.Error("it was set aside")
			}
		})
	}
}

// spoil makes every connection to path lose a setting right after it was opened.
func spoil(path, pragma string) {
	sqlite.RegisterConnectionHook(func(c sqlite.ExecQuerierContext, dsn string) error {
		if !strings.Contains(dsn, path) {
			return nil
		}
		_, err := c.ExecContext(context.Background(), "PRAGMA "+pragma, nil)
		return err
	})
}

// TestDamageWhileOpen overwrites the file under an open cache.
func TestDamageWhileOpen(t *testing.T) {
	path, log := filepath.Join(t.TempDir(), "cache.db"), &bytes.Buffer{}
	c := open(t, path, log)
	ctx := t.Context()
	links := make([]turnout.AttendeeLink, 3000)
	for i := range links {
		links[i] = turnout.AttendeeLink{ID: turnout.LinkID{byte(i), byte(i >> 8), 1}, Org: "acme", Person: turnout.PersonID{1}, Sealed: make([]byte, 300), Changed: time.UnixMilli(1)}
	}
	if err := c.PutLinks(ctx, links); err != nil {
		t.Fatal(err)
	}
	if _, err := c.now.Load().write.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	peer := open(t, path, log) // has nothing of it in memory
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, _ := file.Stat()
	if _, err := file.WriteAt(bytes.Repeat([]byte{0xa5}, int(info.Size())-4096), 4096); err != nil {
		t.Fatal(err)
	}
	_, err = peer.CountLinks(ctx, "acme")
	if turnout.CodeOf(err) != turnout.CodeUnavailable {
		t.Fatalf("reading the damaged file: %v", err)
	}
	// The one that met the damage begins anew, the other one follows it.
	for i, c := range []*Cache{peer, c} {
		if n, err := c.CountLinks(ctx, "acme"); err != nil || n != 10*i {
			t.Errorf("cache %d, after: %d links, %v; want %d", i, n, err, 10*i)
		}
		if err := c.PutLinks(ctx, links[10*i:10*i+10]); err != nil {
			t.Errorf("cache %d cannot be filled again: %v", i, err)
		}
	}
	if !strings.Contains(log.String(), "set aside") {
		t.Errorf("log: %s", log)
	}
}

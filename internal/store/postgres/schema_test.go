package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/schema"
)

// newer is the schema of a later program.
func newer(t *testing.T, readableFrom int) schema.Known {
	t.Helper()
	known, err := knownSchema()
	if err != nil {
		t.Fatal(err)
	}
	known.ReadableFrom = readableFrom
	known.Steps = append(known.Steps, `ALTER TABLE registrations ADD COLUMN shade text NOT NULL DEFAULT 'plain';
		ALTER TABLE people ADD COLUMN seen bigint; CREATE TABLE shades (shade text PRIMARY KEY);`)
	return known
}

// An older process goes on with a store that a newer one has expanded under it,
// and may be started on it again: a rollout has both, and a rollback only this.
func TestExpandedStoreIsUsedByOlderPrograms(t *testing.T) {
	url := place(t, t.TempDir())
	s := openStore(t, url)
	prepare(t, s, 100)
	accept := func(s *Store, n int) {
		t.Helper()
		if _, err := s.Accept(t.Context(), submitted(n)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Registration(t.Context(), acme, submitted(n).Key); err != nil {
			t.Fatal(err)
		}
	}
	accept(s, 1)
	if err := migrate(t.Context(), dial(t, url), newer(t, 1)); err != nil {
		t.Fatal(err)
	}
	accept(s, 2)
	s.Close()
	s = openStore(t, url)
	defer s.Close()
	accept(s, 3)
	if n := count(t, s, "SELECT count(*) FROM registrations WHERE shade = 'plain'"); n != 3 {
		t.Errorf("%d of 3 registrations have what was added", n)
	}
}

// What a newer program has taken away, or does not say whether it has, keeps
// older ones from the store.
func TestContractedStoreIsLeftAlone(t *testing.T) {
	for name, spoil := range map[string]string{"contracted": "", "no mark": "DELETE FROM meta WHERE name = 'readable_from'"} {
		t.Run(name, func(t *testing.T) {
			url := place(t, t.TempDir())
			fill(t, url)
			conn := dial(t, url)
			from := 1
			if spoil == "" {
				known, err := knownSchema()
				if err != nil {
					t.Fatal(err)
				}
				from = len(known.Steps) + 1
			}
			if err := migrate(t.Context(), conn, newer(t, from)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), spoil); err != nil {
				t.Fatal(err)
			}
			before := contents(t, url)
			s, err := Open(t.Context(), Options{URL: url})
			if err == nil {
				s.Close()
				t.Fatal("opened a store of a newer program")
			}
			if !strings.Contains(err.Error(), "newer program") {
				t.Errorf("got %v", err)
			}
			unchanged(t, before, contents(t, url))
		})
	}
}

// Of instances that start together one makes the schema.
func TestManyStartAtOnce(t *testing.T) {
	url := place(t, t.TempDir())
	done := make(chan error)
	for range 8 {
		go func() {
			s, err := Open(t.Context(), Options{URL: url})
			if err == nil {
				err = s.Close()
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// While a newer program expands the store, the older one goes on taking
// registrations: nobody is refused, and nobody waits for long.
func TestExpandedUnderLoad(t *testing.T) {
	url := place(t, t.TempDir())
	s := openStore(t, url)
	defer s.Close()
	prepare(t, s, 1<<30)
	var next atomic.Int64
	stop, failed := make(chan struct{}), make(chan error, 8)
	for range 8 {
		go func() {
			for {
				select {
				case <-stop:
					failed <- nil
					return
				default:
				}
				if _, err := s.Accept(context.Background(), submitted(int(next.Add(1)))); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	known := newer(t, 1)
	conn := dial(t, url)
	for range 5 {
		if err := migrate(t.Context(), conn, known); err != nil {
			t.Error(err)
		}
		known.Steps = append(known.Steps, "ALTER TABLE lanes ADD COLUMN shade_"+string(rune('a'+len(known.Steps)))+" text")
	}
	close(stop)
	for range 8 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// fill makes a store and puts something into every table.
func fill(t *testing.T, url string) {
	t.Helper()
	s := openStore(t, url)
	defer s.Close()
	prepare(t, s, 100)
	if _, err := s.AddOrgKeys(t.Context(), []seal.StoredKey{{Scope: "acme", Purpose: "wrap", Version: 1, Wrapped: []byte("w")}}); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if _, err := s.Accept(t.Context(), submitted(n)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Forget(t.Context(), acme, submitted(1).DataKey.Person, start); err != nil {
		t.Fatal(err)
	}
	if err := s.AddErrands(t.Context(), acme, []string{"003000000000001AAA"}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutFile(t.Context(), "certificates/a", []byte("f"), start); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Turn(t.Context(), acme, "poll", "tests", start, time.Minute); err != nil {
		t.Fatal(err)
	}
	for what, lines := range contents(t, url) {
		if len(lines) == 0 {
			t.Errorf("there is nothing in %s", what)
		}
	}
}

// contents are the rows of each table of a store, in some order that is always
// the same, and its columns.
func contents(t *testing.T, url string) map[string][]string {
	t.Helper()
	conn := dial(t, url)
	texts := func(query string, args ...any) []string {
		t.Helper()
		rows, err := conn.Query(t.Context(), query, args...)
		if err != nil {
			t.Fatal(err)
		}
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := map[string][]string{}
	for _, table := range texts("SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace") {
		all[table] = texts("SELECT r::text FROM " + table + " r ORDER BY 1")
		all["columns of "+table] = texts("SELECT attname || ' ' || atttypid::regtype FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 ORDER BY attnum", table)
	}
	return all
}

// unchanged compares two contents of a store that was refused in between.
func unchanged(t *testing.T, before, after map[string][]string) {
	t.Helper()
	if len(before) == 0 {
		t.Error("there is no table")
	}
	for what := range after {
		if _, was := before[what]; !was {
			t.Errorf("there is %s now", what)
		}
	}
	for what, lines := range before {
		if !slices.Equal(lines, after[what]) {
			t.Errorf("%s: there was %q, and there is %q", what, lines, after[what])
		}
	}
}

// tables counts what is in the store's schema.
func tables(t *testing.T, url string) (n int) {
	t.Helper()
	if err := dial(t, url).QueryRow(t.Context(), "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A command that only looks makes no tables and upgrades none, and is told in
// one line what to do.
func TestOpenedAsItIs(t *testing.T) {
	url := place(t, t.TempDir())
	open := func() error {
		s, err := Open(t.Context(), Options{URL: url, Existing: true})
		if err == nil {
			_, err = s.Orgs(t.Context())
			s.Close()
		}
		return err
	}
	if err := open(); !errors.Is(err, schema.ErrNothing) {
		t.Errorf("where there is none: %v", err)
	}
	if n := tables(t, url); n != 0 {
		t.Errorf("it made %d tables and indexes", n)
	}
	openStore(t, url).Close()
	if err := open(); err != nil {
		t.Errorf("as it is: %v", err)
	}
	have, from, err := schemaVersion(t.Context(), dial(t, url))
	if err != nil {
		t.Fatal(err)
	}
	if err := newer(t, 1).Usable(have, from); err == nil || !strings.Contains(err.Error(), "turnout serve") {
		t.Errorf("opened by a newer program: %v", err)
	}
}

// A store whose org keys are another deployment's is refused before anything is
// written.
func TestP8StoreOfAnotherDeploymentIsLeftAlone(t *testing.T) {
	url := place(t, t.TempDir())
	fill(t, url)
	before := contents(t, url)
	foreign := errors.New("another deployment's")
	for _, existing := range []bool{false, true} {
		s, err := Open(t.Context(), Options{URL: url, Existing: existing, Ours: func(_ context.Context, keys []seal.StoredKey) error {
			if len(keys) != 1 || keys[0].Scope != "acme" {
				t.Errorf("it was shown %v", keys)
			}
			return foreign
		}})
		if !errors.Is(err, foreign) {
			s.Close()
			t.Errorf("got %v", err)
		}
		unchanged(t, before, contents(t, url))
	}
}

// A role that may not make tables is told whose fault that is.
func TestRoleWithoutRights(t *testing.T) {
	url := place(t, t.TempDir())
	conn := dial(t, url)
	for _, text := range []string{"DO $$ BEGIN CREATE ROLE turnout_guest LOGIN; EXCEPTION WHEN duplicate_object THEN END $$",
		"DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO turnout_guest', current_schema()); END $$"} {
		if _, err := conn.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Open(t.Context(), Options{URL: strings.Replace(url, "user=turnout", "user=turnout_guest", 1)})
	if err == nil || !strings.Contains(err.Error(), "make it the owner") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if turnout.CodeOf(err) == "" || tables(t, url) != 0 {
		t.Error("something was made")
	}
}

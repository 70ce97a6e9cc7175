package postgres

import (
	"os"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/pgtest"
)

// restoring is the SQL that docs/operations.md has an operator run.
func restoring(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "psql \"$NEW\" <<'SQL'\n")
	sql, _, closed := strings.Cut(rest, "\nSQL\n")
	if !found || !closed {
		t.Fatal("docs/operations.md does not say how to restore")
	}
	return sql
}

// A dump is restored as docs/operations.md says: registrations are there, and
// who was forgotten since stays forgotten (P8).
func TestP8DumpIsRestoredAsTheDocumentationSays(t *testing.T) {
	c := pgtest.New(t)
	s := openStore(t, c.URL())
	defer s.Close()
	prepare(t, s, 10)
	taken := func(s *Store, n int) turnout.PersonID {
		t.Helper()
		a := submitted(n)
		if _, err := s.Accept(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		return a.DataKey.Person
	}
	forget := func(who turnout.PersonID, day int) {
		t.Helper()
		if _, err := s.Forget(t.Context(), acme, who, start.AddDate(0, 0, day)); err != nil {
			t.Fatal(err)
		}
	}
	run := func(program string, args ...string) {
		t.Helper()
		if err := c.Run(t.Context(), program, args...); err != nil {
			t.Fatal(err)
		}
	}
	back, gone, kept := taken(s, 1), taken(s, 2), taken(s, 3)
	forget(back, 1) // and came back, before the dump
	again := submitted(4)
	again.DataKey.Person = back
	if _, err := s.Accept(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	run("pg_dump", "-Fc", "--exclude-table-data=people", "-f", "turnout.dump")
	run("pg_dump", "-Fc", "--data-only", "--table=people", "-f", "people.dump")
	forget(gone, 2)
	run("pg_dump", "-Fc", "--data-only", "--table=tombstones", "-f", "tombstones.dump")

	run("createdb", "restored")
	run("pg_restore", "-d", "restored", "turnout.dump")
	run("pg_restore", "-d", "restored", "people.dump")
	run("psql", "-v", "ON_ERROR_STOP=1", "-d", "restored", "-c", "ALTER TABLE tombstones RENAME TO before", "-c", "CREATE TABLE tombstones (LIKE before INCLUDING ALL)")
	run("pg_restore", "-d", "restored", "tombstones.dump")
	run("psql", "-v", "ON_ERROR_STOP=1", "-d", "restored", "-c", restoring(t))

	r := openStore(t, strings.Replace(c.URL(), "/postgres?", "/restored?", 1))
	defer r.Close()
	for who, want := range map[turnout.PersonID]turnout.Code{back: "", kept: "", gone: turnout.CodeForgotten} {
		if _, err := r.DataKey(t.Context(), acme, who); turnout.CodeOf(err) != want {
			t.Errorf("a key: %v, want %q", err, want)
		}
	}
	taken(r, 5)
	if n := count(t, r, "SELECT count(*) FROM registrations"); n != 5 {
		t.Errorf("%d registrations, want 5", n)
	}
	if before, after := count(t, s, "SELECT last FROM feed_counter"), count(t, r, "SELECT last FROM feed_counter"); after <= before {
		t.Errorf("the feed goes on at %d after %d", after, before)
	}
}

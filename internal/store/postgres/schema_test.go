package postgres

import (
	"strings"
	"testing"
)

// newer is the schema of a later program.
func newer(t *testing.T, readableFrom int) schema {
	t.Helper()
	known, err := knownSchema()
	if err != nil {
		t.Fatal(err)
	}
	known.readableFrom = readableFrom
	known.steps = append(known.steps, `ALTER TABLE registrations ADD COLUMN shade text NOT NULL DEFAULT 'plain';
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
	if err := newer(t, 1).migrate(t.Context(), dial(t, url)); err != nil {
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
			openStore(t, url).Close()
			conn := dial(t, url)
			from := 1
			if spoil == "" {
				from = 2
			}
			if err := newer(t, from).migrate(t.Context(), conn); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), spoil); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), Options{URL: url})
			if err == nil {
				s.Close()
				t.Fatal("opened a store of a newer program")
			}
			if !strings.Contains(err.Error(), "newer program") {
				t.Errorf("got %v", err)
			}
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

package transfer_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/sqlite"
	"github.com/turnout-events/turnout/internal/store/transfer"
)

// during copies and does something in the midst of it.
func during(t *testing.T, from, to *transfer.Side, finish bool, do func()) error {
	t.Helper()
	done := false
	_, err := transfer.Copy(t.Context(), from, to, transfer.Options{Finish: finish, Progress: func(transfer.Copied) {
		if !done {
			done = true
			do()
		}
	}})
	return err
}

// P1, P2: of two copies into one store, the earlier one changes nothing any more,
// least of all once the later one has put the store to use.
func TestP1TwoCopiesAtOnce(t *testing.T) {
	ways(t, func(t *testing.T, from, to spot) {
		furnish(t, from.store(t))
		a, b := from.side(t, false), to.side(t, true)
		err := during(t, a, b, false, func() {
			if _, err := transfer.Copy(t.Context(), from.side(t, false), to.side(t, true), transfer.Options{Finish: true}); err != nil {
				t.Fatal(err)
			}
			if _, err := to.store(t).Accept(t.Context(), acceptance(50)); err != nil {
				t.Fatal(err)
			}
		})
		if err == nil {
			t.Error("the earlier one has noticed nothing")
		}
		seats, err := to.store(t).Seatings(t.Context(), acme)
		if got := seats[gala][turnout.PoolEvent].Taken; err != nil || got != 39+1 {
			t.Errorf("P2: %d seats are taken, not 40 (%v)", got, err)
		}
	})
}

// P1: a move that is cancelled while it goes on ends there: what the store takes
// from then on is not left behind.
func TestP1CancelMeanwhile(t *testing.T) {
	ways(t, func(t *testing.T, from, to spot) {
		source := from.store(t)
		furnish(t, source)
		a, b := from.side(t, false), to.side(t, true)
		err := during(t, a, b, true, func() {
			if err := transfer.Cancel(t.Context(), from.side(t, false)); err != nil {
				t.Fatal(err)
			}
			if _, err := source.Accept(t.Context(), acceptance(50)); err != nil {
				t.Fatal(err)
			}
		})
		if err == nil {
			t.Error("P1: it was finished without what was taken meanwhile")
		}
		if _, err := to.open(t); !errors.As(err, new(transfer.NotInUseError)) {
			t.Errorf("the copy opens: %v", err)
		}
		if _, err := from.store(t).Registration(t.Context(), acme, "key-00050"); err != nil {
			t.Error(err)
		}
	})
}

// P1: an instance that had a store open before it was moved away, and is running
// still, takes nobody while the store is copied back.
func TestP1MoveBackUnderAnInstance(t *testing.T) {
	ways(t, func(t *testing.T, from, to spot) {
		first := from.store(t)
		furnish(t, first)
		a, b := from.side(t, false), to.side(t, true)
		if _, err := transfer.Copy(t.Context(), a, b, transfer.Options{Finish: true}); err != nil {
			t.Fatal(err)
		}
		for i, finish := range []bool{false, true} {
			err := during(t, b, a, finish, func() {
				if _, err := first.Accept(t.Context(), acceptance(60+i)); turnout.CodeOf(err) != turnout.CodeUnavailable {
					t.Errorf("P1: what the next copy overwrites was acknowledged: %v", err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := first.Accept(t.Context(), acceptance(70)); err != nil {
			t.Errorf("the store that is in use again takes nobody: %v", err)
		}
	})
}

// While a store is being moved, a copy that does not finish takes nothing from
// the one that does.
func TestNoCopyBesideAMove(t *testing.T) {
	from, to := file(t), file(t)
	furnish(t, from.store(t))
	a, b := from.side(t, false), to.side(t, true)
	err := during(t, a, b, true, func() {
		refuses(t, "is being moved", func() error {
			_, err := transfer.Copy(t.Context(), from.side(t, false), to.side(t, true), transfer.Options{})
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// P1: a store with more in it than this program knows of is not copied without that.
func TestP1NewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	side, err := sqlite.OpenTransfer(t.Context(), path, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := side.DB.ExecContext(t.Context(), "ALTER TABLE registrations ADD COLUMN seat TEXT; PRAGMA user_version = 1000"); err != nil {
		t.Fatal(err)
	}
	_ = side.Close()
	newer := map[string]func() (*transfer.Side, error){"SQLite": func() (*transfer.Side, error) { return sqlite.OpenTransfer(t.Context(), path, false) }}
	if server != "" {
		p := database(t)
		side := p.side(t, true)
		if _, err := side.DB.ExecContext(t.Context(), "UPDATE meta SET value = '1000' WHERE name = 'version'"); err != nil {
			t.Fatal(err)
		}
		newer["PostgreSQL"] = p.again
	}
	for name, open := range newer {
		side, err := open()
		if err == nil {
			_ = side.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "use the program that made it") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

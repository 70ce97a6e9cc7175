package sqlite

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-events/turnout"

	"modernc.org/sqlite"
)

// testDiskFull fills the store until it refuses; relief makes room.
func testDiskFull(t *testing.T, s *Store, relief func()) {
	t.Helper()
	n, code := 0, turnout.Code("")
	for ; code == "" && n < 50_000; n++ {
		_, err := s.Accept(t.Context(), acceptance(n))
		code = turnout.CodeOf(err)
	}
	if code != turnout.CodeNoSpace {
		t.Fatalf("after %d registrations: code %q, want %q", n, code, turnout.CodeNoSpace)
	}
	accepted := n - 1
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := s.Accept(t.Context(), acceptance(100_000+i)); turnout.CodeOf(err) != turnout.CodeNoSpace {
				t.Errorf("on a full disk: %v", err)
			}
		})
	}
	wg.Wait()
	if got := count(t, s, "SELECT count(*) FROM registrations"); got != accepted {
		t.Errorf("%d registrations rest, %d were acknowledged", got, accepted)
	}
	sound(t, s)
	relief()
	mustAccept(t, s, accepted) // the one that was refused
	mustAccept(t, s, accepted+1)
	if got := count(t, s, "SELECT count(*) FROM registrations"); got != accepted+2 {
		t.Errorf("%d registrations, want %d", got, accepted+2)
	}
	sound(t, s)
}

func TestFullFileChangesNothingAndRecovers(t *testing.T) {
	// The limit is the connection's own; after a failure there is another one.
	var pages atomic.Int64
	pages.Store(120)
	var opened atomic.Pointer[Store] // the writer may be at work before openStore returns
	s := openStore(t, filepath.Join(t.TempDir(), "turnout.db"), func(o *Options) {
		o.step = func(name string) {
			if s := opened.Load(); name == "turn" && s != nil {
				var got int
				if err := s.session.row(fmt.Sprintf("PRAGMA max_page_count = %d", pages.Load())).Scan(&got); err != nil {
					t.Error(err)
				}
			}
		}
	})
	opened.Store(s)
	defer s.Close()
	prepare(t, s, turnout.Unlimited)
	testDiskFull(t, s, func() { pages.Store(1 << 30) })
}

// A commit of which nobody can say whether it is there is answered as such to
// everybody in it, and the same keys may be handed in again (P1).
func TestP1FailedCommitIsUnknownToAll(t *testing.T) {
	var s *Store
	var until atomic.Int64 // the commit that is to fail
	s = openStore(t, filepath.Join(t.TempDir(), "turnout.db"), func(o *Options) {
		o.step = func(name string) {
			if name == "written" && until.Add(-1) == 0 {
				if err := s.session.exec("ROLLBACK"); err != nil { // so that COMMIT fails
					t.Error(err)
				}
			}
		}
	})
	defer s.Close()
	prepare(t, s, 100)
	before := s.session
	errs := together(t, s, 10, func(i int) error {
		_, err := s.Accept(t.Context(), acceptance(i))
		return err
	}, func() { until.Store(2) })
	for i, err := range errs {
		if turnout.CodeOf(err) != turnout.CodeUnknown {
			t.Errorf("%d: %v, want an unknown outcome", i, err)
		}
	}
	for i := range 10 {
		mustAccept(t, s, i)
	}
	if s.session == before {
		t.Error("the connection is still the one whose commit failed")
	}
	sound(t, s)
	if n := count(t, s, "SELECT taken FROM seats WHERE pool = 'event'"); n != 10 {
		t.Errorf("%d seats taken, want 10", n)
	}
}

// P8: forgetting that was not committed counts nothing, so that nobody takes it
// for done.
func TestP8FailedForgetCountsNothing(t *testing.T) {
	var opened atomic.Pointer[Store]
	var fail atomic.Bool
	s := openStore(t, filepath.Join(t.TempDir(), "turnout.db"), func(o *Options) {
		o.step = func(name string) {
			if name == "written" && fail.Load() {
				if err := opened.Load().session.exec("ROLLBACK"); err != nil { // so that COMMIT fails
					t.Error(err)
				}
			}
		}
	})
	opened.Store(s)
	defer s.Close()
	prepare(t, s, 100)
	mustAccept(t, s, 1)
	person := acceptance(1).DataKey.Person
	fail.Store(true)
	f, err := s.Forget(t.Context(), acme, person, start)
	if turnout.CodeOf(err) != turnout.CodeUnknown || f != (turnout.Forgotten{}) {
		t.Errorf("a failed commit answers %+v, %v", f, err)
	}
	fail.Store(false)
	if f, err = s.Forget(t.Context(), acme, person, start); err != nil || f.Registrations != 1 {
		t.Errorf("asked again: %+v, %v", f, err)
	}
}

// together makes n calls that share one commit: the writer is held until all
// of them wait. before is done while they do.
func together(t *testing.T, s *Store, n int, call func(i int) error, before func()) []error {
	t.Helper()
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.do(t.Context(), "hold", func(*tx) error {
			close(held)
			<-hold
			return nil
		})
	})
	<-held
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = call(i) })
	}
	for s.writer.Waiting() < n {
		// They are on their way.
	}
	before()
	close(hold)
	wg.Wait()
	return errs
}

// P7: a batch that is replayed one by one keeps no other process waiting for all of it,
// and one that keeps the turn in between is answered to those who are left.
func TestP7AReplayGivesTheTurnBackInBetween(t *testing.T) {
	path := filepath.Join(t.TempDir(), "turnout.db")
	var other atomic.Pointer[Store]
	var between atomic.Int64
	var keeps atomic.Pointer[turnLock]
	s := openStore(t, path, func(o *Options) {
		o.step = func(name string) {
			o := other.Load()
			if name != "between" || o == nil {
				return
			}
			switch between.Add(1) {
			case 1, 2, 3:
				if err := o.Ping(t.Context()); err != nil {
					t.Errorf("another process gets no turn: %v", err)
				}
			case 4:
				if err := keeps.Load().lock(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	defer s.Close()
	prepare(t, s, 100)
	o := openStore(t, path)
	defer o.Close()
	if err := o.Ping(t.Context()); err != nil { // its own first work is done
		t.Fatal(err)
	}
	third, err := openTurnLock(path + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer third.close()
	keeps.Store(third)
	errs := together(t, s, 6, func(i int) error {
		if i == 0 {
			return s.do(t.Context(), "fail", func(*tx) error { return errors.New("boom") })
		}
		_, err := s.Accept(t.Context(), acceptance(i))
		return err
	}, func() { s.turn.patience = 50 * time.Millisecond; other.Store(o) })
	took, refused := 0, 0
	for _, err := range errs {
		switch {
		case err == nil:
			took++
		case turnout.CodeOf(err) == turnout.CodeUnavailable:
			refused++
		}
	}
	if between.Load() != 4 || refused != 3 {
		t.Errorf("%d turns, %d taken, %d refused for want of one: %v", between.Load(), took, refused, errs)
	}
	third.unlock()
	if n := count(t, s, "SELECT count(*) FROM registrations"); n != took {
		t.Errorf("%d registrations, %d were told that theirs is there", n, took)
	}
	sound(t, s)
}

func TestOneFailingJobTakesNobodyAlong(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "turnout.db"))
	defer s.Close()
	prepare(t, s, 100)
	boom := errors.New("boom")
	for name, bad := range map[string]func(*tx) error{
		"fails": func(*tx) error { return boom },
		"breaks a constraint": func(t *tx) error {
			return t.exec("UPDATE seats SET taken = -1")
		},
		"oversells (P2)": func(t *tx) error {
			return t.exec("UPDATE seats SET taken = 101 WHERE pool = 'event'")
		},
		"rejects after a change": func(t *tx) error {
			if err := t.exec("DELETE FROM people"); err != nil {
				return err
			}
			return turnout.Errorf(turnout.CodeConflict, "test", "too late")
		},
	} {
		t.Run(name, func(t *testing.T) {
			base := count(t, s, "SELECT count(*) FROM registrations")
			errs := together(t, s, 12, func(i int) error {
				if i == 5 {
					return s.do(t.Context(), "bad", bad)
				}
				_, err := s.Accept(t.Context(), acceptance(100*base+i))
				return err
			}, func() {})
			for i, err := range errs {
				if (err != nil) != (i == 5) {
					t.Errorf("%d: %v", i, err)
				}
			}
			if n := count(t, s, "SELECT count(*) FROM registrations"); n != base+11 {
				t.Errorf("%d registrations, want %d", n, base+11)
			}
			sound(t, s)
		})
	}
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "turnout.db"))
	prepare(t, s, 1)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Accept(t.Context(), acceptance(1)); turnout.CodeOf(err) != turnout.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestSettingsThatDoNotHoldAreRefused(t *testing.T) {
	for _, pragma := range []string{"journal_mode(DELETE)", "synchronous(NORMAL)", "foreign_keys(OFF)", "secure_delete(OFF)"} {
		t.Run(pragma, func(t *testing.T) {
			db, err := openDB(filepath.Join(t.TempDir(), "turnout.db"), 1, false)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			name, value, _ := strings.Cut(strings.TrimSuffix(pragma, ")"), "(")
			if _, err := db.Exec("PRAGMA " + name + " = " + value); err != nil {
				t.Fatal(err)
			}
			c, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := verifyPragmas(t.Context(), c); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A setting that a connection lost, for whatever reason, is found by Open.
func TestOpenReadsSettingsBack(t *testing.T) {
	for _, pragma := range []string{"journal_mode = DELETE", "synchronous = NORMAL", "foreign_keys = OFF", "secure_delete = OFF"} {
		t.Run(pragma, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "spoiled.db")
			spoil(path, pragma)
			s, err := Open(t.Context(), Options{Path: path})
			if err == nil {
				_ = s.Close()
			}
			if name, _, _ := strings.Cut(pragma, " "); err == nil || !strings.Contains(err.Error(), "does not take "+name) {
				t.Errorf("got %v", err)
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

func digest(t *testing.T, path string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b", "50%25 off", "what?x=1", "no#1", "ü"} {
		dir := filepath.Join(t.TempDir(), name)
		s := openStore(t, filepath.Join(dir, "turnout.db"))
		prepare(t, s, 1)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "turnout.db" }) {
			t.Errorf("%s: %v, %v", name, entries, err)
		}
		if info, err := os.Stat(filepath.Join(dir, "turnout.db")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v: want it readable by its owner only", info.Mode(), err)
		}
	}
}

package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

const (
	acme   turnout.OrgID   = "acme"
	summit turnout.EventID = "701000000000001AAA"
)

var start = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

// preparer is what a benchmark's two engines have in common.
type preparer interface {
	SetOrg(ctx context.Context, o turnout.Org, secrets []byte, now time.Time) error
	SetLedger(ctx context.Context, l turnout.Ledger, now time.Time) error
	Accept(ctx context.Context, a turnout.Acceptance) (turnout.Accepted, error)
}

// prepare sets up an org with one event of so many seats.
func prepare(t testing.TB, s preparer, seats int) {
	t.Helper()
	ctx := context.Background()
	if err := s.SetOrg(ctx, turnout.Org{ID: acme, Mapping: "turnout"}, []byte("s"), start); err != nil {
		t.Fatal(err)
	}
	led := turnout.Ledger{Org: acme, Event: summit, Open: true, Ends: start.AddDate(1, 0, 0),
		Pools: []turnout.Claim{{Pool: turnout.PoolEvent, Seats: seats}, {Pool: "ticket/std", Seats: turnout.Unlimited}}}
	if err := s.SetLedger(ctx, led, start); err != nil {
		t.Fatal(err)
	}
}

// submitted is a submission of a new person under its own key.
func submitted(n int) turnout.Acceptance {
	sealed := make([]byte, 0, 600)
	for i := 0; len(sealed) < 600; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "details %d %d", n, i))
		sealed = append(sealed, sum[:]...)
	}
	index, key := sha256.Sum256(fmt.Appendf(nil, "person %d", n)), sha256.Sum256(fmt.Appendf(nil, "key %d", n))
	return turnout.Acceptance{
		Org: acme, Event: summit, Key: turnout.Key(fmt.Sprintf("key-%08d", n)), Fingerprint: turnout.Fingerprint(sealed[:16]),
		DataKey: turnout.DataKey{Person: turnout.PersonID(index[:16]), Wrapped: key[:]},
		Status:  turnout.StatusRegistered, Sealed: sealed, At: start.Add(time.Duration(n) * time.Millisecond),
		Claims: []turnout.Claim{{Pool: turnout.PoolEvent, Seats: 1}, {Pool: "ticket/std", Seats: 1}},
	}
}

func count(t testing.TB, s *Store, query string, args ...any) int {
	t.Helper()
	var n int
	if err := s.pool.QueryRow(context.Background(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// together hands in n acceptances at once and returns their codes.
func together(s *Store, n int) []turnout.Code {
	codes := make([]turnout.Code, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, err := s.Accept(context.Background(), submitted(i))
			codes[i] = turnout.CodeOf(err)
		})
	}
	wg.Wait()
	return codes
}

// A commit of which nobody can say whether it is there is answered as such, and
// the same keys may be handed in again (P1): here the server ends the session
// right before the commit.
func TestP1LostConnectionIsUnknownAndMadeAnew(t *testing.T) {
	var until atomic.Int64 // the transaction that is to fail
	var s *Store
	url := place(t, t.TempDir())
	admin := dial(t, url)
	s = openStore(t, url, func(o *Options) {
		o.step = func(name string) {
			if name == "written" && until.Add(-1) == 0 {
				var done bool
				if err := admin.QueryRow(context.Background(), "SELECT pg_terminate_backend($1, 5000)", s.conn.PgConn().PID()).Scan(&done); err != nil || !done {
					t.Error(done, err)
				}
			}
		}
	})
	defer s.Close()
	prepare(t, s, 100)
	until.Store(1)
	unknown := 0
	for i, code := range together(s, 10) {
		if code != "" && code != turnout.CodeUnknown {
			t.Errorf("%d: %s, want an unknown outcome", i, code)
		}
		if code == turnout.CodeUnknown {
			unknown++
		}
	}
	if unknown == 0 {
		t.Error("nobody was told that the outcome is unknown")
	}
	for i, code := range together(s, 10) { // the same keys again
		if code != "" {
			t.Errorf("%d: %s", i, code)
		}
	}
	if n := count(t, s, "SELECT taken FROM seats WHERE pool = 'event'"); n != 10 {
		t.Errorf("%d seats taken, want 10", n)
	}
}

// A server that promises too little is refused (P1).
func TestP1WeakCommitIsRefused(t *testing.T) {
	for _, weak := range []string{"off", "local", "remote_write"} {
		s, err := Open(t.Context(), Options{URL: place(t, t.TempDir()) + "&synchronous_commit=" + weak})
		if err == nil {
			s.Close()
			t.Fatalf("a store with synchronous_commit=%s was opened", weak)
		}
		if !strings.Contains(err.Error(), "synchronous_commit="+weak) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v", err)
		}
	}
}

// The database's own constraint is the last guard against overselling (P2).
func TestP2ConstraintGuardsSeats(t *testing.T) {
	s := openStore(t, place(t, t.TempDir()))
	defer s.Close()
	prepare(t, s, 2)
	if _, err := s.pool.Exec(t.Context(), "UPDATE seats SET taken = 3 WHERE pool = 'event'"); err == nil {
		t.Error("3 of 2 seats were taken")
	}
}

// A destroyed key is in no table any more (P8).
func TestP8ForgottenKeyIsInNoTable(t *testing.T) {
	s := openStore(t, place(t, t.TempDir()))
	defer s.Close()
	prepare(t, s, 10)
	a := submitted(1)
	if _, err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Forget(t.Context(), acme, a.DataKey.Person, start); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, "SELECT (SELECT count(*) FROM people) + (SELECT count(*) FROM registrations WHERE sealed IS NOT NULL OR person = $1)", a.DataKey.Person[:]); n != 0 {
		t.Errorf("%d rows still hold what was forgotten", n)
	}
	if _, err := s.Accept(t.Context(), func() turnout.Acceptance { a.Key, a.DataKey.Stored = "another-key", true; return a }()); turnout.CodeOf(err) != turnout.CodeForgotten {
		t.Errorf("a destroyed key is taken again: %v", err)
	}
}

package sqlite

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

const (
	acme   turnout.OrgID   = "acme"
	summit turnout.EventID = "701000000000001AAA"
)

var start = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

// prepare sets up an org with one event of so many seats.
func prepare(t testing.TB, s *Store, seats int) {
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

// dataKey is the wrapped key of a person who is named by a number.
func dataKey(n int) turnout.DataKey {
	index := sha256.Sum256(fmt.Appendf(nil, "person %d", n))
	one, two := sha256.Sum256(fmt.Appendf(nil, "key %d", n)), sha256.Sum256(fmt.Appendf(nil, "yek %d", n))
	return turnout.DataKey{Person: turnout.PersonID(index[:16]), Wrapped: append(one[:], two[:]...)}
}

// acceptance is a submission of a new person under its own key.
func acceptance(n int) turnout.Acceptance {
	sealed := make([]byte, 0, 600)
	for i := 0; len(sealed) < 600; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "details %d %d", n, i))
		sealed = append(sealed, sum[:]...)
	}
	return turnout.Acceptance{
		Org: acme, Event: summit, Key: turnout.Key(fmt.Sprintf("key-%08d", n)), Fingerprint: turnout.Fingerprint(sealed[:16]),
		DataKey: dataKey(n), Status: turnout.StatusRegistered, Sealed: sealed, At: start.Add(time.Duration(n) * time.Millisecond),
		Claims: []turnout.Claim{{Pool: turnout.PoolEvent, Seats: 1}, {Pool: "ticket/std", Seats: 1}},
	}
}

func mustAccept(t testing.TB, s *Store, n int) {
	t.Helper()
	if _, err := s.Accept(context.Background(), acceptance(n)); err != nil {
		t.Fatalf("accept %d: %v", n, err)
	}
}

// sound checks what must hold of a store at any time: seat counters equal the
// claims of those who hold seats, every registration of a person who was not
// forgotten has a data key, and the file is in order.
func sound(t testing.TB, s *Store) {
	t.Helper()
	for what, query := range map[string]string{
		"counters that differ from the claims": `SELECT count(*) FROM seats s WHERE taken <> (SELECT coalesce(sum(json_extract(c.value, '$.seats')), 0)
			FROM registrations r, json_each(r.claims) c WHERE r.lane = s.lane AND r.status = 'registered' AND json_extract(c.value, '$.pool') = s.pool)`,
		"registrations without a data key": `SELECT count(*) FROM registrations r WHERE sealed IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM people p WHERE p.org = r.org AND p.person = r.person)`,
		"faults of the file": "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
		"broken references":  "SELECT count(*) FROM pragma_foreign_key_check",
	} {
		var n int
		if err := s.reads.QueryRow(query).Scan(&n); err != nil {
			t.Fatalf("count %s: %v", what, err)
		}
		if n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
}

func count(t testing.TB, s *Store, query string, args ...any) int {
	t.Helper()
	var n int
	if err := s.reads.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

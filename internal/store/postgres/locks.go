package postgres

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/ledger"
)

type ledgerKey struct {
	org   int64
	event turnout.EventID
}

// touched are the lanes of places, by number or by event. The parameters are
// lanes, and orgs and events side by side.
const touched = `SELECT unnest($1::bigint[]) UNION
	SELECT l.lane FROM lanes l JOIN unnest($2::bigint[], $3::text[]) AS p (org, event) ON l.org = p.org AND l.event = p.event`

// The second statement reads what was committed under the locks of the first.
const (
	lockLanes = `SELECT lane, org, event, open, opens, closes, ends FROM lanes WHERE lane IN (` + touched + `) ORDER BY lane FOR UPDATE`
	readSeats = `SELECT l.org, l.event, s.pool, s.counted, s.seat_limit, s.taken, s.outside, s.waiting, s.excess
		FROM seats s JOIN lanes l USING (lane) WHERE s.lane IN (` + touched + `)`
)

// queueLocks locks the lanes of jobs in one order and reads their ledgers.
func (t *tx) queueLocks(b *pgx.Batch, jobs []*job) {
	lanes, orgs, events := []int64{}, []int64{}, []string{}
	seen := map[ledgerKey]bool{}
	for _, j := range jobs {
		lanes = append(lanes, j.lanes...)
		for _, e := range j.events {
			if !seen[e] {
				seen[e] = true
				orgs, events = append(orgs, e.org), append(events, string(e.event))
			}
		}
	}
	if len(lanes)+len(orgs) == 0 {
		return
	}
	b.Queue(lockLanes, lanes, orgs, events).Query(t.foundLanes)
	b.Queue(readSeats, lanes, orgs, events).Query(t.foundSeats)
}

func (t *tx) foundLanes(found pgx.Rows) error {
	for found.Next() {
		var key ledgerKey
		l := ledger.New(0)
		if err := found.Scan(&l.Lane, &key.org, &key.event, &l.Open, &l.Opens, &l.Closes, &l.Ends); err != nil {
			return fmt.Errorf("lock lanes: %w", err)
		}
		t.ledgers[key] = l
	}
	return found.Err()
}

func (t *tx) foundSeats(found pgx.Rows) error {
	for found.Next() {
		var key ledgerKey
		c := &ledger.Counter{}
		if err := found.Scan(&key.org, &key.event, &c.Pool, &c.Counted, &c.Limit, &c.Taken, &c.Outside, &c.Waiting, &c.Excess); err != nil {
			return fmt.Errorf("read seats: %w", err)
		}
		c.Rested = c.Taken
		if l := t.ledgers[key]; l != nil {
			l.Add(c)
		}
	}
	return found.Err()
}

// lock locks further events within a transaction that is under way.
func (t *tx) lock(events []ledgerKey) error {
	b := &pgx.Batch{}
	t.queueLocks(b, []*job{{events: events}})
	return t.Send(b)
}

// queueSeats writes the counters that changed. What is taken is added to what
// rests, so that the constraint still guards it were the lock ever to fail (P2).
func (t *tx) queueSeats(b *pgx.Batch) {
	var lanes, limits, taken, outside, waiting, excess, rested []int64
	var pools []string
	var counted []bool
	for _, l := range t.ledgers {
		for c := range l.Changed() {
			lanes, pools, counted = append(lanes, l.Lane), append(pools, string(c.Pool)), append(counted, c.Counted)
			limits, taken, outside = append(limits, int64(c.Limit)), append(taken, int64(c.Taken)), append(outside, int64(c.Outside))
			waiting, excess = append(waiting, int64(c.Waiting)), append(excess, int64(c.Excess))
			rested = append(rested, int64(c.Rested))
		}
	}
	if len(lanes) == 0 {
		return
	}
	const changed = `unnest($1::bigint[], $2::text[], $3::boolean[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
		AS n (lane, pool, counted, seat_limit, taken, outside, waiting, excess, rested)`
	args := []any{lanes, pools, counted, limits, taken, outside, waiting, excess, rested}
	b.Queue(`UPDATE seats s SET counted = n.counted, seat_limit = n.seat_limit, taken = s.taken + n.taken - n.rested,
		outside = n.outside, waiting = n.waiting, excess = n.excess FROM `+changed+` WHERE s.lane = n.lane AND s.pool = n.pool`, args...)
	b.Queue(`INSERT INTO seats (lane, pool, counted, seat_limit, taken, outside, waiting, excess)
		SELECT n.lane, n.pool, n.counted, n.seat_limit, n.taken, n.outside, n.waiting, n.excess FROM `+changed+` ON CONFLICT DO NOTHING`, args...)
}

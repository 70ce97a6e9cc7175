package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

type ledgerKey struct {
	org   int64
	event turnout.EventID
}

// ledger is a lane's row and its seat counters within one transaction.
type ledger struct {
	lane                int64
	open                bool
	opens, closes, ends int64
	pools               map[turnout.Pool]*counter
	// promote is when seats may have come free for the waitlist; zero for not.
	promote time.Time
}

type counter struct {
	turnout.Seating
	counted bool
	excess  int
	dirty   bool
	fresh   bool // not in the table yet
}

// ledger reads an event's lane, nil when there is none.
func (t *tx) ledger(org int64, event turnout.EventID) (*ledger, error) {
	key := ledgerKey{org, event}
	if l, ok := t.ledgers[key]; ok {
		return l, nil
	}
	l := &ledger{pools: map[turnout.Pool]*counter{}}
	err := t.row("SELECT lane, open, opens, closes, ends FROM lanes WHERE org = ? AND event = ?", org, string(event)).
		Scan(&l.lane, &l.open, &l.opens, &l.closes, &l.ends)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lane: %w", err)
	}
	if err := t.readPools(l); err != nil {
		return nil, err
	}
	t.ledgers[key] = l
	return l, nil
}

func (t *tx) readPools(l *ledger) error {
	rows, err := t.rows("SELECT pool, counted, seat_limit, taken, outside, waiting, excess FROM seats WHERE lane = ?", l.lane)
	if err != nil {
		return fmt.Errorf("read seats: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		c := &counter{}
		if err := rows.Scan(&c.Pool, &c.counted, &c.Limit, &c.Taken, &c.Outside, &c.Waiting, &c.excess); err != nil {
			return fmt.Errorf("read seats: %w", err)
		}
		l.pools[c.Pool] = c
	}
	return rows.Err()
}

func (l *ledger) flush(t *tx) error {
	for _, c := range l.pools {
		if !c.dirty {
			continue
		}
		if c.Limit != turnout.Unlimited {
			c.excess = min(c.excess, max(0, c.Taken+c.Outside-c.Limit))
		}
		query := "UPDATE seats SET counted = ?3, seat_limit = ?4, taken = ?5, outside = ?6, waiting = ?7, excess = ?8 WHERE lane = ?1 AND pool = ?2"
		if c.fresh {
			query = "INSERT INTO seats (lane, pool, counted, seat_limit, taken, outside, waiting, excess) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
		}
		if err := t.exec(query, l.lane, string(c.Pool), c.counted, c.Limit, c.Taken, c.Outside, c.Waiting, c.excess); err != nil {
			return fmt.Errorf("write seats: %w", err)
		}
		c.dirty, c.fresh = false, false
	}
	return nil
}

// fits reports whether somebody new can have these seats. Pools that the
// event no longer has are an error: the form that named them is stale.
func (l *ledger) fits(claims []turnout.Claim) (bool, error) {
	for _, claim := range claims {
		if c, ok := l.pools[claim.Pool]; !ok || !c.counted {
			return false, turnout.Errorf(turnout.CodeStale, "take seats", "pool %s is no longer part of the event", claim.Pool)
		}
	}
	return !slices.ContainsFunc(claims, l.lacks), nil
}

// lacks reports whether the claim's pool is short of seats for somebody new.
// Pools that are not counted are never short.
func (l *ledger) lacks(claim turnout.Claim) bool {
	c, ok := l.pools[claim.Pool]
	if !ok || !c.counted {
		return false
	}
	free := c.Free()
	return free != turnout.Unlimited && free < claim.Seats
}

// enter counts somebody new at the end of the line: a registered party takes
// its seats, a waitlisted one waits at each pool that is short for it, and only
// there. Who waits for a full workshop keeps nobody from the rest of the event.
func (l *ledger) enter(status turnout.Status, claims []turnout.Claim) {
	switch status {
	case turnout.StatusRegistered:
		l.take(claims, 1)
	case turnout.StatusWaitlisted:
		for _, claim := range claims {
			if l.lacks(claim) {
				c := l.pools[claim.Pool]
				c.Waiting += claim.Seats
				c.dirty = true
			}
		}
	}
}

// take adds n times the claims to what is taken; n is 1 or -1. Pools that the
// event does not have are counted all the same, in case they come back.
func (l *ledger) take(claims []turnout.Claim, n int) {
	for _, claim := range claims {
		c, ok := l.pools[claim.Pool]
		if !ok {
			c = &counter{Seating: turnout.Seating{Pool: claim.Pool}, fresh: true}
			l.pools[claim.Pool] = c
		}
		c.Taken += n * claim.Seats
		c.dirty = true
	}
}

// settleExcess notes how far pools are over their limit by an organiser's own doing.
func (l *ledger) settleExcess() {
	for _, c := range l.pools {
		excess := 0
		if c.counted && c.Limit != turnout.Unlimited {
			excess = max(0, c.Taken+c.Outside-c.Limit)
		}
		if excess != c.excess {
			c.excess, c.dirty = excess, true
		}
	}
}

// SetLedger writes an event's limits and times, and gives seats that came free
// to the waitlist. Limits under what is already taken are taken over as they
// are; nobody new gets a seat until enough came back.
func (s *Store) SetLedger(ctx context.Context, led turnout.Ledger, now time.Time) error {
	return s.do(ctx, "set ledger", func(t *tx) error {
		org, err := t.org(led.Org)
		if err != nil {
			return err
		}
		l, err := t.ledger(org, led.Event)
		if err != nil {
			return err
		}
		if l == nil {
			if l, err = t.addLane(org, led.Event); err != nil {
				return err
			}
		}
		if err := t.exec("UPDATE lanes SET open = ?, opens = ?, closes = ?, ends = ? WHERE lane = ?",
			led.Open, millis(led.Opens), millis(led.Closes), millis(led.Ends), l.lane); err != nil {
			return fmt.Errorf("write lane: %w", err)
		}
		l.open, l.opens, l.closes, l.ends = led.Open, millis(led.Opens), millis(led.Closes), millis(led.Ends)
		l.setPools(led.Pools)
		l.promoteAt(now)
		return nil
	})
}

func (t *tx) addLane(org int64, event turnout.EventID) (*ledger, error) {
	l := &ledger{pools: map[turnout.Pool]*counter{}}
	err := t.row("INSERT INTO lanes (org, event, open, opens, closes, ends) VALUES (?, ?, 0, 0, 0, 0) RETURNING lane", org, string(event)).Scan(&l.lane)
	if err != nil {
		return nil, fmt.Errorf("add lane: %w", err)
	}
	t.ledgers[ledgerKey{org, event}] = l
	return l, nil
}

func (l *ledger) setPools(limits []turnout.Claim) {
	counted := map[turnout.Pool]bool{}
	for _, p := range limits {
		counted[p.Pool] = true
		c, ok := l.pools[p.Pool]
		if !ok {
			c = &counter{Seating: turnout.Seating{Pool: p.Pool}, fresh: true}
			l.pools[p.Pool] = c
		}
		c.Limit, c.counted, c.dirty = p.Seats, true, true
	}
	for pool, c := range l.pools {
		if !counted[pool] && c.counted {
			c.counted, c.dirty = false, true
		}
	}
	l.settleExcess()
}

// CloseLedger stops an event from taking registrations. Unknown events are none.
func (s *Store) CloseLedger(ctx context.Context, org turnout.OrgID, event turnout.EventID, _ time.Time) error {
	return s.do(ctx, "close ledger", func(t *tx) error {
		num, err := t.org(org)
		if err != nil {
			return err
		}
		l, err := t.ledger(num, event)
		if err != nil || l == nil {
			return err
		}
		l.open = false
		return t.exec("UPDATE lanes SET open = 0 WHERE lane = ?", l.lane)
	})
}

// SetOutside notes how many seats people hold whom organisers added in
// Salesforce by hand. Pools of events that counts leaves out have none.
func (s *Store) SetOutside(ctx context.Context, org turnout.OrgID, counts []turnout.HandCount, events []turnout.EventID, now time.Time) error {
	return s.do(ctx, "set hand counts", func(t *tx) error {
		num, err := t.org(org)
		if err != nil {
			return err
		}
		type place struct {
			event turnout.EventID
			pool  turnout.Pool
		}
		outside := map[place]int{}
		for _, c := range counts {
			outside[place{c.Event, c.Pool}] += c.Seats
		}
		for _, event := range events {
			l, err := t.ledger(num, event)
			if err != nil {
				return err
			}
			if l == nil {
				continue
			}
			for pool, c := range l.pools {
				if n := outside[place{event, pool}]; n != c.Outside {
					c.Outside, c.dirty = n, true
				}
			}
			l.settleExcess()
			l.promoteAt(now)
		}
		return nil
	})
}

// Seatings tells how the pools of all of an org's events stand.
func (s *Store) Seatings(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]turnout.Seatings, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT l.event, s.pool, s.seat_limit, s.taken, s.outside, s.waiting
		FROM seats s JOIN lanes l USING (lane) JOIN orgs o ON o.num = l.org WHERE o.org = ? AND s.counted = 1`, string(org))
	if err != nil {
		return nil, wrap("read seats", err)
	}
	defer rows.Close()
	all := map[turnout.EventID]turnout.Seatings{}
	for rows.Next() {
		var event turnout.EventID
		var s turnout.Seating
		if err := rows.Scan(&event, &s.Pool, &s.Limit, &s.Taken, &s.Outside, &s.Waiting); err != nil {
			return nil, wrap("read seats", err)
		}
		if all[event] == nil {
			all[event] = turnout.Seatings{}
		}
		all[event][s.Pool] = s
	}
	return all, wrap("read seats", rows.Err())
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

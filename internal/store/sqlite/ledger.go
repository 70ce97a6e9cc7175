package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/ledger"
)

type ledgerKey struct {
	org   int64
	event turnout.EventID
}

// ledger reads an event's lane, nil when there is none.
func (t *tx) ledger(org int64, event turnout.EventID) (*ledger.Ledger, error) {
	key := ledgerKey{org, event}
	if l, ok := t.ledgers[key]; ok {
		return l, nil
	}
	l := ledger.New(0)
	err := t.row("SELECT lane, open, opens, closes, ends FROM lanes WHERE org = ? AND event = ?", org, string(event)).
		Scan(&l.Lane, &l.Open, &l.Opens, &l.Closes, &l.Ends)
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

func (t *tx) readPools(l *ledger.Ledger) error {
	rows, err := t.rows("SELECT pool, counted, seat_limit, taken, outside, waiting, excess FROM seats WHERE lane = ?", l.Lane)
	if err != nil {
		return fmt.Errorf("read seats: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		c := &ledger.Counter{}
		if err := rows.Scan(&c.Pool, &c.Counted, &c.Limit, &c.Taken, &c.Outside, &c.Waiting, &c.Excess); err != nil {
			return fmt.Errorf("read seats: %w", err)
		}
		l.Add(c)
	}
	return rows.Err()
}

// flush writes the counters that changed.
func (t *tx) flush(l *ledger.Ledger) error {
	for c := range l.Changed() {
		query := "UPDATE seats SET counted = ?3, seat_limit = ?4, taken = ?5, outside = ?6, waiting = ?7, excess = ?8 WHERE lane = ?1 AND pool = ?2"
		if c.Fresh {
			query = "INSERT INTO seats (lane, pool, counted, seat_limit, taken, outside, waiting, excess) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
		}
		if err := t.exec(query, l.Lane, string(c.Pool), c.Counted, c.Limit, c.Taken, c.Outside, c.Waiting, c.Excess); err != nil {
			return fmt.Errorf("write seats: %w", err)
		}
		c.Fresh = false
	}
	return nil
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
		l.Set(led, now)
		if err := t.exec("UPDATE lanes SET open = ?, opens = ?, closes = ?, ends = ? WHERE lane = ?", l.Open, l.Opens, l.Closes, l.Ends, l.Lane); err != nil {
			return fmt.Errorf("write lane: %w", err)
		}
		return nil
	})
}

func (t *tx) addLane(org int64, event turnout.EventID) (*ledger.Ledger, error) {
	l := ledger.New(0)
	err := t.row("INSERT INTO lanes (org, event, open, opens, closes, ends) VALUES (?, ?, 0, 0, 0, 0) RETURNING lane", org, string(event)).Scan(&l.Lane)
	if err != nil {
		return nil, fmt.Errorf("add lane: %w", err)
	}
	t.ledgers[ledgerKey{org, event}] = l
	return l, nil
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
		l.Open = false
		return t.exec("UPDATE lanes SET open = 0 WHERE lane = ?", l.Lane)
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
		outside := map[turnout.EventID]map[turnout.Pool]int{}
		for _, c := range counts {
			if outside[c.Event] == nil {
				outside[c.Event] = map[turnout.Pool]int{}
			}
			outside[c.Event][c.Pool] += c.Seats
		}
		for _, event := range events {
			l, err := t.ledger(num, event)
			if err != nil {
				return err
			}
			if l != nil {
				l.SetOutside(outside[event], now)
			}
		}
		return nil
	})
}

// selectSeatings is the query of Seatings.
const selectSeatings = `SELECT l.event, s.pool, s.seat_limit, s.taken, s.outside, s.waiting
	FROM seats s JOIN lanes l USING (lane) JOIN orgs o ON o.num = l.org WHERE o.org = ? AND s.counted = 1`

// Seatings tells how the pools of all of an org's events stand.
func (s *Store) Seatings(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]turnout.Seatings, error) {
	rows, err := s.hot.seatings.QueryContext(ctx, string(org))
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

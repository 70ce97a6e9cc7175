package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/ledger"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
)

// SetLedger writes an event's limits and times, and gives seats that came free
// to the waitlist. Limits under what is already taken are taken over as they
// are; nobody new gets a seat until enough came back.
func (s *Store) SetLedger(ctx context.Context, led turnout.Ledger, now time.Time) error {
	org, err := s.org(ctx, led.Org)
	if err != nil {
		return wire.Wrap("set ledger", err)
	}
	key := ledgerKey{org, led.Event}
	return s.do(ctx, "set ledger", &job{events: []ledgerKey{key}, apply: func(t *tx) error {
		l := t.ledgers[key]
		if l == nil {
			if l, err = t.addLane(key); err != nil {
				return err
			}
		}
		l.Set(led, now)
		if err := t.Exec("UPDATE lanes SET open = $1, opens = $2, closes = $3, ends = $4 WHERE lane = $5", l.Open, l.Opens, l.Closes, l.Ends, l.Lane); err != nil {
			return fmt.Errorf("write lane: %w", err)
		}
		return nil
	}})
}

// addLane adds an event's lane. Where another process adds it too, one of them
// starts anew.
func (t *tx) addLane(key ledgerKey) (*ledger.Ledger, error) {
	l := ledger.New(0)
	t.changes++
	err := t.Row("INSERT INTO lanes (org, event, open, opens, closes, ends) VALUES ($1, $2, false, 0, 0, 0) RETURNING lane", []any{key.org, string(key.event)}, &l.Lane)
	if err != nil {
		return nil, fmt.Errorf("add lane: %w", err)
	}
	t.ledgers[key] = l
	return l, nil
}

// CloseLedger stops an event from taking registrations. Unknown events are none.
func (s *Store) CloseLedger(ctx context.Context, org turnout.OrgID, event turnout.EventID, _ time.Time) error {
	num, err := s.org(ctx, org)
	if err != nil {
		return wire.Wrap("close ledger", err)
	}
	key := ledgerKey{num, event}
	return s.do(ctx, "close ledger", &job{events: []ledgerKey{key}, apply: func(t *tx) error {
		l := t.ledgers[key]
		if l == nil {
			return nil
		}
		l.Open = false
		return t.Exec("UPDATE lanes SET open = false WHERE lane = $1", l.Lane)
	}})
}

// SetOutside notes how many seats people hold whom organisers added in
// Salesforce by hand. Pools of events that counts leaves out have none.
func (s *Store) SetOutside(ctx context.Context, org turnout.OrgID, counts []turnout.HandCount, events []turnout.EventID, now time.Time) error {
	num, err := s.org(ctx, org)
	if err != nil {
		return wire.Wrap("set hand counts", err)
	}
	outside := map[turnout.EventID]map[turnout.Pool]int{}
	for _, c := range counts {
		if outside[c.Event] == nil {
			outside[c.Event] = map[turnout.Pool]int{}
		}
		outside[c.Event][c.Pool] += c.Seats
	}
	keys := make([]ledgerKey, len(events))
	for i, event := range events {
		keys[i] = ledgerKey{num, event}
	}
	return s.do(ctx, "set hand counts", &job{events: keys, apply: func(t *tx) error {
		for _, key := range keys {
			if l := t.ledgers[key]; l != nil {
				l.SetOutside(outside[key.event], now)
			}
		}
		return nil
	}})
}

// Seatings tells how the pools of all of an org's events stand.
func (s *Store) Seatings(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]turnout.Seatings, error) {
	all := map[turnout.EventID]turnout.Seatings{}
	_, err := wire.Query(ctx, s.pool, func(row wire.Scanner) (bool, error) {
		var event turnout.EventID
		var s turnout.Seating
		if err := row.Scan(&event, &s.Pool, &s.Limit, &s.Taken, &s.Outside, &s.Waiting); err != nil {
			return false, err
		}
		if all[event] == nil {
			all[event] = turnout.Seatings{}
		}
		all[event][s.Pool] = s
		return true, nil
	}, `SELECT l.event, s.pool, s.seat_limit, s.taken, s.outside, s.waiting
		FROM seats s JOIN lanes l USING (lane) JOIN orgs o ON o.num = l.org WHERE o.org = $1 AND s.counted`, string(org))
	return all, wire.Wrap("read seats", err)
}

package sqlite

import (
	"fmt"
	"time"

	"github.com/turnout-events/turnout"
)

// replayTombstones forgets again whom the backup still remembers. What a
// person registered after they were forgotten stays.
func (t *tx) replayTombstones(now time.Time) (erased int, err error) {
	rows, err := t.rows(selectRegistration + ` JOIN tombstones d ON d.org = r.org AND d.person = r.person WHERE r.accepted_at <= d.at`)
	gone, err := collect("read forgotten", rows, err, scanRegistration)
	if err != nil {
		return 0, err
	}
	for _, r := range gone {
		org, err := t.org(r.Org)
		if err != nil {
			return 0, err
		}
		// The seats that come free are given on by recount.
		if _, err := t.erase(org, r, now); err != nil {
			return 0, err
		}
	}
	return len(gone), nil
}

// recount sets every seat counter to what the registrations hold, and names
// the pools where it was not.
func (t *tx) recount(now time.Time) (wrong []string, err error) {
	lanes, err := t.allLanes()
	if err != nil {
		return nil, err
	}
	for _, lane := range lanes {
		l, err := t.ledger(lane.org, lane.event)
		if err != nil {
			return nil, err
		}
		held, err := t.held(l.Lane)
		if err != nil {
			return nil, err
		}
		for _, w := range l.Recount(held, now) {
			wrong = append(wrong, fmt.Sprintf("%s %s", lane.event, w))
		}
	}
	return wrong, nil
}

func (t *tx) allLanes() ([]ledgerKey, error) {
	rows, err := t.rows("SELECT org, event FROM lanes")
	if err != nil {
		return nil, fmt.Errorf("read lanes: %w", err)
	}
	defer rows.Close()
	var all []ledgerKey
	for rows.Next() {
		var k ledgerKey
		if err := rows.Scan(&k.org, &k.event); err != nil {
			return nil, fmt.Errorf("read lanes: %w", err)
		}
		all = append(all, k)
	}
	return all, rows.Err()
}

// held sums up the claims of a lane's registered parties.
func (t *tx) held(lane int64) (map[turnout.Pool]int, error) {
	rows, err := t.rows(`SELECT json_extract(c.value, '$.pool'), sum(json_extract(c.value, '$.seats'))
		FROM registrations r, json_each(r.claims) c WHERE r.lane = ? AND r.status = 'registered' GROUP BY 1`, lane)
	if err != nil {
		return nil, fmt.Errorf("count seats: %w", err)
	}
	defer rows.Close()
	held := map[turnout.Pool]int{}
	for rows.Next() {
		var pool turnout.Pool
		var seats int
		if err := rows.Scan(&pool, &seats); err != nil {
			return nil, fmt.Errorf("count seats: %w", err)
		}
		held[pool] = seats
	}
	return held, rows.Err()
}

// deliverAgain makes everything due that Salesforce may not have: what was
// delivered after the backup is delivered once more, which changes nothing there.
func (t *tx) deliverAgain(now time.Time) (int, error) {
	if err := t.exec("UPDATE lanes SET not_before = 0, lease_until = 0, owner = '', fence = fence + 1"); err != nil {
		return 0, fmt.Errorf("free lanes: %w", err)
	}
	n, err := t.execN(`UPDATE registrations SET due_at = ?1, attempts = 0
		WHERE delivered < revision AND parked_code IS NULL AND sealed IS NOT NULL`, millis(now))
	if err != nil {
		return 0, fmt.Errorf("make due: %w", err)
	}
	return int(n), nil
}

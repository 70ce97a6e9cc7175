package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/turnout-events/turnout"
)

// keyring is today's: the file whose data keys and tombstones a restored
// store gets.
type keyring struct{ db *sql.DB }

func openKeyring(path string) (*keyring, error) {
	db, err := sql.Open("sqlite", fileURL(path, "mode=ro"))
	if err != nil {
		return nil, err
	}
	return &keyring{db}, nil
}

func (k *keyring) close() error { return k.db.Close() }

// feedJump is added to the feed's numbers, for those that were given out
// between backup and restore: more than any store appends in that time.
const feedJump = 1_000_000

// takeOver copies orgs that the backup does not know yet, org keys, data keys
// tombstones and errands. Orgs are matched by their ids: their numbers may differ.
func (k *keyring) takeOver(ctx context.Context, t *tx) error {
	t.addedOrg = true
	nums := map[int64]int64{}
	err := k.each(ctx, "SELECT num, org, settings, secrets, changed FROM orgs", func(row scanner) error {
		var num, changed int64
		var org, settings string
		var secrets []byte
		if err := row.Scan(&num, &org, &settings, &secrets, &changed); err != nil {
			return err
		}
		if err := t.exec("INSERT INTO orgs (org, settings, secrets, changed) VALUES (?, ?, ?, ?) ON CONFLICT (org) DO NOTHING", org, settings, secrets, changed); err != nil {
			return err
		}
		here, err := t.org(turnout.OrgID(org))
		nums[num] = here
		return err
	})
	if err != nil {
		return err
	}
	err = k.each(ctx, "SELECT scope, purpose, version, wrapped FROM org_keys", func(row scanner) error {
		var scope, purpose string
		var version int64
		var wrapped []byte
		if err := row.Scan(&scope, &purpose, &version, &wrapped); err != nil {
			return err
		}
		return t.exec("INSERT OR REPLACE INTO org_keys (scope, purpose, version, wrapped) VALUES (?, ?, ?, ?)", scope, purpose, version, wrapped)
	})
	if err != nil {
		return err
	}
	for query, insert := range map[string]string{
		"SELECT org, person, wrapped FROM people": "INSERT INTO people (org, person, wrapped) VALUES (?, ?, ?)",
		"SELECT org, person, at FROM tombstones":  "INSERT INTO tombstones (org, person, at) VALUES (?, ?, ?)",
	} {
		err := k.each(ctx, query, func(row scanner) error {
			var num int64
			var person []byte
			var rest any
			if err := row.Scan(&num, &person, &rest); err != nil {
				return err
			}
			return t.exec(insert, nums[num], person, rest)
		})
		if err != nil {
			return err
		}
	}
	if err := k.takeErrands(ctx, t, nums); err != nil {
		return err
	}
	return k.jump(ctx, t)
}

// takeErrands copies who is still to be forgotten. A file of the first schema
// has no such table.
func (k *keyring) takeErrands(ctx context.Context, t *tx, nums map[int64]int64) error {
	var tables int
	if err := k.db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = 'errands'").Scan(&tables); err != nil || tables == 0 {
		return err
	}
	return k.each(ctx, "SELECT org, id FROM errands", func(row scanner) error {
		var num int64
		var id string
		if err := row.Scan(&num, &id); err != nil {
			return err
		}
		return t.exec("INSERT INTO errands (org, id) VALUES (?, ?)", nums[num], id)
	})
}

// jump moves the feed on, so that no number is used again.
func (k *keyring) jump(ctx context.Context, t *tx) error {
	var used int64
	if err := k.db.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'feed'").Scan(&used); err != nil {
		return fmt.Errorf("read feed: %w", err)
	}
	n, err := t.execN("UPDATE sqlite_sequence SET seq = max(seq, ?1) + ?2 WHERE name = 'feed'", used, feedJump)
	if err == nil && n == 0 {
		err = t.exec("INSERT INTO sqlite_sequence (name, seq) VALUES ('feed', ?1 + ?2)", used, feedJump)
	}
	return err
}

func (k *keyring) each(ctx context.Context, query string, take func(scanner) error) error {
	rows, err := k.db.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("read keyring: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := take(rows); err != nil {
			return fmt.Errorf("take over keyring: %w", err)
		}
	}
	return rows.Err()
}

// replayTombstones forgets again whom the backup still remembers. What a
// person registered after they were forgotten stays.
func (t *tx) replayTombstones(now time.Time) (erased int, err error) {
	rows, err := t.rows(selectRegistration + ` JOIN tombstones d ON d.org = r.org AND d.person = r.person WHERE r.accepted_at <= d.at`)
	gone, err := collect("read forgotten", rows, err)
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
		held, err := t.held(l.lane)
		if err != nil {
			return nil, err
		}
		for pool := range held {
			if _, ok := l.pools[pool]; !ok {
				l.take([]turnout.Claim{{Pool: pool}}, 1)
			}
		}
		for pool, c := range l.pools {
			if c.Taken != held[pool] {
				wrong = append(wrong, fmt.Sprintf("%s %s: counted %d, held %d", lane.event, pool, c.Taken, held[pool]))
				c.Taken, c.dirty = held[pool], true
			}
		}
		l.settleExcess()
		l.promoteAt(now)
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

package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// keyring is a file that holds data keys and tombstones: a backup's KeysFile, or
// the store that is there.
type keyring struct {
	path string
	db   *sql.DB
}

func openKeyring(path string) (keyring, error) {
	db, err := sql.Open("sqlite", fileURL(path, "mode=ro"))
	return keyring{path, db}, err
}

// openKeyrings opens all or none.
func openKeyrings(paths []string) ([]keyring, error) {
	var all []keyring
	for _, path := range paths {
		k, err := openKeyring(path)
		if err != nil {
			closeKeyrings(all)
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

func closeKeyrings(all []keyring) {
	for _, k := range all {
		_ = k.db.Close() // it was only read
	}
}

// orgs are the settings of every org in the file.
func (k keyring) orgs(ctx context.Context) ([]turnout.Org, error) {
	var all []turnout.Org
	err := k.each(ctx, "SELECT settings FROM orgs ORDER BY org", func(row scanner) error {
		var text []byte
		var o turnout.Org
		if err := row.Scan(&text); err != nil {
			return err
		}
		err := json.Unmarshal(text, &o)
		all = append(all, o)
		return err
	})
	return all, err
}

func (k keyring) orgKeys(ctx context.Context) ([]seal.StoredKey, error) {
	var all []seal.StoredKey
	err := k.each(ctx, "SELECT scope, purpose, version, wrapped FROM org_keys ORDER BY scope, purpose, version", func(row scanner) error {
		var s seal.StoredKey
		err := row.Scan(&s.Scope, &s.Purpose, &s.Version, &s.Wrapped)
		all = append(all, s)
		return err
	})
	return all, err
}

// addOrgs copies orgs that the store does not know yet, and answers with the
// numbers that the file's orgs have in the store, by their numbers in the file.
func (k keyring) addOrgs(ctx context.Context, t *tx) (map[int64]int64, error) {
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
	return nums, err
}

// addTombstones copies who was forgotten, and when last.
func (k keyring) addTombstones(ctx context.Context, t *tx, nums map[int64]int64) error {
	return k.each(ctx, "SELECT org, person, at FROM tombstones", func(row scanner) error {
		var num, at int64
		var person []byte
		if err := row.Scan(&num, &person, &at); err != nil {
			return err
		}
		return t.exec("INSERT INTO tombstones (org, person, at) VALUES (?, ?, ?) ON CONFLICT (org, person) DO UPDATE SET at = max(at, excluded.at)", nums[num], person, at)
	})
}

// addPeople copies the data keys that the store has not. Every tombstone must
// be there already: a key comes back only from a file that knows of its person's
// last forgetting, so that the key was made after it (P8).
func (k keyring) addPeople(ctx context.Context, t *tx, nums map[int64]int64) error {
	const known = "SELECT p.org, p.person, p.wrapped, coalesce(d.at, -1) FROM people p LEFT JOIN tombstones d ON d.org = p.org AND d.person = p.person"
	return k.each(ctx, known, func(row scanner) error {
		var num, forgot int64
		var person, wrapped []byte
		if err := row.Scan(&num, &person, &wrapped, &forgot); err != nil {
			return err
		}
		return t.exec(`INSERT INTO people (org, person, wrapped) SELECT ?1, ?2, ?3
			WHERE NOT EXISTS (SELECT 1 FROM tombstones WHERE org = ?1 AND person = ?2 AND at > ?4)
			ON CONFLICT (org, person) DO NOTHING`, nums[num], person, wrapped, forgot)
	})
}

// addErrands copies who is still to be forgotten. A file of the first schema
// has no such table.
func (k keyring) addErrands(ctx context.Context, t *tx, nums map[int64]int64) error {
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
		return t.exec("INSERT INTO errands (org, id) VALUES (?, ?) ON CONFLICT (org, id) DO NOTHING", nums[num], id)
	})
}

// feedJump is added to the feed's numbers, for those that were given out
// between backup and restore: more than any store appends in that time.
const feedJump = 1_000_000

// jump moves the feed on, so that no number is used again.
func (k keyring) jump(ctx context.Context, t *tx) error {
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

func (k keyring) each(ctx context.Context, query string, take func(scanner) error) error {
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

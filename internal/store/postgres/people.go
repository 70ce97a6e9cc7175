package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
)

// DataKey reads a person's wrapped key; CodeForgotten when there is none.
func (s *Store) DataKey(ctx context.Context, org turnout.OrgID, person turnout.PersonID) (turnout.DataKey, error) {
	k := turnout.DataKey{Person: person, Stored: true}
	err := wire.QueryRow(ctx, s.pool, "SELECT p.wrapped FROM people p JOIN orgs o ON o.num = p.org WHERE o.org = $1 AND p.person = $2", []any{string(org), person[:]}, &k.Wrapped)
	if errors.Is(err, pgx.ErrNoRows) {
		return k, turnout.Errorf(turnout.CodeForgotten, "read data key", "there is no key for this person")
	}
	return k, wire.Wrap("read data key", err)
}

// ensuredAtOnce is how many keys one transaction keeps.
const ensuredAtOnce = 500

// EnsureDataKeys keeps the keys of people who have none yet, and answers with
// everybody's key in the same order. Those who were forgotten get none: their
// Wrapped is nil. After an error some may be kept: hand them in again.
func (s *Store) EnsureDataKeys(ctx context.Context, org turnout.OrgID, keys []turnout.DataKey) ([]turnout.DataKey, error) {
	num, err := s.org(ctx, org)
	if err != nil {
		return nil, wire.Wrap("keep data keys", err)
	}
	out := make([]turnout.DataKey, 0, len(keys))
	for some := range slices.Chunk(keys, ensuredAtOnce) {
		var kept []turnout.DataKey
		err := s.aside(ctx, "keep data keys", func(t *tx) (err error) {
			kept, err = t.ensureDataKeys(num, some)
			return err
		})
		if err != nil {
			return nil, err
		}
		out = append(out, kept...)
	}
	return out, nil
}

// The org's row keeps forgetting and the keeping of links' keys apart: between
// the look for a tombstone and the commit of a key nobody is forgotten (P8).
const (
	whileNobodyIsForgotten = "SELECT 1 FROM orgs WHERE num = $1 FOR SHARE"
	forgetting             = "SELECT 1 FROM orgs WHERE num = $1 FOR NO KEY UPDATE"
)

// ensureDataKeys adds the keys that are missing, in order of person, and reads
// what rests of all.
func (t *tx) ensureDataKeys(org int64, keys []turnout.DataKey) ([]turnout.DataKey, error) {
	if err := t.Session.Exec(whileNobodyIsForgotten, org); err != nil {
		return nil, fmt.Errorf("keep data keys: %w", err)
	}
	people, wrapped := make([][]byte, len(keys)), make([][]byte, len(keys))
	for i, k := range keys {
		people[i], wrapped[i] = k.Person[:], k.Wrapped
	}
	if err := t.Exec(`INSERT INTO people (org, person, wrapped)
		SELECT $1, k.person, k.wrapped FROM unnest($2::bytea[], $3::bytea[]) WITH ORDINALITY AS k (person, wrapped, place)
		WHERE NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.org = $1 AND t.person = k.person)
		ORDER BY k.person, k.place ON CONFLICT DO NOTHING`, org, people, wrapped); err != nil {
		return nil, fmt.Errorf("keep data keys: %w", err)
	}
	rest, err := wire.Rows(t.Session, scanKey, `SELECT p.person, p.wrapped FROM people p WHERE p.org = $1 AND p.person = ANY($2)
		AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.org = $1 AND t.person = p.person)`, org, people)
	if err != nil {
		return nil, fmt.Errorf("read data keys: %w", err)
	}
	have := map[turnout.PersonID][]byte{}
	for _, k := range rest {
		have[k.Person] = k.Wrapped
	}
	out := slices.Clone(keys)
	for i, k := range keys {
		kept, ok := have[k.Person]
		switch {
		case !ok:
			out[i] = turnout.DataKey{Person: k.Person}
		case !bytes.Equal(kept, k.Wrapped):
			out[i] = turnout.DataKey{Person: k.Person, Wrapped: kept, Stored: true}
		}
	}
	return out, nil
}

func scanKey(row wire.Scanner) (k turnout.DataKey, err error) {
	var person []byte
	err = row.Scan(&person, &k.Wrapped)
	copy(k.Person[:], person)
	return k, err
}

// DataKeysAfter reads up to limit keys of an org in order of person, from the
// one after; for rewrapping.
func (s *Store) DataKeysAfter(ctx context.Context, org turnout.OrgID, after turnout.PersonID, limit int) ([]turnout.DataKey, error) {
	keys, err := wire.Query(ctx, s.pool, scanKey, `SELECT person, wrapped FROM people
		WHERE org = (SELECT num FROM orgs WHERE org = $1) AND person > $2 ORDER BY person LIMIT $3`, string(org), after[:], limit)
	return keys, wire.Wrap("read data keys", err)
}

// Rewrap replaces the wrapped form of keys that are still the same: somebody who
// was forgotten and came back has another one by now.
func (s *Store) Rewrap(ctx context.Context, org turnout.OrgID, keys []turnout.Rewrapped) error {
	num, err := s.org(ctx, org)
	if err != nil {
		return wire.Wrap("rewrap data keys", err)
	}
	keys = slices.SortedFunc(slices.Values(keys), func(x, y turnout.Rewrapped) int { return bytes.Compare(x.Person[:], y.Person[:]) })
	return s.aside(ctx, "rewrap data keys", func(t *tx) error {
		b := &pgx.Batch{}
		for _, k := range keys {
			b.Queue("UPDATE people SET wrapped = $4 WHERE org = $1 AND person = $2 AND wrapped = $3", num, k.Person[:], k.Wrapped, k.Anew)
		}
		t.changes++
		return t.Send(b)
	})
}

// Shred destroys the answers of registrations whose event ended before, once
// they are delivered or dismissed; at most limit. It tells how many.
func (s *Store) Shred(ctx context.Context, org turnout.OrgID, before time.Time, limit int) (int, error) {
	var n int64
	err := s.aside(ctx, "shred answers", func(t *tx) (err error) {
		n, err = t.ExecN(`WITH over AS MATERIALIZED (SELECT r.id FROM orgs o JOIN lanes l ON l.org = o.num JOIN registrations r ON r.lane = l.lane
			WHERE o.org = $1 AND l.ends > 0 AND l.ends < $2 AND r.sealed IS NOT NULL AND r.due_at IS NULL AND (r.parked_code IS NULL OR r.dismissed_at IS NOT NULL)
			ORDER BY r.id LIMIT $3 FOR UPDATE OF r)
			UPDATE registrations SET sealed = NULL, parked_text = NULL WHERE id IN (SELECT id FROM over)`, string(org), millis(before), limit)
		return err
	})
	return int(n), err
}

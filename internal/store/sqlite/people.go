package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/ledger"
)

// DataKey reads a person's wrapped key; CodeForgotten when there is none.
func (s *Store) DataKey(ctx context.Context, org turnout.OrgID, person turnout.PersonID) (turnout.DataKey, error) {
	k := turnout.DataKey{Person: person, Stored: true}
	num, err := s.orgNumber(ctx, org)
	if err == nil {
		var wrapped any
		wrapped, err = s.hot.point.Row(context.WithoutCancel(ctx), wrappedKey, num, person[:])
		k.Wrapped, _ = wrapped.([]byte)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return k, turnout.Errorf(turnout.CodeForgotten, "read data key", "there is no key for this person")
	}
	return k, wrap("read data key", err)
}

// EnsureDataKeys keeps the keys of people who have none yet, and answers with
// everybody's key in the same order. Those who were forgotten get none: their
// Wrapped is nil. After an error some may be kept: hand them in again.
func (s *Store) EnsureDataKeys(ctx context.Context, org turnout.OrgID, keys []turnout.DataKey) ([]turnout.DataKey, error) {
	out := make([]turnout.DataKey, 0, len(keys))
	for some := range slices.Chunk(keys, ensuredAtOnce) {
		if n := len(out) / ensuredAtOnce; n > 0 && n%checkpointAfter == 0 {
			s.checkpoint(ctx)
		}
		var kept []turnout.DataKey
		err := s.do(ctx, "keep data keys", func(t *tx) (err error) {
			kept, err = t.ensureDataKeys(org, some)
			return err
		})
		if err != nil {
			return nil, err
		}
		out = append(out, kept...)
	}
	return out, nil
}

// ensuredAtOnce is how many keys one change keeps: everybody who registers waits
// for as long, about 12 µs a key.
const ensuredAtOnce = 100

// checkpointAfter is how many changes of ensuredAtOnce keys may pile up in the
// write-ahead log, at nearly a page a key: well below what makes the writer empty
// it, which takes some 40 ms, and everybody who registers waits for it.
const checkpointAfter = 10

// checkpoint moves what is in the write-ahead log into the file, beside the
// writer and in nobody's way. That it cannot leaves it to the writer.
func (s *Store) checkpoint(ctx context.Context) {
	var busy, pages, moved int
	if err := s.reads.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &moved); err != nil {
		s.log.Debug("store: the writer empties the write-ahead log", "cause", err)
	}
}

func (t *tx) ensureDataKeys(org turnout.OrgID, keys []turnout.DataKey) ([]turnout.DataKey, error) {
	num, err := t.org(org)
	if err != nil {
		return nil, err
	}
	out := make([]turnout.DataKey, len(keys))
	for i, k := range keys {
		if out[i], err = t.ensureDataKey(num, k); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *tx) ensureDataKey(org int64, k turnout.DataKey) (turnout.DataKey, error) {
	forgotten, err := t.exists("SELECT 1 FROM tombstones WHERE org = ? AND person = ?", org, k.Person[:])
	if err != nil || forgotten {
		return turnout.DataKey{Person: k.Person}, err
	}
	var other turnout.Accepted
	if _, err := t.keepDataKey(org, k, &other); err != nil {
		return k, err
	}
	if other.DataKey != nil {
		return *other.DataKey, nil
	}
	return k, nil
}

// DataKeysAfter reads up to limit keys of an org in order of person, from the
// one after; for rewrapping.
func (s *Store) DataKeysAfter(ctx context.Context, org turnout.OrgID, after turnout.PersonID, limit int) ([]turnout.DataKey, error) {
	rows, err := s.passes.QueryContext(ctx, `SELECT person, wrapped FROM people
		WHERE org = (SELECT num FROM orgs WHERE org = ?) AND person > ? ORDER BY person LIMIT ?`, string(org), after[:], limit)
	if err != nil {
		return nil, wrap("read data keys", err)
	}
	defer rows.Close()
	var keys []turnout.DataKey
	for rows.Next() {
		var k turnout.DataKey
		var person []byte
		if err := rows.Scan(&person, &k.Wrapped); err != nil {
			return nil, wrap("read data keys", err)
		}
		copy(k.Person[:], person)
		keys = append(keys, k)
	}
	return keys, wrap("read data keys", rows.Err())
}

// Rewrap replaces the wrapped form of keys that are still the same: somebody who
// was forgotten and came back has another one by now.
func (s *Store) Rewrap(ctx context.Context, org turnout.OrgID, keys []turnout.Rewrapped) error {
	return s.do(ctx, "rewrap data keys", func(t *tx) error {
		num, err := t.org(org)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := t.exec("UPDATE people SET wrapped = ?4 WHERE org = ?1 AND person = ?2 AND wrapped = ?3", num, k.Person[:], k.Wrapped, k.Anew); err != nil {
				return err
			}
		}
		return nil
	})
}

// Forget destroys a person's data key and everything that was sealed with it,
// cancels what they still held, leaves a tombstone and tells every instance.
// It may be repeated. What it answers are counts, all zero with an error. While
// somebody reads what is to be overwritten, the write-ahead log still holds the
// key; see Scrub.
func (s *Store) Forget(ctx context.Context, org turnout.OrgID, person turnout.PersonID, at time.Time) (turnout.Forgotten, error) {
	var f turnout.Forgotten
	forget := func(t *tx) error {
		num, err := t.org(org)
		if err != nil {
			return err
		}
		f, err = t.forget(num, person, at)
		if err != nil {
			return err
		}
		return t.appendChange(turnout.Change{Kind: turnout.ChangePerson, Org: org, ID: person.String(), At: at})
	}
	if err := s.hand(ctx, "forget person", &job{apply: forget, scrub: true}); err != nil {
		return turnout.Forgotten{}, err // what was counted was not committed
	}
	return f, nil
}

func (t *tx) forget(org int64, person turnout.PersonID, at time.Time) (turnout.Forgotten, error) {
	var f turnout.Forgotten
	keys, err := t.execN("DELETE FROM people WHERE org = ? AND person = ?", org, person[:])
	if err != nil {
		return f, fmt.Errorf("destroy data key: %w", err)
	}
	f.Keys = int(keys)
	if err := t.exec("INSERT INTO tombstones (org, person, at) VALUES (?, ?, ?) ON CONFLICT (org, person) DO UPDATE SET at = excluded.at", org, person[:], millis(at)); err != nil {
		return f, fmt.Errorf("leave tombstone: %w", err)
	}
	held, err := t.ofPerson(org, person)
	if err != nil {
		return f, err
	}
	f.Registrations = len(held)
	// Whoever is promoted into these seats is so once all of them are erased: the
	// person must not be given a place by their own cancellation.
	for _, r := range held {
		f.SeatsReturned += r.Seats()
		l, err := t.erase(org, r, at)
		if err != nil {
			return f, err
		}
		if r.Status.Holds() {
			l.PromoteAt(at)
		}
	}
	return f, nil
}

func (t *tx) ofPerson(org int64, person turnout.PersonID) ([]turnout.Registration, error) {
	rows, err := t.rows(selectRegistration+" WHERE r.org = ? AND r.person = ?", org, person[:])
	return collect("read registrations of person", rows, err, scanRegistration)
}

// erase leaves of a registration what names nobody.
func (t *tx) erase(org int64, r turnout.Registration, at time.Time) (*ledger.Ledger, error) {
	l, err := t.ledger(org, r.Event)
	if err != nil {
		return nil, err
	}
	l.Erase(&r, at)
	err = t.exec(`UPDATE registrations SET sealed = NULL, parked_code = NULL, parked_text = NULL, parked_at = NULL, dismissed_at = NULL, due_at = ?7, link = NULL,
		fingerprint = zeroblob(16), person = zeroblob(16), status = ?4, revision = ?5, delivered = ?6, attempts = 0, changed_at = ?3
		WHERE org = ?1 AND key = ?2`, org, string(r.Key), millis(r.ChangedAt), string(r.Status), r.Revision, r.Delivered, nullable(r.Due))
	if err != nil {
		return nil, fmt.Errorf("erase registration: %w", err)
	}
	return l, nil
}

// Shred destroys the answers of registrations whose event ended before, once
// they are delivered or dismissed; at most limit. It tells how many.
func (s *Store) Shred(ctx context.Context, org turnout.OrgID, before time.Time, limit int) (int, error) {
	// Looking for them may take long, so the writer does not do it.
	ids, err := s.shreddable(ctx, org, before, limit)
	if err != nil || len(ids) == 0 {
		return 0, wrap("find answers to shred", err)
	}
	shredded := 0
	err = s.hand(ctx, "shred answers", &job{scrub: true, apply: func(t *tx) error {
		shredded = 0
		for _, id := range ids {
			n, err := t.execN("UPDATE registrations SET sealed = NULL, parked_text = NULL WHERE id = ? AND sealed IS NOT NULL AND due_at IS NULL AND (parked_code IS NULL OR dismissed_at IS NOT NULL)", id)
			if err != nil {
				return err
			}
			shredded += int(n)
		}
		return nil
	}})
	return shredded, err
}

func (s *Store) shreddable(ctx context.Context, org turnout.OrgID, before time.Time, limit int) ([]int64, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT r.id FROM orgs o JOIN lanes l ON l.org = o.num JOIN registrations r ON r.lane = l.lane
		WHERE o.org = ?1 AND l.ends > 0 AND l.ends < ?2 AND r.sealed IS NOT NULL AND r.due_at IS NULL AND (r.parked_code IS NULL OR r.dismissed_at IS NOT NULL) LIMIT ?3`,
		string(org), millis(before), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

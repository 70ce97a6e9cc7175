package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/ledger"
)

// Accept takes the seats and inserts the registration in one atomic step, or
// does nothing and says why: CodeNotFound, CodeClosed, CodeFull, CodeStale,
// CodeReused, or CodeConflict where each person registers once. A repeated key
// or a link that is already answered gives the first registration. A decline is
// CodeClosed only once the event has ended.
func (s *Store) Accept(ctx context.Context, a turnout.Acceptance) (turnout.Accepted, error) {
	claims, err := json.Marshal(a.Claims)
	if err != nil {
		return turnout.Accepted{}, wrap("accept registration", err)
	}
	var out turnout.Accepted
	err = s.inTime(ctx, "accept registration", func(t *tx) error {
		out = turnout.Accepted{}
		return t.accept(a, claims, &out)
	})
	return out, err
}

func (t *tx) accept(a turnout.Acceptance, claims []byte, out *turnout.Accepted) error {
	before := t.changes
	org, err := t.org(a.Org)
	if err != nil {
		return err
	}
	l, err := t.ledger(org, a.Event)
	if err != nil {
		return err
	}
	status, err := l.Admit(&a, func() (bool, error) { return t.holds(org, l.Lane, a) })
	if err != nil {
		if !isRejection(err) {
			return err
		}
		// What was accepted before stays accepted, whatever happened since.
		if first, ok, findErr := t.first(org, a); findErr != nil || ok {
			return repeat(first, a, out, findErr)
		}
		return err
	}
	if !a.Link.IsZero() {
		if first, ok, err := t.first(org, a); err != nil || ok {
			return repeat(first, a, out, err)
		}
	}
	added, err := t.keepDataKey(org, a.DataKey, out)
	if err != nil || out.DataKey != nil {
		return err
	}
	inserted, err := t.insert(org, l.Lane, status, a, claims)
	if err != nil {
		return err
	}
	if !inserted {
		if added {
			if err := t.exec("DELETE FROM people WHERE org = ? AND person = ?", org, a.DataKey.Person[:]); err != nil {
				return fmt.Errorf("take back data key: %w", err)
			}
			t.changes = before // everything is as it was
		}
		first, _, err := t.first(org, a)
		return repeat(first, a, out, err)
	}
	l.Enter(status, a.Claims)
	out.Registration = ledger.Registration(&a, status)
	return nil
}

// holds tells whether the person has a place by another key.
func (t *tx) holds(org, lane int64, a turnout.Acceptance) (bool, error) {
	return t.exists(`SELECT 1 FROM registrations WHERE org = ? AND person = ? AND lane = ?
		AND status IN ('registered', 'waitlisted') AND key <> ?`, org, a.DataKey.Person[:], lane, string(a.Key))
}

// first finds what a's key, or else its link, was answered with before.
func (t *tx) first(org int64, a turnout.Acceptance) (turnout.Registration, bool, error) {
	r, err := scanRegistration(t.row(selectRegistration+" WHERE r.org = ? AND r.key = ?", org, string(a.Key)))
	if errors.Is(err, sql.ErrNoRows) && !a.Link.IsZero() {
		states := " AND r.status IN ('registered', 'waitlisted')"
		if a.Status == turnout.StatusDeclined {
			states = " AND r.status IN ('registered', 'waitlisted', 'declined')"
		}
		r, err = scanRegistration(t.row(selectRegistration+" WHERE r.org = ? AND r.link = ?"+states+" ORDER BY r.id DESC LIMIT 1", org, a.Link[:]))
	}
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	return r, err == nil, err
}

// repeat answers with the first registration.
func repeat(first turnout.Registration, a turnout.Acceptance, out *turnout.Accepted, err error) error {
	if err != nil {
		return fmt.Errorf("find first registration: %w", err)
	}
	return ledger.Repeat(&first, &a, out)
}

// keepDataKey stores a new person's key. A person who has another one already
// leaves it in out.DataKey.
func (t *tx) keepDataKey(org int64, k turnout.DataKey, out *turnout.Accepted) (added bool, err error) {
	if k.Stored {
		return false, t.stillStored(org, k, out)
	}
	n, err := t.execN("INSERT INTO people (org, person, wrapped) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", org, k.Person[:], k.Wrapped)
	if err != nil {
		return false, fmt.Errorf("keep data key: %w", err)
	}
	if n > 0 {
		return true, nil
	}
	var have []byte
	if err := t.row("SELECT wrapped FROM people WHERE org = ? AND person = ?", org, k.Person[:]).Scan(&have); err != nil {
		return false, fmt.Errorf("read data key: %w", err)
	}
	out.DataKey, err = ledger.KeyToUse(k, have)
	return false, err
}

// stillStored refuses a key that was destroyed since it was read (P8).
func (t *tx) stillStored(org int64, k turnout.DataKey, out *turnout.Accepted) error {
	var have []byte
	err := t.row("SELECT wrapped FROM people WHERE org = ? AND person = ?", org, k.Person[:]).Scan(&have)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read data key: %w", err)
	}
	out.DataKey, err = ledger.KeyToUse(k, have)
	return err
}

func (t *tx) insert(org, lane int64, status turnout.Status, a turnout.Acceptance, claims []byte) (bool, error) {
	at := millis(a.At)
	var link any
	if !a.Link.IsZero() {
		link = a.Link[:]
	}
	n, err := t.execN(`INSERT INTO registrations
		(org, lane, key, fingerprint, person, link, status, claims, sealed, revision, delivered, due_at, accepted_at, changed_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, 0, ?10, ?10, ?10) ON CONFLICT (org, key) DO NOTHING`,
		org, lane, string(a.Key), a.Fingerprint[:], a.DataKey.Person[:], link, string(status), string(claims), a.Sealed, at)
	if err != nil {
		return false, fmt.Errorf("insert registration: %w", err)
	}
	return n > 0, nil
}

func (t *tx) exists(query string, args ...any) (bool, error) {
	var one int
	err := t.row(query, args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

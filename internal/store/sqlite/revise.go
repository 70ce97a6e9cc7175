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

// Revise changes a registration and its seats in one atomic step, or does
// nothing: CodeNotFound, CodeConflict (another revision), CodeFull, CodeStale,
// CodeClosed (a change that the status does not allow), CodeForgotten. Seats
// that come back go to the waitlist in the same step.
func (s *Store) Revise(ctx context.Context, v turnout.Revision) (turnout.Registration, error) {
	var out turnout.Registration
	err := s.inTime(ctx, "revise registration", func(t *tx) error {
		var err error
		out, err = t.revise(v)
		return err
	})
	return out, err
}

func (t *tx) revise(v turnout.Revision) (turnout.Registration, error) {
	org, err := t.org(v.Org)
	if err != nil {
		return turnout.Registration{}, err
	}
	r, err := t.registration(org, v.Key)
	if errors.Is(err, sql.ErrNoRows) {
		return r, turnout.Errorf(turnout.CodeNotFound, "revise registration", "there is no such registration")
	}
	if err != nil {
		return r, err
	}
	if err := ledger.Revisable(&r, &v); err != nil {
		return r, err
	}
	l, err := t.ledger(org, r.Event)
	if err != nil {
		return r, err
	}
	if err := l.Revise(&r, &v); err != nil {
		return r, err
	}
	if err := t.writeRevision(org, &r); err != nil {
		return r, err
	}
	if r.Status != turnout.StatusWaitlisted {
		return r, nil
	}
	// The waitlist may just have come to it.
	if err := t.promote(l); err != nil {
		return r, err
	}
	return t.registration(org, v.Key)
}

func (t *tx) registration(org int64, key turnout.Key) (turnout.Registration, error) {
	r, err := scanRegistration(t.row(selectRegistration+" WHERE r.org = ? AND r.key = ?", org, string(key)))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("read registration: %w", err)
	}
	return r, err
}

func (t *tx) writeRevision(org int64, r *turnout.Registration) error {
	claims, err := json.Marshal(r.Claims)
	if err != nil {
		return fmt.Errorf("write claims: %w", err)
	}
	parkedCode, parkedText, parkedAt := parkedColumns(r.Parked)
	err = t.exec(`UPDATE registrations SET status = ?3, claims = ?4, sealed = ?5, attendance = ?6, revision = ?7, attempts = ?8,
		due_at = ?9, parked_code = ?10, parked_text = ?11, parked_at = ?12, changed_at = ?13, told = ?14, dismissed_at = ?15 WHERE org = ?1 AND key = ?2`,
		org, string(r.Key), string(r.Status), string(claims), r.Sealed, string(r.Attendance), r.Revision, r.Attempts,
		nullable(r.Due), parkedCode, parkedText, parkedAt, millis(r.ChangedAt), string(r.Told), nullable(r.Dismissed))
	if err != nil {
		return fmt.Errorf("write revision: %w", err)
	}
	return nil
}

// promote gives free seats to the waitlist.
func (t *tx) promote(l *ledger.Ledger) error {
	line, err := t.waitlist(l.Lane)
	if err != nil {
		return err
	}
	promoted, at := l.Promote(line)
	for _, id := range promoted {
		if err := t.exec(`UPDATE registrations SET status = 'registered', revision = revision + 1, attempts = 0,
			due_at = ?2, changed_at = ?2, parked_code = NULL, parked_text = NULL, parked_at = NULL, dismissed_at = NULL WHERE id = ?1`, id, millis(at)); err != nil {
			return fmt.Errorf("promote: %w", err)
		}
	}
	return nil
}

func (t *tx) waitlist(lane int64) ([]ledger.Party, error) {
	rows, err := t.rows("SELECT id, claims FROM registrations WHERE lane = ? AND status = 'waitlisted' ORDER BY id", lane)
	if err != nil {
		return nil, fmt.Errorf("read waitlist: %w", err)
	}
	defer rows.Close()
	var queue []ledger.Party
	for rows.Next() {
		var p ledger.Party
		var text []byte
		if err := rows.Scan(&p.ID, &text); err != nil {
			return nil, fmt.Errorf("read waitlist: %w", err)
		}
		if err := json.Unmarshal(text, &p.Claims); err != nil {
			return nil, fmt.Errorf("read waitlist: %w", err)
		}
		queue = append(queue, p)
	}
	return queue, rows.Err()
}

package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/ledger"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
)

// Revise changes a registration and its seats in one atomic step, or does
// nothing: CodeNotFound, CodeConflict (another revision), CodeFull, CodeStale,
// CodeClosed (a change that the status does not allow), CodeForgotten. Seats
// that come back go to the waitlist in the same step.
func (s *Store) Revise(ctx context.Context, v turnout.Revision) (turnout.Registration, error) {
	org, err := s.org(ctx, v.Org)
	if err != nil {
		return turnout.Registration{}, wire.Wrap("revise registration", err)
	}
	// A registration never moves to another event, so which lane to lock can be
	// read before.
	key := ledgerKey{org: org}
	err = wire.QueryRow(ctx, s.pool, "SELECT l.event FROM registrations r JOIN lanes l ON l.lane = r.lane WHERE r.org = $1 AND r.key = $2", []any{org, string(v.Key)}, &key.event)
	if errors.Is(err, pgx.ErrNoRows) {
		return turnout.Registration{}, turnout.Errorf(turnout.CodeNotFound, "revise registration", "there is no such registration")
	}
	if err != nil {
		return turnout.Registration{}, wire.Wrap("revise registration", err)
	}
	var out turnout.Registration
	err = s.inTime(ctx, "revise registration", &job{events: []ledgerKey{key}, apply: func(t *tx) error {
		var err error
		out, err = t.revise(org, t.ledgers[key], v)
		return err
	}})
	return out, err
}

func (t *tx) revise(org int64, l *ledger.Ledger, v turnout.Revision) (turnout.Registration, error) {
	r, err := t.registration(org, v.Key)
	if err != nil {
		return r, err
	}
	if err := ledger.Revisable(&r, &v); err != nil {
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

// registration reads one and keeps everybody else from changing it, those who
// go without the lane's lock included.
func (t *tx) registration(org int64, key turnout.Key) (turnout.Registration, error) {
	all, err := wire.Rows(t.Session, scanRegistration, selectRegistration+" WHERE r.org = $1 AND r.key = $2 FOR UPDATE OF r", org, string(key))
	if err != nil {
		return turnout.Registration{}, fmt.Errorf("read registration: %w", err)
	}
	if len(all) == 0 {
		return turnout.Registration{}, turnout.Errorf(turnout.CodeNotFound, "read registration", "there is no such registration")
	}
	return all[0], nil
}

func (t *tx) writeRevision(org int64, r *turnout.Registration) error {
	claims, err := json.Marshal(r.Claims)
	if err != nil {
		return fmt.Errorf("write claims: %w", err)
	}
	parkedCode, parkedText, parkedAt := parkedColumns(r.Parked)
	err = t.Exec(`UPDATE registrations SET status = $3, claims = $4, sealed = $5, attendance = $6, revision = $7, attempts = $8,
		due_at = $9, parked_code = $10, parked_text = $11, parked_at = $12, changed_at = $13, told = $14, dismissed_at = $15 WHERE org = $1 AND key = $2`,
		org, string(r.Key), string(r.Status), string(claims), r.Sealed, string(r.Attendance), r.Revision, r.Attempts,
		nullable(r.Due), parkedCode, parkedText, parkedAt, millis(r.ChangedAt), string(r.Told), nullable(r.Dismissed))
	if err != nil {
		return fmt.Errorf("write revision: %w", err)
	}
	return nil
}

// promoteAll looks at every waitlist that seats may have come free for. Those
// who were accepted to the end of one are written first.
func (t *tx) promoteAll() error {
	for _, l := range t.ledgers {
		if !l.Promoting() {
			continue
		}
		b := &pgx.Batch{}
		t.changes += len(t.writes.registrations)
		t.writes.queue(b)
		if err := t.Send(b); err != nil {
			return fmt.Errorf("write before promotion: %w", err)
		}
		if err := t.promote(l); err != nil {
			return err
		}
	}
	return nil
}

// promote gives free seats to the waitlist.
func (t *tx) promote(l *ledger.Ledger) error {
	line, err := wire.Rows(t.Session, scanWaiting, "SELECT id, claims FROM registrations WHERE lane = $1 AND status = 'waitlisted' ORDER BY id", l.Lane)
	if err != nil {
		return fmt.Errorf("read waitlist: %w", err)
	}
	promoted, at := l.Promote(line)
	if len(promoted) == 0 {
		return nil
	}
	if err := t.Exec(`UPDATE registrations SET status = 'registered', revision = revision + 1, attempts = 0,
		due_at = $2, changed_at = $2, parked_code = NULL, parked_text = NULL, parked_at = NULL, dismissed_at = NULL WHERE id = ANY($1)`, promoted, millis(at)); err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	return nil
}

func scanWaiting(row wire.Scanner) (p ledger.Party, err error) {
	var text string
	if err := row.Scan(&p.ID, &text); err != nil {
		return p, err
	}
	return p, json.Unmarshal([]byte(text), &p.Claims)
}

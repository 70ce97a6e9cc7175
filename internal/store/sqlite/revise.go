package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

// Revise changes a registration and its seats in one atomic step, or does
// nothing: CodeNotFound, CodeConflict (another revision), CodeFull, CodeStale,
// CodeClosed (a change that the status does not allow), CodeForgotten. Seats
// that come back go to the waitlist in the same step.
func (s *Store) Revise(ctx context.Context, v turnout.Revision) (turnout.Registration, error) {
	var out turnout.Registration
	err := s.do(ctx, "revise registration", func(t *tx) error {
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
	if r.Revision != v.From {
		return r, turnout.Errorf(turnout.CodeConflict, "revise registration", "it was changed meanwhile")
	}
	if r.Person.IsZero() {
		return r, turnout.Errorf(turnout.CodeForgotten, "revise registration", "its registrant was forgotten")
	}
	l, err := t.ledger(org, r.Event)
	if err != nil {
		return r, err
	}
	to, err := l.destination(&r, v)
	if err != nil {
		return r, err
	}
	waited := r.Status == turnout.StatusWaitlisted || to == turnout.StatusWaitlisted
	if v.Source == turnout.SourceSalesforce && (to != r.Status || r.Delivered == r.Revision) {
		r.Told = to
	}
	l.move(&r, to, v)
	if err := t.writeRevision(org, &r, v); err != nil {
		return r, err
	}
	// While the event is closed, whoever would find seats waits all the same, and is
	// counted nowhere until somebody else takes them.
	if !waited && l.open && !l.anybodyWaits() {
		return r, nil
	}
	l.promoteAt(v.At)
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

// move gives the old seats back and takes the new ones, and changes r. Whoever
// waits is counted by promote.
func (l *ledger) move(r *turnout.Registration, to turnout.Status, v turnout.Revision) {
	if r.Status == turnout.StatusRegistered {
		l.take(r.Claims, -1)
	}
	if to == turnout.StatusRegistered {
		l.take(v.Claims, 1)
	}
	if v.Source == turnout.SourceSalesforce {
		l.settleExcess()
	}
	r.Status, r.Claims = to, v.Claims
}

// destination is the status that a revision leads to. Whoever holds seats
// keeps them: only what a revision takes more must be free.
func (l *ledger) destination(r *turnout.Registration, v turnout.Revision) (turnout.Status, error) {
	switch {
	case v.Source == turnout.SourceSalesforce || !v.Status.Holds():
		return v.Status, nil
	case !r.Status.Holds():
		return "", turnout.Errorf(turnout.CodeClosed, "revise registration", "it is cancelled; register again")
	}
	fits, err := l.fits(more(r.Claims, v.Claims))
	switch {
	case err != nil:
		return "", err
	case r.Status == turnout.StatusWaitlisted:
		return turnout.StatusWaitlisted, nil
	case !fits:
		return "", turnout.Errorf(turnout.CodeFull, "revise registration", "not enough seats are left")
	}
	return turnout.StatusRegistered, nil
}

// more is what the second claims take beyond the first.
func more(had, wants []turnout.Claim) []turnout.Claim {
	held := map[turnout.Pool]int{}
	for _, c := range had {
		held[c.Pool] += c.Seats
	}
	var extra []turnout.Claim
	for _, c := range wants {
		if n := c.Seats - held[c.Pool]; n > 0 {
			extra = append(extra, turnout.Claim{Pool: c.Pool, Seats: n})
		}
	}
	return extra
}

func (t *tx) writeRevision(org int64, r *turnout.Registration, v turnout.Revision) error {
	claims, err := json.Marshal(r.Claims)
	if err != nil {
		return fmt.Errorf("write claims: %w", err)
	}
	if v.Sealed != nil {
		r.Sealed = v.Sealed
	}
	r.ChangedAt = v.At.UTC().Truncate(time.Millisecond)
	if v.Source == turnout.SourceSalesforce {
		r.Attendance = v.Attendance
	}
	// Salesforce has its own changes already. But where one of ours is still on
	// its way, what arrives would undo them: both go out together.
	if v.Source == turnout.SourceRegistrant || r.Delivered < r.Revision {
		r.Revision++
		r.Due, r.Attempts, r.Parked = r.ChangedAt, 0, nil
	}
	parkedCode, parkedText, parkedAt := parkedColumns(r.Parked)
	err = t.exec(`UPDATE registrations SET status = ?3, claims = ?4, sealed = ?5, attendance = ?6, revision = ?7, attempts = ?8,
		due_at = ?9, parked_code = ?10, parked_text = ?11, parked_at = ?12, changed_at = ?13, told = ?14 WHERE org = ?1 AND key = ?2`,
		org, string(r.Key), string(r.Status), string(claims), r.Sealed, string(r.Attendance), r.Revision, r.Attempts,
		nullable(r.Due), parkedCode, parkedText, parkedAt, millis(r.ChangedAt), string(r.Told))
	if err != nil {
		return fmt.Errorf("write revision: %w", err)
	}
	return nil
}

// promote gives free seats to the waitlist, first come first served. A party
// that does not fit waits at the pools that are short for it, and keeps
// everybody behind it off those, so that a large party is not overtaken for ever.
//
// It counts the waiting anew, which takes as long as the line is. So it is
// called once for all changes of a transaction, before the commit; until then
// what came free is kept for the line, since Waiting still stands.
func (t *tx) promote(l *ledger) error {
	at := l.promote
	l.promote = time.Time{}
	queue, err := t.waitlist(l.lane)
	if err != nil {
		return err
	}
	l.nobodyWaits()
	for _, p := range queue {
		if !l.open || slices.ContainsFunc(p.claims, l.lacks) {
			l.enter(turnout.StatusWaitlisted, p.claims)
			continue
		}
		l.take(p.claims, 1)
		if err := t.exec(`UPDATE registrations SET status = 'registered', revision = revision + 1, attempts = 0,
			due_at = ?2, changed_at = ?2, parked_code = NULL, parked_text = NULL, parked_at = NULL WHERE id = ?1`, p.id, millis(at)); err != nil {
			return fmt.Errorf("promote: %w", err)
		}
	}
	return nil
}

// promoteAt asks for a look at the waitlist before the commit.
func (l *ledger) promoteAt(at time.Time) {
	if at.After(l.promote) {
		l.promote = at
	}
}

// anybodyWaits reports whether some pool is short for somebody in line.
func (l *ledger) anybodyWaits() bool {
	for _, c := range l.pools {
		if c.Waiting > 0 {
			return true
		}
	}
	return false
}

func (l *ledger) nobodyWaits() {
	for _, c := range l.pools {
		if c.Waiting > 0 {
			c.Waiting, c.dirty = 0, true
		}
	}
}

type waitingParty struct {
	id     int64
	claims []turnout.Claim
}

func (t *tx) waitlist(lane int64) ([]waitingParty, error) {
	rows, err := t.rows("SELECT id, claims FROM registrations WHERE lane = ? AND status = 'waitlisted' ORDER BY id", lane)
	if err != nil {
		return nil, fmt.Errorf("read waitlist: %w", err)
	}
	defer rows.Close()
	var queue []waitingParty
	for rows.Next() {
		var p waitingParty
		var text []byte
		if err := rows.Scan(&p.id, &text); err != nil {
			return nil, fmt.Errorf("read waitlist: %w", err)
		}
		if err := json.Unmarshal(text, &p.claims); err != nil {
			return nil, fmt.Errorf("read waitlist: %w", err)
		}
		queue = append(queue, p)
	}
	return queue, rows.Err()
}

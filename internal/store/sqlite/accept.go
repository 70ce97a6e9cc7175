package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/turnout-events/turnout"
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
	err = s.do(ctx, "accept registration", func(t *tx) error {
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
	l, status, err := t.admit(org, a)
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
	inserted, err := t.insert(org, l.lane, status, a, claims)
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
	l.enter(status, a.Claims)
	out.Registration = registrationOf(a, status)
	return nil
}

// admit decides what the submission gets: a seat, a place in line, or a no.
func (t *tx) admit(org int64, a turnout.Acceptance) (*ledger, turnout.Status, error) {
	l, err := t.ledger(org, a.Event)
	if err != nil {
		return nil, "", err
	}
	at := millis(a.At)
	switch {
	case l == nil:
		return nil, "", turnout.Errorf(turnout.CodeNotFound, "accept registration", "the event is not known")
	case a.Status == turnout.StatusDeclined && l.ends != 0 && at >= l.ends:
		return nil, "", turnout.Errorf(turnout.CodeClosed, "accept decline", "the event is over")
	case a.Status == turnout.StatusDeclined:
		// "Not coming" takes no seat, so an organiser wants to hear it whether
		// registration is open or not.
		return l, turnout.StatusDeclined, nil
	case !l.open || at < l.opens || (l.closes != 0 && at >= l.closes):
		return nil, "", turnout.Errorf(turnout.CodeClosed, "accept registration", "registration is not open")
	}
	if a.OncePerPerson {
		there, err := t.exists(`SELECT 1 FROM registrations WHERE org = ? AND person = ? AND lane = ?
			AND status IN ('registered', 'waitlisted') AND key <> ?`, org, a.DataKey.Person[:], l.lane, string(a.Key))
		if err != nil {
			return nil, "", err
		}
		if there {
			return nil, "", turnout.Errorf(turnout.CodeConflict, "accept registration", "this person is registered already")
		}
	}
	fits, err := l.fits(a.Claims)
	switch {
	case err != nil:
		return nil, "", err
	case fits:
		return l, turnout.StatusRegistered, nil
	case a.Waitlist:
		return l, turnout.StatusWaitlisted, nil
	}
	return nil, "", turnout.Errorf(turnout.CodeFull, "accept registration", "not enough seats are left")
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

// repeat answers with the first registration, unless the key names another
// submission.
func repeat(first turnout.Registration, a turnout.Acceptance, out *turnout.Accepted, err error) error {
	if err != nil {
		return fmt.Errorf("find first registration: %w", err)
	}
	if first.Key == a.Key && (first.Fingerprint != a.Fingerprint || first.Event != a.Event) {
		return turnout.Errorf(turnout.CodeReused, "accept registration", "this idempotency key belongs to another submission; make a new key")
	}
	out.Registration, out.Repeat = first, true
	return nil
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
	if !bytes.Equal(have, k.Wrapped) {
		out.DataKey = &turnout.DataKey{Person: k.Person, Wrapped: have, Stored: true}
	}
	return false, nil
}

// stillStored refuses a key that was destroyed since it was read (P8).
func (t *tx) stillStored(org int64, k turnout.DataKey, out *turnout.Accepted) error {
	var have []byte
	err := t.row("SELECT wrapped FROM people WHERE org = ? AND person = ?", org, k.Person[:]).Scan(&have)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return turnout.Errorf(turnout.CodeForgotten, "accept registration", "the person was forgotten meanwhile")
	case err != nil:
		return fmt.Errorf("read data key: %w", err)
	case !bytes.Equal(have, k.Wrapped):
		out.DataKey = &turnout.DataKey{Person: k.Person, Wrapped: have, Stored: true}
	}
	return nil
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

func registrationOf(a turnout.Acceptance, status turnout.Status) turnout.Registration {
	at := a.At.UTC().Truncate(time.Millisecond)
	return turnout.Registration{
		Org: a.Org, Event: a.Event, Key: a.Key, Fingerprint: a.Fingerprint, Person: a.DataKey.Person, Link: a.Link,
		Status: status, Claims: a.Claims, Sealed: a.Sealed, Revision: 1, Due: at, AcceptedAt: at, ChangedAt: at,
	}
}

func (t *tx) exists(query string, args ...any) (bool, error) {
	var one int
	err := t.row(query, args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

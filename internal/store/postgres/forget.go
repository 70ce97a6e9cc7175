package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
)

// Forget destroys a person's data key and everything that was sealed with it,
// cancels what they still held, leaves a tombstone and tells every instance.
// It may be repeated. What it answers are counts, all zero with an error.
//
// Once it returns, the key is in no table. The package comment says where its
// bytes may still rest.
func (s *Store) Forget(ctx context.Context, org turnout.OrgID, person turnout.PersonID, at time.Time) (turnout.Forgotten, error) {
	num, err := s.org(ctx, org)
	if err != nil {
		return turnout.Forgotten{}, wire.Wrap("forget person", err)
	}
	var f turnout.Forgotten
	err = s.aside(ctx, "forget person", func(t *tx) (err error) {
		if f, err = t.forget(num, person, at); err != nil {
			return err
		}
		t.appendChange(turnout.Change{Kind: turnout.ChangePerson, Org: org, ID: person.String(), At: at})
		return nil
	})
	if err != nil {
		return turnout.Forgotten{}, err // what was counted was not committed
	}
	return f, nil
}

func (t *tx) forget(org int64, person turnout.PersonID, at time.Time) (turnout.Forgotten, error) {
	var f turnout.Forgotten
	if err := t.Session.Exec(forgetting, org); err != nil {
		return f, fmt.Errorf("begin to forget: %w", err)
	}
	// The events first, the key then: whoever accepts goes in the same order.
	events, err := t.eventsOf(org, person)
	if err != nil {
		return f, err
	}
	if err := t.lock(events); err != nil {
		return f, fmt.Errorf("lock what the person holds: %w", err)
	}
	keys, err := t.ExecN("DELETE FROM people WHERE org = $1 AND person = $2", org, person[:])
	if err != nil {
		return f, fmt.Errorf("destroy data key: %w", err)
	}
	f.Keys = int(keys)
	if err := t.Exec("INSERT INTO tombstones (org, person, at) VALUES ($1, $2, $3) ON CONFLICT (org, person) DO UPDATE SET at = excluded.at", org, person[:], millis(at)); err != nil {
		return f, fmt.Errorf("leave tombstone: %w", err)
	}
	return f, t.eraseAll(org, person, at, &f)
}

// eventsOf are the events that a person has registrations in.
func (t *tx) eventsOf(org int64, person turnout.PersonID) ([]ledgerKey, error) {
	events, err := wire.Rows(t.Session, func(row wire.Scanner) (ledgerKey, error) {
		key := ledgerKey{org: org}
		err := row.Scan(&key.event)
		return key, err
	}, "SELECT DISTINCT l.event FROM registrations r JOIN lanes l ON l.lane = r.lane WHERE r.org = $1 AND r.person = $2", org, person[:])
	if err != nil {
		return nil, fmt.Errorf("read events of person: %w", err)
	}
	slices.SortFunc(events, func(x, y ledgerKey) int { return strings.Compare(string(x.event), string(y.event)) })
	return events, nil
}

// eraseAll erases all that a person has. Whoever is promoted into these seats
// is so once all of them are erased: the person must not be given a place by
// their own cancellation.
func (t *tx) eraseAll(org int64, person turnout.PersonID, at time.Time, f *turnout.Forgotten) error {
	held, err := wire.Rows(t.Session, scanRegistration, selectRegistration+" WHERE r.org = $1 AND r.person = $2 ORDER BY r.id FOR UPDATE OF r", org, person[:])
	if err != nil {
		return fmt.Errorf("read registrations of person: %w", err)
	}
	f.Registrations = len(held)
	for _, r := range held {
		l := t.ledgers[ledgerKey{org, r.Event}]
		if l == nil { // accepted since the look at their events
			return wire.ErrRace
		}
		f.SeatsReturned += r.Seats()
		if r.Status.Holds() {
			l.PromoteAt(at)
		}
		l.Erase(&r, at)
		if err := t.writeErased(org, r); err != nil {
			return err
		}
	}
	return nil
}

// writeErased writes what is left of a registration, under its key.
func (t *tx) writeErased(org int64, r turnout.Registration) error {
	err := t.Exec(`UPDATE registrations SET sealed = NULL, parked_code = NULL, parked_text = NULL, parked_at = NULL, dismissed_at = NULL, due_at = $7, link = NULL,
		fingerprint = $8, person = $8, status = $4, revision = $5, delivered = $6, attempts = 0, changed_at = $3
		WHERE org = $1 AND key = $2`, org, string(r.Key), millis(r.ChangedAt), string(r.Status), r.Revision, r.Delivered, nullable(r.Due), nobody[:])
	if err != nil {
		return fmt.Errorf("erase registration: %w", err)
	}
	return nil
}

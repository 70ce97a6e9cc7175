package postgres

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/ledger"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
)

// acceptance is a submission on its way into the store, and what became of it.
type acceptance struct {
	turnout.Acceptance
	org    int64
	claims string // JSON
	out    turnout.Accepted
}

// Accept takes the seats and inserts the registration in one atomic step, or
// does nothing and says why: CodeNotFound, CodeClosed, CodeFull, CodeStale,
// CodeReused, or CodeConflict where each person registers once. A repeated key
// or a link that is already answered gives the first registration. A decline is
// CodeClosed only once the event has ended.
func (s *Store) Accept(ctx context.Context, a turnout.Acceptance) (turnout.Accepted, error) {
	claims, err := json.Marshal(a.Claims)
	if err != nil {
		return turnout.Accepted{}, wire.Wrap("accept registration", err)
	}
	org, err := s.org(ctx, a.Org)
	if err != nil {
		return turnout.Accepted{}, wire.Wrap("accept registration", err)
	}
	j := &acceptance{Acceptance: a, org: org, claims: string(claims)}
	err = s.inTime(ctx, "accept registration", &job{events: []ledgerKey{{org, a.Event}}, accept: j})
	return j.out, err
}

// accept decides in memory; nothing is written before the batch ends.
func (t *tx) accept(a *acceptance) error {
	a.out = turnout.Accepted{}
	l := t.ledgers[ledgerKey{a.org, a.Event}]
	status, err := l.Admit(&a.Acceptance, func() (bool, error) { return t.reads.holds(a, l.Lane), nil })
	if err != nil {
		// What was accepted before stays accepted, whatever happened since.
		if first := t.reads.first(a); first != nil {
			return ledger.Repeat(first, &a.Acceptance, &a.out)
		}
		return err
	}
	if !a.Link.IsZero() {
		if first := t.reads.first(a); first != nil {
			return ledger.Repeat(first, &a.Acceptance, &a.out)
		}
	}
	person := personKey{a.org, a.DataKey.Person}
	if a.out.DataKey, err = ledger.KeyToUse(a.DataKey, t.reads.people[person]); err != nil || a.out.DataKey != nil {
		return err
	}
	if first := t.reads.first(a); first != nil {
		return ledger.Repeat(first, &a.Acceptance, &a.out)
	}
	if _, there := t.reads.people[person]; !there {
		t.reads.people[person] = a.DataKey.Wrapped
		t.writes.people = append(t.writes.people, a)
	}
	l.Enter(status, a.Claims)
	a.out.Registration = ledger.Registration(&a.Acceptance, status)
	t.writes.registrations = append(t.writes.registrations, entry{a, l.Lane, status})
	t.reads.add(a, l.Lane)
	return nil
}

// first finds what a's key, or else its link, was answered with before.
func (r *reads) first(a *acceptance) *turnout.Registration {
	if first, ok := r.keys[keyKey{a.org, a.Key}]; ok {
		return first
	}
	if a.Link.IsZero() {
		return nil
	}
	for _, one := range slices.Backward(r.links[linkKey{a.org, a.Link}]) {
		if ledger.Answers(one.Status, &a.Acceptance) {
			return one
		}
	}
	return nil
}

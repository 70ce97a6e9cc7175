package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
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
	err = s.do(ctx, "accept registration", &job{events: []ledgerKey{{org, a.Event}}, accept: j})
	return j.out, err
}

// accept decides in memory; nothing is written before the batch ends.
func (t *tx) accept(a *acceptance) error {
	a.out = turnout.Accepted{}
	l, status, err := t.admit(a)
	if err != nil {
		// What was accepted before stays accepted, whatever happened since.
		if first := t.reads.first(a); first != nil {
			return a.repeat(first)
		}
		return err
	}
	if !a.Link.IsZero() {
		if first := t.reads.first(a); first != nil {
			return a.repeat(first)
		}
	}
	person := personKey{a.org, a.DataKey.Person}
	have, there := t.reads.people[person]
	switch {
	case a.DataKey.Stored && !there: // destroyed since it was read (P8)
		return turnout.Errorf(turnout.CodeForgotten, "accept registration", "the person was forgotten meanwhile")
	case there && !bytes.Equal(have, a.DataKey.Wrapped):
		a.out.DataKey = &turnout.DataKey{Person: a.DataKey.Person, Wrapped: have, Stored: true}
		return nil
	}
	if first := t.reads.first(a); first != nil {
		return a.repeat(first)
	}
	if !there {
		t.reads.people[person] = a.DataKey.Wrapped
		t.writes.people = append(t.writes.people, a)
	}
	l.enter(status, a.Claims)
	a.out.Registration = registrationOf(a.Acceptance, status)
	t.writes.registrations = append(t.writes.registrations, entry{a, l.lane, status})
	t.reads.add(a, l.lane)
	return nil
}

// admit decides what the submission gets: a seat, a place in line, or a no.
func (t *tx) admit(a *acceptance) (*ledger, turnout.Status, error) {
	l, at := t.ledgers[ledgerKey{a.org, a.Event}], millis(a.At)
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
	case a.OncePerPerson && t.reads.holds(a, l.lane):
		return nil, "", turnout.Errorf(turnout.CodeConflict, "accept registration", "this person is registered already")
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

// repeat answers with the first registration, unless the key names another
// submission.
func (a *acceptance) repeat(first *turnout.Registration) error {
	if first.Key == a.Key && (first.Fingerprint != a.Fingerprint || first.Event != a.Event) {
		return turnout.Errorf(turnout.CodeReused, "accept registration", "this idempotency key belongs to another submission; make a new key")
	}
	a.out.Registration, a.out.Repeat = *first, true
	return nil
}

func registrationOf(a turnout.Acceptance, status turnout.Status) turnout.Registration {
	at := a.At.UTC().Truncate(time.Millisecond)
	return turnout.Registration{
		Org: a.Org, Event: a.Event, Key: a.Key, Fingerprint: a.Fingerprint, Person: a.DataKey.Person, Link: a.Link,
		Status: status, Claims: a.Claims, Sealed: a.Sealed, Revision: 1, Due: at, AcceptedAt: at, ChangedAt: at,
	}
}

// answers tells whether a link's registration is the answer to another
// submission by it.
func (a *acceptance) answers(r *turnout.Registration) bool {
	return r.Status.Holds() || (a.Status == turnout.StatusDeclined && r.Status == turnout.StatusDeclined)
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
		if a.answers(one) {
			return one
		}
	}
	return nil
}

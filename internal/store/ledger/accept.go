package ledger

import (
	"bytes"

	"github.com/turnout-events/turnout"
)

// Admit decides what a submission gets: a seat, a place in line, or a no. A nil
// ledger is that of an event that nobody knows. holds tells whether the person
// has a place by another key; it is asked where each registers once.
func (l *Ledger) Admit(a *turnout.Acceptance, holds func() (bool, error)) (turnout.Status, error) {
	at := millis(a.At)
	switch {
	case l == nil:
		return "", turnout.Errorf(turnout.CodeNotFound, "accept registration", "the event is not known")
	case a.Status == turnout.StatusDeclined && l.Ends != 0 && at >= l.Ends:
		return "", turnout.Errorf(turnout.CodeClosed, "accept decline", "the event is over")
	case a.Status == turnout.StatusDeclined:
		// "Not coming" takes no seat, so an organiser wants to hear it whether
		// registration is open or not.
		return turnout.StatusDeclined, nil
	case !l.Open || at < l.Opens || (l.Closes != 0 && at >= l.Closes):
		return "", turnout.Errorf(turnout.CodeClosed, "accept registration", "registration is not open")
	}
	if a.OncePerPerson {
		there, err := holds()
		if err != nil {
			return "", err
		}
		if there {
			return "", turnout.Errorf(turnout.CodeConflict, "accept registration", "this person is registered already")
		}
	}
	fits, err := l.fits(a.Claims)
	switch {
	case err != nil:
		return "", err
	case fits:
		return turnout.StatusRegistered, nil
	case a.Waitlist:
		return turnout.StatusWaitlisted, nil
	}
	return "", turnout.Errorf(turnout.CodeFull, "accept registration", "not enough seats are left")
}

// Enter counts somebody new at the end of the line: a registered party takes
// its seats, a waitlisted one waits at each pool that is short for it, and only
// there. Who waits for a full workshop keeps nobody from the rest of the event.
func (l *Ledger) Enter(status turnout.Status, claims []turnout.Claim) {
	switch status {
	case turnout.StatusRegistered:
		l.take(claims, 1)
	case turnout.StatusWaitlisted:
		for _, claim := range claims {
			if l.lacks(claim) {
				c := l.pools[claim.Pool]
				c.Waiting += claim.Seats
				c.dirty = true
			}
		}
	}
}

// Registration is what is made of a submission that got in.
func Registration(a *turnout.Acceptance, status turnout.Status) turnout.Registration {
	at := timeOf(millis(a.At))
	return turnout.Registration{
		Org: a.Org, Event: a.Event, Key: a.Key, Fingerprint: a.Fingerprint, Person: a.DataKey.Person, Link: a.Link,
		Status: status, Claims: a.Claims, Sealed: a.Sealed, Revision: 1, Due: at, AcceptedAt: at, ChangedAt: at,
	}
}

// Answers tells whether a link's registration is the answer to a submission by
// the link: it holds a place, or both decline.
func Answers(r turnout.Status, a *turnout.Acceptance) bool {
	return r.Holds() || (a.Status == turnout.StatusDeclined && r == turnout.StatusDeclined)
}

// Repeat answers with the first registration, unless the key names another
// submission.
func Repeat(first *turnout.Registration, a *turnout.Acceptance, out *turnout.Accepted) error {
	if first.Key == a.Key && (first.Fingerprint != a.Fingerprint || first.Event != a.Event) {
		return turnout.Errorf(turnout.CodeReused, "accept registration", "this idempotency key belongs to another submission; make a new key")
	}
	out.Registration, out.Repeat = *first, true
	return nil
}

// KeyToUse compares the data key of a submission with the one that rests, nil
// for none: CodeForgotten where it was destroyed since it was read (P8), and the
// one that rests where that is another, under which the caller has to seal anew.
func KeyToUse(k turnout.DataKey, rests []byte) (*turnout.DataKey, error) {
	switch {
	case k.Stored && rests == nil:
		return nil, turnout.Errorf(turnout.CodeForgotten, "accept registration", "the person was forgotten meanwhile")
	case rests != nil && !bytes.Equal(rests, k.Wrapped):
		return &turnout.DataKey{Person: k.Person, Wrapped: rests, Stored: true}, nil
	}
	return nil, nil
}

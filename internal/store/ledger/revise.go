package ledger

import (
	"time"

	"github.com/turnout-events/turnout"
)

// Revisable refuses a revision of another state of the registration than the one
// that rests, and of one whose registrant was forgotten, but for its dismissal.
func Revisable(r *turnout.Registration, v *turnout.Revision) error {
	if r.Revision != v.From {
		return turnout.Errorf(turnout.CodeConflict, "revise registration", "it was changed meanwhile")
	}
	if r.Person.IsZero() && v.Source != turnout.SourceOperator {
		return turnout.Errorf(turnout.CodeForgotten, "revise registration", "its registrant was forgotten")
	}
	return nil
}

// Revise changes r and its seats, or nothing; and asks for a look at the
// waitlist where seats may have come free for it. Where r then waits itself, it
// may be its turn: the engine promotes at once and reads it again.
func (l *Ledger) Revise(r *turnout.Registration, v *turnout.Revision) error {
	if v.Source == turnout.SourceOperator && r.Parked == nil {
		return turnout.Errorf(turnout.CodeNotFound, "dismiss registration", "it is not parked, or not any more")
	}
	to, err := l.destination(r, v)
	if err != nil {
		return err
	}
	waited := r.Status == turnout.StatusWaitlisted || to == turnout.StatusWaitlisted
	if v.Source == turnout.SourceSalesforce && (to != r.Status || r.Delivered == r.Revision) {
		r.Told = to
	}
	moves := to != r.Status
	l.move(r, to, v)
	restate(r, v, moves)
	// While the line stands still, whoever would find seats waits all the same, and is
	// counted nowhere until somebody else takes them.
	if waited || l.idle(v.At) || l.anybodyWaits() {
		l.PromoteAt(v.At)
	}
	return nil
}

// destination is the status that a revision leads to. Whoever holds seats
// keeps them: only what a revision takes more must be free.
func (l *Ledger) destination(r *turnout.Registration, v *turnout.Revision) (turnout.Status, error) {
	switch {
	case v.Source == turnout.SourceOperator && v.Status.Holds():
		return r.Status, nil // it is left as it is
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

// move gives the old seats back and takes the new ones. Whoever waits is counted
// by Promote.
func (l *Ledger) move(r *turnout.Registration, to turnout.Status, v *turnout.Revision) {
	claims := v.Claims
	if v.Source == turnout.SourceOperator {
		claims = r.Claims
	}
	if r.Status == turnout.StatusRegistered {
		l.take(r.Claims, -1)
	}
	if to == turnout.StatusRegistered {
		l.take(claims, 1)
	}
	if v.Source == turnout.SourceSalesforce {
		l.settleExcess()
	}
	r.Status, r.Claims = to, claims
}

// restate writes into r what else a revision changes.
func restate(r *turnout.Registration, v *turnout.Revision, moves bool) {
	if v.Sealed != nil {
		r.Sealed = v.Sealed
	}
	r.ChangedAt = timeOf(millis(v.At))
	if v.Source == turnout.SourceSalesforce {
		r.Attendance = v.Attendance
	}
	// Salesforce has its own changes already. But where one of ours is still on
	// its way, what arrives would undo them: both go out together.
	tell := r.Delivered < r.Revision
	switch v.Source {
	case turnout.SourceRegistrant:
		tell, r.Dismissed = true, time.Time{}
	case turnout.SourceOperator:
		// What was shredded has nothing left to send.
		tell, r.Dismissed = moves && r.Sealed != nil, r.ChangedAt
	case turnout.SourceSalesforce:
		tell = tell && (r.Parked == nil || r.Dismissed.IsZero()) // else nothing of ours is on its way
	}
	if tell {
		r.Revision++
		r.Due, r.Attempts, r.Parked = r.ChangedAt, 0, nil
	}
}

// Erase makes of r what is left when its registrant is forgotten: what counts
// seats and nothing that names anybody, the blind index included. Where Salesforce
// has it, what it was not told yet stays to be delivered, so that both sides count the
// same seats (P2): that it is cancelled now, or has been since a moment ago.
func (l *Ledger) Erase(r *turnout.Registration, at time.Time) {
	if r.Status == turnout.StatusRegistered {
		l.take(r.Claims, -1)
	}
	left := turnout.Registration{
		Org: r.Org, Event: r.Event, Key: r.Key, Status: r.Status, Attendance: r.Attendance, Claims: r.Claims, Told: r.Told, Record: r.Record,
		Revision: r.Revision, Delivered: r.Revision, AcceptedAt: r.AcceptedAt, ChangedAt: timeOf(millis(at)),
	}
	if r.Delivered > 0 {
		if r.Status.Holds() {
			left.Revision++
		}
		if left.Delivered = r.Delivered; left.Delivered < left.Revision {
			left.Due = left.ChangedAt
		}
	}
	if r.Status.Holds() {
		left.Status = turnout.StatusCancelled
	}
	*r = left
}

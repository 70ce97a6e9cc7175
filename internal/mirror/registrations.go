package mirror

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

// recountEvery is how often the hand counts of all published events are asked
// for. Between, only those are of which something changed; a record that was
// deleted leaves no other trace.
const recountEvery = 10 * time.Minute

// recountCursor says when all hand counts were last asked for.
const recountCursor = "hand counts"

// pollRegistrations takes over what organisers changed on registrations, and
// whom they added by hand.
func (p *orgMirror) pollRegistrations(ctx context.Context, source Source) error {
	from, err := p.cursor(ctx, trackRegistrations)
	if err != nil {
		return err
	}
	p.seenRegistrations.begin(from.since.IsZero())
	next, err := source.RegistrationsSince(ctx, from.since, func(copies []turnout.RegistrationCopy) error {
		fresh := slices.DeleteFunc(copies, func(c turnout.RegistrationCopy) bool { return has(p.seenRegistrations, c) })
		early, err := p.applyRegistrations(ctx, fresh)
		for _, c := range early {
			forget(p.seenRegistrations, c)
		}
		return err
	})
	if moved := p.moveCursor(ctx, trackRegistrations, from, next); moved != nil {
		return moved
	}
	if err != nil {
		return err
	}
	p.seenRegistrations.end()
	return p.countHands(ctx, source)
}

// applyRegistrations takes copies over. Those that are early say nothing while
// ours is on its way, but may once it is known to have arrived.
func (p *orgMirror) applyRegistrations(ctx context.Context, copies []turnout.RegistrationCopy) (early []turnout.RegistrationCopy, err error) {
	for _, c := range copies {
		if c.Key == "" {
			p.recount(c.Event)
			continue
		}
		waits, err := p.applyRegistration(ctx, c)
		if err != nil {
			return nil, err
		}
		if waits {
			early = append(early, c)
		}
	}
	return early, nil
}

// applyRegistration lets Salesforce win on status and attendance. While
// something of ours is on its way there, only what an organiser alone can have
// done counts; of the rest ours wins, and the copy counts as early.
func (p *orgMirror) applyRegistration(ctx context.Context, c turnout.RegistrationCopy) (early bool, err error) {
	for range 2 { // once more if somebody else was faster
		r, err := p.o.Registrations.Registration(ctx, p.org, c.Key)
		switch {
		case turnout.CodeOf(err) == turnout.CodeNotFound:
			return false, nil // another stack's
		case err != nil:
			return false, err
		case r.Person.IsZero():
			// Forgotten, and its seats are given back: Salesforce is told so again
			// where a write that was under way came later (P2, P8).
			if !c.Status.Holds() {
				return false, nil
			}
			return false, p.o.Registrations.Resend(ctx, p.org, c.Key, p.o.Now())
		case outdated(r, c):
			return false, p.o.Registrations.Resend(ctx, p.org, c.Key, p.o.Now())
		case !theirs(r, c):
			return r.Delivered != r.Revision, nil
		}
		_, err = p.o.Registrations.Revise(ctx, turnout.Revision{Org: p.org, Key: c.Key, From: r.Revision, Status: statusOf(r, c),
			Claims: r.Claims, Source: turnout.SourceSalesforce, Attendance: c.Attendance, At: p.o.Now()})
		switch turnout.CodeOf(err) {
		case turnout.CodeConflict:
			continue
		case turnout.CodeNotFound, turnout.CodeClosed, turnout.CodeFull, turnout.CodeStale, turnout.CodeInvalid, turnout.CodeForgotten:
			p.o.Logger.Warn("change from Salesforce cannot be taken over", "org", p.org, "registration", c.Key, "err", err)
			return false, nil
		}
		return false, err
	}
	return true, nil
}

// outdated reports whether the record holds an older revision than the one we
// delivered last, and nothing is on its way that would mend it: a late write of
// ours won over a newer.
func outdated(r turnout.Registration, c turnout.RegistrationCopy) bool {
	return 0 < c.Revision && c.Revision < r.Delivered && r.Due.IsZero() && !another(r, c)
}

// another reports whether the copy is of another record than the one that was
// delivered last, such as a deleted one that was replaced.
func another(r turnout.Registration, c turnout.RegistrationCopy) bool {
	return len(r.Record) >= 15 && len(c.Record) >= 15 && r.Record[:15] != c.Record[:15]
}

// theirs reports whether the copy holds a change made in Salesforce: it is of
// the very revision that we delivered last, and differs. Where the mapping has
// no field for the revision, a copy that was last touched before our own last
// change is not one.
func theirs(r turnout.Registration, c turnout.RegistrationCopy) bool {
	switch {
	case r.Delivered == 0:
		return false
	case c.Revision == 0 && !c.Modified.After(r.ChangedAt):
		return false
	case c.Revision != 0 && c.Revision != r.Delivered:
		return false
	case c.Status == turnout.StatusCancelled && another(r, c):
		return false // as a deleted record is
	}
	return statusOf(r, c) != r.Status || c.Attendance != r.Attendance
}

// statusOf is the copy's status, ours where it has none. While a change of ours
// is on its way, what the copy says is what that change started from; except
// that nobody here takes a cancellation back, so that one is the organiser's.
func statusOf(r turnout.Registration, c turnout.RegistrationCopy) turnout.Status {
	pending := r.Delivered != r.Revision
	if c.Status == "" || pending && c.Status != turnout.StatusCancelled {
		return r.Status
	}
	return c.Status
}

// recount notes that an event's hand counts may have changed.
func (p *orgMirror) recount(event turnout.EventID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if event != "" {
		p.uncounted[event] = true
	}
}

// countHands asks for the hand counts that may have changed.
func (p *orgMirror) countHands(ctx context.Context, source Source) error {
	last, err := p.o.Cursors.Cursor(ctx, p.org, recountCursor)
	if err != nil {
		return err
	}
	now := p.o.Now()
	all := now.Sub(last) >= recountEvery
	p.mu.Lock()
	events := p.uncounted
	p.uncounted = map[turnout.EventID]bool{}
	p.mu.Unlock()
	if err := p.countThese(ctx, source, events, all); err != nil {
		for event := range events { // none is forgotten
			p.recount(event)
		}
		return err
	}
	if !all {
		return nil
	}
	return p.setCursor(ctx, recountCursor, last, now)
}

func (p *orgMirror) countThese(ctx context.Context, source Source, events map[turnout.EventID]bool, all bool) error {
	cached, err := p.o.Events.Events(ctx, p.org)
	if err != nil {
		return err
	}
	published := map[turnout.EventID]bool{}
	for _, e := range cached {
		published[e.ID] = true
	}
	if !all {
		maps.DeleteFunc(published, func(id turnout.EventID, _ bool) bool { return !events[id] })
	}
	ids := slices.Sorted(maps.Keys(published)) // of others the store counts nothing
	if len(ids) == 0 {
		return nil
	}
	counts, err := source.HandCounts(ctx, ids)
	if err != nil {
		return err
	}
	return p.o.Ledgers.SetOutside(ctx, p.org, counts, ids, p.o.Now())
}

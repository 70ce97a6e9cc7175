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
	begun := p.o.Now()
	next, err := source.RegistrationsSince(ctx, from.since, func(copies []turnout.RegistrationCopy) error {
		defer func() {
			wait(ctx, strolling(len(copies), p.o.Now().Sub(begun)))
			begun = p.o.Now()
		}()
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

// Registrations of a rush are read back after it, all of them, since Salesforce counts
// our own writes as changes. Visitors need the processors more: after a list of many
// the mirror rests for strollFor times as long as the list took, at most strollMost. Its
// fetching counts, since reading a list costs as much as comparing it; where Salesforce
// is slow, the bound keeps the poll from taking much longer for it.
const (
	strollFrom = 500
	strollFor  = 3
	strollMost = 150 * time.Millisecond
)

// strolling is how long to rest after a list of so many copies that took so long.
func strolling(copies int, took time.Duration) time.Duration {
	if copies < strollFrom {
		return 0
	}
	return min(strollFor*took, strollMost)
}

// applyRegistrations takes copies over. Those that are early say nothing while
// ours is on its way, but may once it is known to have arrived. Most are what we wrote
// ourselves, so that all are looked up together and few are looked at alone.
func (p *orgMirror) applyRegistrations(ctx context.Context, copies []turnout.RegistrationCopy) (early []turnout.RegistrationCopy, err error) {
	standings, err := p.standings(ctx, copies)
	if err != nil {
		return nil, err
	}
	for _, c := range copies {
		s, ours := standings[c.Key]
		switch {
		case c.Key == "":
			p.recount(c.Event)
			continue
		case !ours: // another stack's
			continue
		}
		waits := waits(s)
		if says(s, c) {
			if waits, err = p.applyRegistration(ctx, c); err != nil {
				return nil, err
			}
		}
		if waits {
			early = append(early, c)
		}
	}
	return early, nil
}

// standings are how the registrations stand that copies are of.
func (p *orgMirror) standings(ctx context.Context, copies []turnout.RegistrationCopy) (map[turnout.Key]turnout.Standing, error) {
	keys := make([]turnout.Key, 0, len(copies))
	for _, c := range copies {
		if c.Key != "" {
			keys = append(keys, c.Key)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	found, err := p.o.Registrations.Standings(ctx, p.org, keys)
	if err != nil {
		return nil, err
	}
	standings := make(map[turnout.Key]turnout.Standing, len(found))
	for _, s := range found {
		standings[s.Key] = s
	}
	return standings, nil
}

// waits reports whether something of ours is on its way, after which a copy may say
// something that it does not say now.
func waits(s turnout.Standing) bool { return !s.Forgotten && s.Delivered != s.Revision }

// says reports whether a copy gives reason to do anything.
func says(s turnout.Standing, c turnout.RegistrationCopy) bool {
	if s.Forgotten { // and its seats are given back
		return c.Status.Holds()
	}
	return outdated(s, c) || theirs(s, c)
}

// applyRegistration lets Salesforce win on status and attendance. While
// something of ours is on its way there, only what an organiser alone can have
// done counts; of the rest ours wins, and the copy counts as early.
func (p *orgMirror) applyRegistration(ctx context.Context, c turnout.RegistrationCopy) (early bool, err error) {
	for range 2 { // once more if somebody else was faster
		r, err := p.o.Registrations.Registration(ctx, p.org, c.Key)
		if turnout.CodeOf(err) == turnout.CodeNotFound {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		s := r.Standing()
		switch {
		case !says(s, c):
			return waits(s), nil
		case s.Forgotten, outdated(s, c):
			// Salesforce is told again where a write that was under way came later (P2, P8).
			return false, p.o.Registrations.Resend(ctx, p.org, c.Key, p.o.Now())
		}
		_, err = p.o.Registrations.Revise(ctx, turnout.Revision{Org: p.org, Key: c.Key, From: s.Revision, Status: statusOf(s, c),
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
func outdated(s turnout.Standing, c turnout.RegistrationCopy) bool {
	return 0 < c.Revision && c.Revision < s.Delivered && s.Due.IsZero() && !another(s, c)
}

// another reports whether the copy is of another record than the one that was
// delivered last, such as a deleted one that was replaced.
func another(s turnout.Standing, c turnout.RegistrationCopy) bool {
	return len(s.Record) >= 15 && len(c.Record) >= 15 && s.Record[:15] != c.Record[:15]
}

// theirs reports whether the copy holds a change made in Salesforce: it is of
// the very revision that we delivered last, and differs. Where the mapping has
// no field for the revision, a copy that was last touched before our own last
// change is not one.
func theirs(s turnout.Standing, c turnout.RegistrationCopy) bool {
	switch {
	case s.Delivered == 0:
		return false
	case c.Revision == 0 && !c.Modified.After(s.ChangedAt):
		return false
	case c.Revision != 0 && c.Revision != s.Delivered:
		return false
	case c.Status == turnout.StatusCancelled && another(s, c):
		return false // as a deleted record is
	}
	return statusOf(s, c) != s.Status || c.Attendance != s.Attendance
}

// statusOf is the copy's status, ours where it has none. While a change of ours
// is on its way, what the copy says is what that change started from; except
// that nobody here takes a cancellation back, so that one is the organiser's.
func statusOf(s turnout.Standing, c turnout.RegistrationCopy) turnout.Status {
	pending := s.Delivered != s.Revision
	if c.Status == "" || pending && c.Status != turnout.StatusCancelled {
		return s.Status
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

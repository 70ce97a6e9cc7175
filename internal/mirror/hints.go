package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

const (
	// hintWindow is how long a hint waits for others to be fetched with it.
	hintWindow = 100 * time.Millisecond
	// maxHints bounds the records that wait, per org.
	maxHints = 10_000
)

// hintKind says what is fetched for a hint.
type hintKind int

const (
	hintEvents hintKind = iota
	hintAttendees
	hintPeople
	hintKinds
)

// String is the kind's name among the passes.
func (k hintKind) String() string {
	return [hintKinds]string{hintEvents: "event hints", hintAttendees: "attendee hints", hintPeople: "people hints"}[k]
}

// kindOf is the one table from a hook's type to what is fetched. Whether an
// event is said to be published or not makes no difference: it is fetched.
func kindOf(hook string) (hintKind, bool) {
	switch hook {
	case "event.published", "event.updated", "event.unpublished":
		return hintEvents, true
	case "attendee.changed":
		return hintAttendees, true
	case "person.forgotten":
		return hintPeople, true
	}
	return 0, false
}

// queue holds the records that hints named, each once.
type queue [hintKinds]map[string]bool

func newQueue() (q queue) {
	for kind := range q {
		q[kind] = map[string]bool{}
	}
	return q
}

func (q *queue) add(kind hintKind, id string) { q[kind][id] = true }

func (q *queue) size() int {
	n := 0
	for _, ids := range q {
		n += len(ids)
	}
	return n
}

// Hint takes a hook that was verified: kind is its type, ids are record ids of
// 15 or 18 characters. It returns at once; what the ids name is fetched within
// about 100 ms by this process, whoever has the turn.
//
// CodeInvalid for another kind or for ids that cannot be any. CodeUnavailable
// for an org that is not mirrored here yet and CodeThrottled when too many
// wait: send it again later, or leave it to the poll. person.forgotten, which no
// poll makes good, is durable when Hint returns.
func (m *Mirror) Hint(ctx context.Context, org turnout.OrgID, kind string, ids []string) error {
	const op = "take hint"
	k, ok := kindOf(kind)
	if !ok {
		return turnout.Errorf(turnout.CodeInvalid, op, "this type of hook is not known")
	}
	if i := slices.IndexFunc(ids, func(id string) bool { return !validRecordID(id) }); i >= 0 {
		return turnout.Errorf(turnout.CodeInvalid, op, "id %d is no record id of 15 or 18 characters", i)
	}
	if k == hintPeople {
		if err := m.o.Errands.AddErrands(ctx, org, ids); err != nil {
			return err
		}
	}
	p := m.org(org)
	switch {
	case p == nil && k == hintPeople:
		return nil // whoever mirrors the org begins with its errands
	case p == nil:
		return &turnout.Error{Code: turnout.CodeUnavailable, Op: op, Detail: "the org is not mirrored here yet", RetryAfter: orgsEvery}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.queue.size()+len(ids) > maxHints {
		return &turnout.Error{Code: turnout.CodeThrottled, Op: op, Detail: "too many records wait to be fetched", RetryAfter: m.o.Every}
	}
	for _, id := range ids {
		p.queue.add(k, id)
	}
	if len(ids) > 0 {
		p.signal(k)
	}
	return nil
}

func validRecordID(s string) bool {
	if len(s) != 15 && len(s) != 18 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// signal wakes the goroutine of a kind of hint; one signal stands for many.
func (p *orgMirror) signal(kind hintKind) {
	select {
	case p.wake[kind] <- struct{}{}:
	default:
	}
}

// hints fetches what hints of one kind name until ctx ends. Each kind has a
// goroutine and a backoff of its own, so that one that fails keeps no other
// from its turn.
func (p *orgMirror) hints(ctx context.Context, kind hintKind) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake[kind]:
		}
		if !wait(ctx, max(hintWindow, p.pause())) {
			return
		}
		err := p.pass(ctx, kind.String(), func(ctx context.Context, source Source) error { return p.fetchHints(ctx, source, kind) })
		if ctx.Err() != nil {
			return
		}
		if delay := p.settle(kind.String(), err); err != nil {
			if !wait(ctx, delay) {
				return
			}
			p.signal(kind) // what failed waits again
		}
	}
}

// fetchHints fetches all of a kind that waits, with as few queries as it takes.
func (p *orgMirror) fetchHints(ctx context.Context, source Source, kind hintKind) error {
	p.mu.Lock()
	waiting := p.queue[kind]
	p.queue[kind] = map[string]bool{}
	p.mu.Unlock()
	if len(waiting) == 0 {
		return nil
	}
	fetch := [hintKinds]func(context.Context, Source, []string) error{
		hintEvents: p.fetchEvents, hintAttendees: p.fetchAttendees, hintPeople: p.fetchPeople}[kind]
	err := fetch(ctx, source, slices.Sorted(maps.Keys(waiting)))
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		maps.Copy(p.queue[kind], waiting)
	}
	return err
}

func (p *orgMirror) fetchEvents(ctx context.Context, source Source, ids []string) error {
	p.applying.Lock()
	defer p.applying.Unlock()
	events := make([]turnout.EventID, len(ids))
	for i, id := range ids {
		events[i] = turnout.EventID(id)
	}
	copies, err := source.Events(ctx, events)
	if err != nil {
		return err
	}
	return p.applyEvents(ctx, copies)
}

// fetchAttendees fetches links and registrations: the hook does not say, and
// in some mappings one record is both.
func (p *orgMirror) fetchAttendees(ctx context.Context, source Source, ids []string) error {
	links, err := source.LinkRecords(ctx, ids)
	if err != nil {
		return err
	}
	w := p.newLinkWriter(namedLinks)
	if err := errors.Join(p.applyLinks(ctx, links, w), w.tell(ctx, true)); err != nil {
		return err
	}
	registrations, err := source.Registrations(ctx, ids)
	if err != nil {
		return err
	}
	_, err = p.applyRegistrations(ctx, registrations) // hand counts, and what is early: with the next poll
	return err
}

// fetchPeople forgets people, one errand after the other: one that fails keeps no
// other open, whose person would be forgotten again with what they did since (P1).
func (p *orgMirror) fetchPeople(ctx context.Context, source Source, ids []string) error {
	open, err := p.stillOpen(ctx, ids)
	if err != nil || len(open) == 0 {
		return err
	}
	people, err := source.People(ctx, open) // may take minutes
	if err != nil {
		return err
	}
	defer p.giveBack(ctx)
	return p.runErrands(ctx, open, people)
}

// runErrands forgets whom records name. What fails of one is its own affair; what fails
// of the turn is everybody's.
func (p *orgMirror) runErrands(ctx context.Context, ids []string, people map[string][]string) error {
	gone := map[string]bool{}
	var until time.Time // when the turn ends
	var open, failed []string
	var first error
	for _, id := range ids {
		kept, err := p.awaitForgetting(ctx, &until)
		if err == nil && !kept {
			open, err = p.stillOpen(ctx, ids)
		}
		if err != nil {
			return err
		}
		if !slices.Contains(open, id) {
			continue
		}
		if err := p.runErrand(ctx, id, people[id], gone); err != nil {
			failed = append(failed, id)
			if first == nil {
				first = err
			}
		}
	}
	left := 0
	for _, id := range failed {
		// Whom another record names as well may be gone by now.
		if slices.ContainsFunc(people[id], func(email string) bool { return !gone[email] }) || p.note(ctx, id) != nil {
			left++
		}
	}
	if left == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d people are still to be forgotten: %w", left, len(ids), first)
}

// runErrand forgets whom a record names, and adds them to those who are gone. What
// cannot be an address is nobody's: it was never cached and no later try would change
// that. It gives up before its turn ends.
func (p *orgMirror) runErrand(ctx context.Context, id string, emails []string, gone map[string]bool) error {
	ctx, cancel := context.WithTimeout(ctx, forgetting*3/4)
	defer cancel()
	for _, email := range emails {
		if gone[email] || p.unnoted[id] {
			continue
		}
		err := p.o.Forget(ctx, p.org, email)
		if turnout.CodeOf(err) == turnout.CodeInvalid {
			p.o.Logger.Warn("a record to be forgotten has no usable e-mail address", "org", p.org, "record", id)
			err = nil
		}
		if err != nil {
			return err
		}
		gone[email] = true
	}
	return p.note(ctx, id)
}

// note notes that an errand is done. Where that fails it is remembered, so that trying
// again forgets nobody again.
func (p *orgMirror) note(ctx context.Context, id string) error {
	err := p.o.Errands.DoneErrands(ctx, p.org, []string{id})
	if delete(p.unnoted, id); err != nil {
		p.unnoted[id] = true
	}
	return err
}

// forgetting is how long a process has the turn at forgetting, which it takes for each
// person anew: milliseconds, or as long as store and caches wait at most. One that died
// in it keeps it for no longer.
const forgetting = time.Minute

// awaitForgetting waits until this process has the turn at forgetting, and reports whether
// it kept it since the last time, which lasted until then: whoever had it in between took
// it after that, and gave it back later still, so that it would not be had at once.
//
// Every instance knows of an errand and tries at times of its own, and whoever was
// forgotten by another one may have registered since (P1): so one forgets at a time, and
// only who is to be forgotten still.
func (p *orgMirror) awaitForgetting(ctx context.Context, until *time.Time) (kept bool, err error) {
	for waited := false; ; waited = true {
		now := p.o.Now()
		mine, err := p.o.Turns.Turn(ctx, p.org, turnForget, p.o.Owner, now, forgetting)
		if err != nil {
			return false, err
		}
		if mine {
			kept = !waited && now.Before(*until)
			*until = now.Add(forgetting)
			return kept, nil
		}
		if !wait(ctx, time.Second) {
			return false, ctx.Err()
		}
	}
}

// giveBack gives the turn at forgetting back. Where that fails it ends by itself.
func (p *orgMirror) giveBack(ctx context.Context) {
	_, _ = p.o.Turns.Turn(context.WithoutCancel(ctx), p.org, turnForget, p.o.Owner, p.o.Now(), 0)
}

// stillOpen are those of an org's errands that nobody has done.
func (p *orgMirror) stillOpen(ctx context.Context, ids []string) ([]string, error) {
	all, err := p.o.Errands.Errands(ctx, p.org)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !slices.Contains(all, id) }), nil
}

// resumeErrands queues people whom a process that died was to forget.
func (p *orgMirror) resumeErrands(ctx context.Context) {
	ids, err := p.o.Errands.Errands(ctx, p.org)
	if err != nil {
		p.o.Logger.Warn("errands cannot be read", "org", p.org, "err", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		p.queue.add(hintPeople, id)
	}
	if len(ids) > 0 {
		p.signal(hintPeople)
	}
}

package mirror

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

// orgMirror mirrors one org.
type orgMirror struct {
	o   *Options
	org turnout.OrgID

	// applying is held from fetching events until they were told, so that of
	// two fetches the later one is applied later.
	applying sync.Mutex
	// applied is what this process last told of each event. Guarded by applying.
	applied map[turnout.EventID]mark

	// seen are the copies of the last pass, so that the overlap of two passes
	// changes nothing. Each belongs to its track.
	seenLinks, seenRegistrations *seen

	// unnoted are errands that were run and could not be noted as done. They belong to
	// the goroutine that fetches people.
	unnoted map[string]bool

	// wishing wakes those who fetch pictures.
	wishing chan struct{}
	// unshown are files of pictures that no event shows, and since when this process has
	// seen that. Guarded by applying.
	unshown map[string]time.Time

	// noting wakes whoever writes notes.
	noting chan struct{}

	mu        sync.Mutex // guards the rest
	state     State
	failures  map[string]failure
	queue     queue
	wake      [hintKinds]chan struct{}
	turnUntil time.Time
	// uncounted are events whose hand counts may have changed.
	uncounted map[turnout.EventID]bool
	// wishes are the pictures to be fetched.
	wishes map[turnout.EventID]wished
	// notes are what records are to tell their organisers, tried what was written of it or
	// refused. takesNotes is true once a record had a note.
	notes      map[turnout.EventID]string
	tried      map[turnout.EventID]noted
	takesNotes bool
}

// What is polled, and the names of its cursors. Hints have kinds of their own.
const (
	trackEvents        = "events"
	trackLinks         = "links"
	trackRegistrations = "registrations"
)

func newOrgMirror(o *Options, org turnout.OrgID) *orgMirror {
	p := &orgMirror{o: o, org: org, applied: map[turnout.EventID]mark{}, seenLinks: newSeen(), seenRegistrations: newSeen(),
		state: State{Cursors: map[string]time.Time{}}, failures: map[string]failure{},
		queue: newQueue(), uncounted: map[turnout.EventID]bool{}, unnoted: map[string]bool{},
		wishing: make(chan struct{}, 1), wishes: map[turnout.EventID]wished{}, unshown: map[string]time.Time{},
		noting: make(chan struct{}, 1), tried: map[turnout.EventID]noted{}, notes: map[turnout.EventID]string{}}
	for kind := range p.wake {
		p.wake[kind] = make(chan struct{}, 1)
	}
	return p
}

// run mirrors the org until ctx ends. A backfill of links takes minutes, so
// it has a goroutine apart from events and registrations.
func (p *orgMirror) run(ctx context.Context) {
	p.takeTurn(ctx)
	var all sync.WaitGroup
	all.Go(func() { p.keepTurn(ctx) })
	all.Go(func() { p.track(ctx, trackEvents, p.pollEvents) })
	all.Go(func() { p.track(ctx, trackLinks, p.pollLinks) })
	all.Go(func() { p.track(ctx, trackRegistrations, p.pollRegistrations) })
	for kind := range hintKinds {
		all.Go(func() { p.hints(ctx, kind) })
	}
	for range fetchers {
		all.Go(func() { p.fetchPictures(ctx) })
	}
	all.Go(func() { p.writeNotes(ctx) })
	all.Wait()
}

// keepTurn asks for the turn often enough that another process takes over
// within a minute when this one dies.
func (p *orgMirror) keepTurn(ctx context.Context) {
	for wait(ctx, p.o.Every/4) {
		p.takeTurn(ctx)
		if p.hasTurn() {
			p.resumeErrands(ctx)
		}
	}
}

func (p *orgMirror) takeTurn(ctx context.Context) {
	now, ttl := p.o.Now(), p.o.Every/2
	mine, err := p.o.Turns.Turn(ctx, p.org, turnPoll, p.o.Owner, now, ttl)
	if err != nil && ctx.Err() == nil {
		p.o.Logger.Warn("turn cannot be asked for", "org", p.org, "err", err)
	}
	if err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.turnUntil = time.Time{}
		if mine {
			p.turnUntil = now.Add(ttl)
		}
	}
}

func (p *orgMirror) hasTurn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turnUntil.After(p.o.Now())
}

// track polls one thing while this process has the turn: at once, then with a
// little less than Every between two starts, so that a lost hook heals within
// a minute and orgs do not beat in time.
func (p *orgMirror) track(ctx context.Context, name string, poll func(context.Context, Source) error) {
	for delay := jitter(p.o.Every / 60); wait(ctx, delay); {
		if !p.hasTurn() {
			delay = p.o.Every / 8
			continue
		}
		if delay = p.pause(); delay > 0 {
			continue
		}
		start := p.o.Now()
		err := p.pass(ctx, name, poll)
		if ctx.Err() != nil {
			return
		}
		if delay = p.settle(name, err); err == nil {
			p.noteRead(ctx, name)
			delay = p.o.Every - jitter(p.o.Every/10) - p.o.Now().Sub(start)
		}
	}
}

// pass runs one poll if the budget allows it.
func (p *orgMirror) pass(ctx context.Context, name string, do func(context.Context, Source) error) error {
	if !p.o.Allow(p.org) {
		return turnout.Errorf(turnout.CodeExhausted, "poll "+name, "the API budget of the org is used up")
	}
	source, err := p.o.Source(p.org)
	if err != nil {
		return err
	}
	return do(ctx, source)
}

// settle notes how a pass ended and says how long to wait after a failure.
func (p *orgMirror) settle(name string, err error) time.Duration {
	now := p.o.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.state.LastSuccess = now
		delete(p.failures, name)
		return 0
	}
	f := p.failures[name]
	f.code, f.at, f.inARow = turnout.CodeOf(err), now, f.inARow+1
	p.failures[name] = f
	delay := backoff(f, turnout.RetryAfterOf(err), p.o.Every)
	if f.code == turnout.CodeThrottled || f.code == turnout.CodeExhausted {
		p.state.PausedUntil = now.Add(delay) // the org as a whole, all kinds of pass
	}
	p.o.Logger.Warn("mirror pass failed", "org", p.org, "pass", name, "code", f.code, "in_a_row", f.inARow, "again_in", delay.Round(time.Second), "err", err)
	return delay
}

// backoff is how long to wait after a failure. An org that is away is tried
// at least once per poll interval, so that it is current soon after it is
// back. One that asks for less is left alone for up to fifteen minutes, and one
// whose budget is used up for two intervals: Allow lets nothing through meanwhile
// but the call that asks whether it still is.
func backoff(f failure, asked, every time.Duration) time.Duration {
	doubled := func(first, last time.Duration) time.Duration { return min(last, first<<min(f.inARow-1, 20)) }
	delay := doubled(every/30, every)
	switch f.code {
	case turnout.CodeThrottled:
		delay = doubled(every/2, 15*every)
	case turnout.CodeExhausted:
		delay = doubled(every/2, 2*every)
	}
	return max(asked, delay-jitter(delay/2))
}

// pause is how long the org is to be left alone.
func (p *orgMirror) pause() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.PausedUntil.Sub(p.o.Now())
}

// jitter is a random time in [0, d).
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// maxMark bounds, in milliseconds since 1970, the times that mark a backfill
// under way instead of being a cursor: Salesforce has no stamps of that year.
// Every backfill has a mark of its own, so that a cache that was begun anew
// meanwhile is told from the one that got the first half.
const maxMark = 300 * 24 * 60 * 60 * 1000

// marksBackfill reports whether a stored cursor is the mark of a backfill.
func marksBackfill(at time.Time) bool { return !at.IsZero() && at.UnixMilli() < maxMark }

// cursor is where a pass starts: since is zero for a backfill, stored is what
// the cache has.
type cursor struct{ since, stored time.Time }

// cursor reads a cursor, and marks a backfill.
func (p *orgMirror) cursor(ctx context.Context, name string) (cursor, error) {
	at, err := p.o.Cursors.Cursor(ctx, p.org, name)
	if err != nil || !at.IsZero() && !marksBackfill(at) {
		p.showCursor(name, at)
		return cursor{at, at}, err
	}
	mark := time.UnixMilli(1 + rand.Int64N(maxMark-1)).UTC()
	return cursor{stored: mark}, p.setCursor(ctx, name, at, mark)
}

// moveCursor moves a cursor forward, never back: a source that saw nothing
// answers with the time it was asked for, which lies before the cursor by the
// overlap.
func (p *orgMirror) moveCursor(ctx context.Context, name string, from cursor, to time.Time) error {
	if !to.After(from.stored) {
		return nil
	}
	if err := p.setCursor(ctx, name, from.stored, to); err != nil {
		return err
	}
	p.showCursor(name, to)
	return nil
}

// setCursor fails where the cursor is not where it was: the pass is repeated
// from where it is now.
func (p *orgMirror) setCursor(ctx context.Context, name string, from, to time.Time) error {
	moved, err := p.o.Cursors.SetCursor(ctx, p.org, name, from, to)
	if err == nil && !moved {
		return turnout.Errorf(turnout.CodeConflict, "move cursor "+name, "the cache was begun anew, or another process moved it")
	}
	return err
}

func (p *orgMirror) showCursor(name string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !at.IsZero() {
		p.state.Cursors[name] = at
	}
}

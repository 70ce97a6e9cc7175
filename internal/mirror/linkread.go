package mirror

import (
	"context"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

// sayEvery is how often the log tells how far reading many links is.
const sayEvery = 10 * time.Second

// pollLinks takes over the links that changed since the cursor; without one
// that is a backfill. The cursor moves when the source says so. A large result
// comes in no order, so that its parts move no cursor but a place, from which the
// next pass goes on, in this process or another.
func (p *orgMirror) pollLinks(ctx context.Context, source Source) error {
	r, err := p.beginLinks(ctx)
	if err != nil {
		return err
	}
	next, err := source.LinksSince(ctx, r.from.since, r.at.Source, func(part turnout.LinkPart) error { return r.take(ctx, part) })
	r.w.whole = err == nil && r.at.Source != ""
	if unsaved := r.flush(ctx); unsaved != nil {
		return unsaved // the cursor stays
	}
	if moved := p.moveCursor(ctx, trackLinks, r.from, next); moved != nil {
		return moved
	}
	if err != nil {
		return err
	}
	return r.end(ctx)
}

// linkRead is one pass over an org's links.
type linkRead struct {
	p    *orgMirror
	from cursor
	w    *linkWriter
	// held are links that wait for more of them, or for a place.
	held []turnout.LinkCopy
	// at is how far it is; the cache has it once it has a Source.
	at   place
	said time.Time
}

// beginLinks begins a pass, or takes one up that stopped in the middle.
func (p *orgMirror) beginLinks(ctx context.Context) (*linkRead, error) {
	now := p.o.Now()
	r := &linkRead{p: p, said: now}
	stored, at, err := p.o.place(ctx, p.org, trackLinks)
	if err != nil {
		return nil, err
	}
	if at != nil {
		r.at, r.from = *at, cursor{stored: stored}
		if !marksBackfill(stored) {
			r.from.since = stored
		}
		p.showCursor(trackLinks, r.from.since)
	} else if r.from, err = p.cursor(ctx, trackLinks); err != nil {
		return nil, err
	}
	r.at.takeUp(r.from.stored, now)
	named := namedLinks
	if r.backfill() {
		named = newLinks
	}
	r.w = p.newLinkWriter(named)
	p.seenLinks.begin(r.backfill())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Backfilling, p.state.Links = r.backfill(), r.at.Done
	switch {
	case at != nil:
		r.say("goes on where it stopped")
	case r.backfill():
		r.say("begins")
	}
	return r, nil
}

// backfill reports whether the pass reads all links there are.
func (r *linkRead) backfill() bool { return r.from.since.IsZero() }

// take stores a part, or holds it until there are enough. A place is kept after
// all before it was stored and told.
func (r *linkRead) take(ctx context.Context, part turnout.LinkPart) error {
	n := len(part.Links)
	fresh := slices.DeleteFunc(part.Links, func(c turnout.LinkCopy) bool { return has(r.p.seenLinks, c) })
	if r.held = append(r.held, fresh...); part.Total == 0 || len(r.held) >= chunkLinks {
		if err := r.apply(ctx); err != nil {
			return err
		}
	}
	r.count(n, part)
	if part.Place == "" {
		return r.w.tell(ctx, false)
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	r.at.reach(part, r.p.o.Now())
	if err := r.p.o.keepPlace(ctx, r.p.org, trackLinks, r.at); err != nil {
		return err
	}
	if part.Done < part.Total {
		return r.mayGoOn()
	}
	return nil
}

// apply stores what is held.
func (r *linkRead) apply(ctx context.Context) error {
	err := r.p.applyLinks(ctx, r.held, r.w)
	clear(r.held) // it names people
	r.held = r.held[:0]
	return err
}

// flush stores what is held and tells the feed.
func (r *linkRead) flush(ctx context.Context) error {
	if err := r.apply(ctx); err != nil {
		return err
	}
	return r.w.tell(ctx, true)
}

// mayGoOn fails where the rest must wait: what is done is kept.
func (r *linkRead) mayGoOn() error {
	switch {
	case !r.p.hasTurn():
		return turnout.Errorf(turnout.CodeConflict, "read links", "another process has the turn")
	case !r.p.o.Allow(r.p.org):
		return turnout.Errorf(turnout.CodeExhausted, "read links", "the API budget of the org is used up")
	}
	return nil
}

// count tells how far the pass is, to whoever asks this process and in the log.
func (r *linkRead) count(n int, part turnout.LinkPart) {
	p, now := r.p, r.p.o.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state.Links += n; part.Total > 0 {
		p.state.Links = part.Done
	}
	if part.Total > 0 && now.Sub(r.said) >= sayEvery {
		r.said = now
		r.say("goes on")
	}
}

// end closes a pass that went through.
func (r *linkRead) end(ctx context.Context) error {
	p := r.p
	if r.at.Source != "" { // after the cursor: a place of a cursor that moved means nothing
		if err := p.o.Cursors.SetPlace(ctx, p.org, trackLinks, ""); err != nil {
			return err
		}
	}
	p.seenLinks.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Backfilling = false
	if r.backfill() || r.at.Source != "" {
		r.say("is done")
	}
	return nil
}

// say logs a step of the pass. p.mu is held.
func (r *linkRead) say(what string) {
	kind := "reading of changed links "
	if r.backfill() {
		kind = "backfill of links "
	}
	details := []any{"org", r.p.org, "links", r.p.state.Links}
	if now := r.at.progress(r.backfill()); now.Total > 0 {
		details = append(details, "of", now.Total, "since", now.Since.UTC().Format(time.RFC3339), "a_second", int(now.Rate), "left", now.Left().Round(time.Second))
	}
	r.p.o.Logger.Info(kind+what, details...)
}

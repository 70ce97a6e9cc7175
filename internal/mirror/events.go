package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

const (
	// eventOverlap is how far before the cursor events are asked for. It heals
	// what two processes did to one event at the same moment, one for a hint and
	// one for the poll: whoever polls sets the newest ledger once more.
	eventOverlap = 2 * time.Minute
	// sweepEvery is how often all cached events are compared with Salesforce,
	// for those that were deleted there without a trace.
	sweepEvery = time.Hour
	// tellAfter is how many events are applied before the feed hears of them.
	tellAfter = 50
)

// sweepCursor says when the last sweep was.
const sweepCursor = "sweep"

// mark is what was told of an event.
type mark struct {
	modified time.Time
	// content is a digest of the event, zero for one that is not published.
	content [sha256.Size]byte
}

// pollEvents takes over what changed since the cursor, and now and then all.
func (p *orgMirror) pollEvents(ctx context.Context, source Source) error {
	p.applying.Lock()
	defer p.applying.Unlock()
	from, err := p.cursor(ctx, trackEvents)
	if err != nil {
		return err
	}
	since := from.since
	if !since.IsZero() {
		since = since.Add(-eventOverlap)
	}
	copies, next, err := source.EventsSince(ctx, since)
	if err != nil {
		return err
	}
	if since.IsZero() {
		p.o.Logger.Info("backfill of events", "org", p.org, "events", len(copies))
	}
	if err := p.applyEvents(ctx, copies); err != nil {
		return err
	}
	if err := p.moveCursor(ctx, trackEvents, from, next); err != nil {
		return err
	}
	return p.sweep(ctx, source)
}

// sweep compares all cached events with Salesforce once in a while, and those
// that cannot be shown.
func (p *orgMirror) sweep(ctx context.Context, source Source) error {
	last, err := p.o.Cursors.Cursor(ctx, p.org, sweepCursor)
	now := p.o.Now()
	if err != nil || now.Sub(last) < sweepEvery {
		return err
	}
	cached, err := p.o.Events.Events(ctx, p.org)
	if err != nil {
		return err
	}
	faulty, err := p.o.Faults.Faults(ctx, p.org)
	if err != nil {
		return err
	}
	ids := idsOf(cached, faulty)
	if !last.IsZero() && len(ids) > 0 { // the first time, all of it has just been fetched
		copies, err := source.Events(ctx, ids)
		if err != nil {
			return err
		}
		if err := p.applyEvents(ctx, copies); err != nil {
			return err
		}
	}
	if err := p.tidyPictures(ctx); err != nil {
		return err
	}
	return p.setCursor(ctx, sweepCursor, last, now)
}

func idsOf(events []SealedEvent, faulty map[turnout.EventID][]byte) []turnout.EventID {
	ids := map[turnout.EventID]bool{}
	for _, e := range events {
		ids[e.ID] = true
	}
	for id := range faulty {
		ids[id] = true
	}
	return slices.Sorted(maps.Keys(ids))
}

// applyEvents takes over copies. One that fails keeps none of the others from
// being applied; the error makes the caller fetch them all again. The caller
// holds applying.
func (p *orgMirror) applyEvents(ctx context.Context, copies []turnout.EventCopy) error {
	if len(copies) == 0 {
		return nil
	}
	cached, err := p.o.Events.Events(ctx, p.org)
	if err != nil {
		return err
	}
	faulty, err := p.o.Faults.Faults(ctx, p.org)
	if err != nil {
		return err
	}
	b := &batch{p: p, at: p.o.Now(), faulty: map[turnout.EventID]bool{}, modified: map[turnout.EventID]time.Time{}, sealed: map[turnout.EventID][]byte{}, slugs: map[string]turnout.EventID{}, told: map[turnout.EventID]mark{}}
	for _, e := range cached {
		b.modified[e.ID], b.sealed[e.ID] = e.Modified, e.Sealed
		b.slugs[e.Slug] = e.ID
	}
	for id := range faulty {
		b.faulty[id] = true
	}
	var errs []error
	for chunk := range slices.Chunk(copies, tellAfter) {
		for _, c := range chunk {
			if err := b.apply(ctx, c); err != nil {
				errs = append(errs, err)
			}
		}
		errs = append(errs, b.tell(ctx), p.o.Events.NoteFetched(ctx, p.org, b.fetched, b.at))
		b.fetched = nil
	}
	if b.slugsFreed {
		errs = append(errs, p.retrySlugs(ctx))
	}
	return errors.Join(errs...)
}

// batch applies copies of events.
type batch struct {
	p *orgMirror
	// at is when the copies had been fetched, fetched are those that are cached
	// now as they came.
	at      time.Time
	fetched []turnout.EventID
	// modified, sealed and slugs are what is cached.
	modified map[turnout.EventID]time.Time
	sealed   map[turnout.EventID][]byte
	slugs    map[string]turnout.EventID
	// faulty are those of which a fault is known.
	faulty map[turnout.EventID]bool
	// told is what the feed will be told of.
	told       map[turnout.EventID]mark
	slugsFreed bool
}

func (b *batch) apply(ctx context.Context, c turnout.EventCopy) error {
	if cached, ok := b.modified[c.ID]; ok && !c.Modified.IsZero() && c.Modified.Before(cached) {
		return b.late(ctx, c)
	}
	switch {
	case c.Fault != nil:
		return b.fault(ctx, c, faultOf(c.ID, c.Fault, b.at))
	case c.Event == nil:
		if err := b.withdraw(ctx, c); err != nil {
			return err
		}
		return b.sound(ctx, c.ID)
	}
	if err := c.Event.Validate(); err != nil {
		return b.fault(ctx, c, faultOf(c.ID, err, b.at))
	}
	if other, taken := b.slugs[c.Event.Slug]; taken && other != c.ID {
		f := faultOf(c.ID, slugTaken(other), b.at)
		f.Slug = true
		return b.fault(ctx, c, f)
	}
	if err := b.publish(ctx, c); err != nil {
		return err
	}
	return b.sound(ctx, c.ID)
}

// late takes a copy that is older than what is cached, or seems to be: what became of a part
// that was deleted is known to no later reading. Only its note is looked at; one that is
// wrong is changed by the reading that it causes.
func (b *batch) late(ctx context.Context, c turnout.EventCopy) error {
	if c.Event == nil || c.Fault != nil {
		return nil
	}
	cached, err := b.p.cachedEvent(ctx, b.sealed[c.ID], c.ID)
	if err == nil && cached.Image == c.Event.Image {
		b.p.remark(c, shownNote(c.Remarks, cached.Picture))
	}
	return err
}

func slugTaken(by turnout.EventID) error {
	return &turnout.Error{Code: turnout.CodeInvalid, Op: "check event", Fields: []turnout.FieldError{
		{Field: "slug", Message: "give the event another slug: event " + string(by) + " has this one"}}}
}

// publish stores one event: its ledger first, so that whoever shows it can
// take registrations.
func (b *batch) publish(ctx context.Context, c turnout.EventCopy) error {
	p := b.p
	e := *c.Event
	var err error
	if e.Picture, err = b.pictured(ctx, c); err != nil {
		return err
	}
	p.remark(c, shownNote(c.Remarks, e.Picture))
	plain, err := json.Marshal(e)
	if err != nil {
		return turnout.Wrap(turnout.CodeInternal, "write event "+string(c.ID), err)
	}
	if err := p.o.Ledgers.SetLedger(ctx, turnout.LedgerOf(p.org, c.Event), p.o.Now()); err != nil {
		return err
	}
	m := mark{c.Modified, sha256.Sum256(plain)}
	_, there := b.modified[c.ID]
	if there && p.applied[c.ID] == m {
		b.fetched = append(b.fetched, c.ID)
		return nil // this process has told of it
	}
	ring, err := p.o.Keyring.Ring(ctx, string(p.org))
	if err != nil {
		return err
	}
	if err := p.o.Events.PutEvent(ctx, p.org, c.ID, c.Event.Slug, ring.Seal(plain, "event", string(c.ID)), c.Modified); err != nil {
		return err
	}
	b.fetched = append(b.fetched, c.ID)
	b.freeSlug(c.ID)
	b.slugs[c.Event.Slug], b.modified[c.ID], b.told[c.ID] = c.ID, c.Modified, m
	delete(b.sealed, c.ID) // it is another one now
	if !there {
		p.recount(c.ID)
	}
	return nil
}

// withdraw removes one event. It is told even if it was not cached: a process
// that was killed may have removed it and told nobody.
func (b *batch) withdraw(ctx context.Context, c turnout.EventCopy) error {
	p, m := b.p, mark{modified: c.Modified}
	p.remark(c, "")
	_, there := b.modified[c.ID]
	if last, ok := p.applied[c.ID]; ok && !there && last == m {
		return nil
	}
	if err := p.o.Ledgers.CloseLedger(ctx, p.org, c.ID, p.o.Now()); err != nil {
		return err
	}
	if err := p.o.Events.DeleteEvent(ctx, p.org, c.ID); err != nil {
		return err
	}
	p.unwish(c.ID)
	b.freeSlug(c.ID)
	delete(b.modified, c.ID)
	b.told[c.ID] = m
	return nil
}

// freeSlug lets go of the slug that an event had.
func (b *batch) freeSlug(id turnout.EventID) {
	for slug, of := range b.slugs {
		if of == id {
			delete(b.slugs, slug)
			b.slugsFreed = true
		}
	}
}

// tell appends to the feed what was applied.
func (b *batch) tell(ctx context.Context) error {
	if len(b.told) == 0 {
		return nil
	}
	now := b.p.o.Now()
	changes := make([]turnout.Change, 0, len(b.told))
	for id := range b.told {
		changes = append(changes, turnout.Change{Kind: turnout.ChangeEvent, Org: b.p.org, ID: string(id), At: now})
	}
	if err := b.p.o.Feed.AppendChanges(ctx, changes); err != nil {
		return err
	}
	for id, m := range b.told {
		b.p.applied[id] = m
	}
	clear(b.told)
	return nil
}

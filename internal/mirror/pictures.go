package mirror

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

// A picture's address is the organiser's, so that reading it takes as long as somebody
// else likes. An event is therefore shown before its picture is: with the one before if
// its address is the same, or without. What a picture was made of rests with it
// (turnout.Picture.Of), so that whatever went wrong, was outrun or forgotten with a process
// is found by the next pass that looks at the event, the hourly sweep at the latest.

const (
	// fetchers is how many of an org's pictures are fetched at once: one server that does
	// not answer leaves the others to somebody.
	fetchers = 2
	// picturesKept is how long a picture rests that no event shows any more: whoever has
	// an older page still asks for it.
	picturesKept = 24 * time.Hour
	// wishesEvery is how often somebody looks whether a wish may be made again.
	wishesEvery = 10 * time.Second
)

// wish is an event's picture that is to be fetched.
type wish struct {
	event    turnout.EventID
	address  string
	modified time.Time
}

// of names what a picture is made of: an address, as an event's version has it.
func (w wish) of() string {
	sum := sha256.Sum256([]byte(w.modified.UTC().Format(time.RFC3339Nano) + " " + w.address))
	return hex.EncodeToString(sum[:8])
}

// wished is a wish that was not granted yet.
type wished struct {
	wish
	failures int
	due      time.Time
	busy     bool
}

// pictured is the picture that an event is shown with now. What is cached of it came with
// the event's version before, if any. The caller holds applying.
func (b *batch) pictured(ctx context.Context, c turnout.EventCopy) (turnout.Picture, error) {
	p := b.p
	if c.Event.Image == "" {
		p.unwish(c.ID)
		return turnout.Picture{}, nil
	}
	before, err := p.cachedEvent(ctx, b.sealed[c.ID], c.ID)
	if err != nil {
		return turnout.Picture{}, err
	}
	if before.Image != c.Event.Image {
		before.Picture = turnout.Picture{}
	}
	w, last := wish{c.ID, c.Event.Image, c.Modified}, wish{c.ID, before.Image, b.modified[c.ID]}
	same := unchanged(before, *c.Event)
	if same && before.Picture.Of == last.of() {
		before.Picture.Of = w.of() // nothing that makes another picture
	}
	if before.Picture.Of != w.of() {
		p.wish(w, same)
	}
	return before.Picture, nil
}

// cachedEvent opens an event of the cache. It is empty for nil bytes, and for those that
// cannot be read, of another version or damaged: they are about to be written anew.
func (p *orgMirror) cachedEvent(ctx context.Context, sealed []byte, id turnout.EventID) (e turnout.Event, err error) {
	if sealed == nil {
		return e, nil
	}
	ring, err := p.o.Keyring.Ring(ctx, string(p.org))
	if err != nil {
		return e, err
	}
	if plain, err := ring.Open(sealed, "event", string(id)); err != nil || json.Unmarshal(plain, &e) != nil {
		e = turnout.Event{}
	}
	return e, nil
}

// unchanged reports whether a version of an event says what the one before said, such as
// after a note was written into its record.
func unchanged(before, e turnout.Event) bool {
	before.Picture, e.Picture = turnout.Picture{}, turnout.Picture{}
	was, _ := json.Marshal(before)
	is, _ := json.Marshal(e)
	return bytes.Equal(was, is)
}

// wish has a picture fetched, in place of what was wished for the event before. The same
// wish again changes nothing; of an event that says the same as before, one that failed
// keeps its turn.
func (p *orgMirror) wish(w wish, same bool) {
	if p.o.Picture == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if last, ok := p.wishes[w.event]; ok && last.of() == w.of() {
		return
	}
	next := wished{wish: w, due: p.o.Now()}
	if last, ok := p.wishes[w.event]; ok && same {
		next.failures, next.due = last.failures, last.due
	}
	p.wishes[w.event] = next
	p.wakeFetchers()
}

// wakeFetchers wakes one of them. The caller holds mu.
func (p *orgMirror) wakeFetchers() {
	select {
	case p.wishing <- struct{}{}:
	default:
	}
}

// unwish forgets what was wished for an event.
func (p *orgMirror) unwish(id turnout.EventID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.wishes, id)
}

// nextWish is the one whose turn it is, which nobody else gets meanwhile: those that have
// not failed come first.
func (p *orgMirror) nextWish() (wish, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var next *wished
	for _, w := range p.wishes {
		if w.busy || w.due.After(p.o.Now()) {
			continue
		}
		if next == nil || w.failures < next.failures || w.failures == next.failures && w.due.Before(next.due) {
			next = &w
		}
	}
	if next == nil {
		return wish{}, false
	}
	next.busy = true
	p.wishes[next.event] = *next
	p.wakeFetchers() // there may be more
	return next.wish, true
}

// settleWish forgets a wish that was granted, and lets one that failed be made again after a
// while: a minute, growing to an hour. Another one of the same event is left alone.
func (p *orgMirror) settleWish(w wish, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.wishes[w.event]
	switch {
	case !ok || last.of() != w.of():
	case err == nil:
		delete(p.wishes, w.event)
	default:
		last.busy, last.due = false, p.o.Now().Add(min(time.Hour, time.Minute<<min(last.failures, 6)))
		last.failures++
		p.wishes[w.event] = last
	}
}

// fetchPictures fetches what is wished until ctx ends.
func (p *orgMirror) fetchPictures(ctx context.Context) {
	for {
		w, ok := p.nextWish()
		if !ok {
			if !p.awaitWish(ctx) {
				return
			}
			continue
		}
		err := p.grant(ctx, w)
		p.settleWish(w, err)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.o.Logger.Warn("picture of an event cannot be shown", "org", p.org, "event", w.event, "why", err)
		}
	}
}

// awaitWish waits for a wish, or until one that failed may be made again; false when ctx
// has ended.
func (p *orgMirror) awaitWish(ctx context.Context) bool {
	timer := time.NewTimer(wishesEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-p.wishing:
	case <-timer.C:
	}
	return true
}

// grant fetches a picture, stores it, and shows the event with it.
func (p *orgMirror) grant(ctx context.Context, w wish) error {
	picture, files, err := p.o.Picture(ctx, w.address)
	if err != nil && ctx.Err() == nil {
		return errors.Join(err, p.excuse(ctx, w, err))
	}
	if err != nil {
		return err
	}
	ring, err := p.o.Keyring.Ring(ctx, string(p.org))
	if err != nil {
		return err
	}
	for name, file := range files {
		if err := p.o.Pictures.PutPicture(ctx, p.org, name, ring.Seal(file, "picture", name), p.o.Now()); err != nil {
			return err
		}
	}
	picture.Of = w.of()
	return p.illustrate(ctx, w, picture)
}

// illustrate shows an event with a picture.
func (p *orgMirror) illustrate(ctx context.Context, w wish, picture turnout.Picture) error {
	return p.repaint(ctx, w, func(turnout.Picture) turnout.Picture { return picture })
}

// excuse notes with an event why its picture cannot be shown, so that every console says
// so. What is shown stays.
func (p *orgMirror) excuse(ctx context.Context, w wish, why error) error {
	return p.repaint(ctx, w, func(shown turnout.Picture) turnout.Picture {
		shown.Fault = why.Error()
		return shown
	})
}

// repaint changes the picture of an event, if it is still the one that wished for it.
func (p *orgMirror) repaint(ctx context.Context, w wish, edit func(turnout.Picture) turnout.Picture) error {
	p.applying.Lock()
	defer p.applying.Unlock()
	all, err := p.o.Events.Events(ctx, p.org)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(e SealedEvent) bool { return e.ID == w.event })
	if i < 0 || !all[i].Modified.Equal(w.modified) {
		return nil // withdrawn, or a newer one is there, with a wish of its own
	}
	e, err := p.cachedEvent(ctx, all[i].Sealed, w.event)
	if err != nil || e.Image != w.address {
		return err
	}
	picture := edit(e.Picture)
	fault := e.Picture.Fault
	news := !e.Picture.Same(picture) || fault != picture.Fault
	if !news && e.Picture.Of == picture.Of {
		return nil
	}
	e.Picture = picture
	plain, err := json.Marshal(e)
	if err != nil {
		return turnout.Wrap(turnout.CodeInternal, "write event "+string(w.event), err)
	}
	ring, err := p.o.Keyring.Ring(ctx, string(p.org))
	if err != nil {
		return err
	}
	if err := p.o.Events.PutEvent(ctx, p.org, w.event, e.Slug, ring.Seal(plain, "event", string(w.event)), w.modified); err != nil {
		return err
	}
	if news {
		change := turnout.Change{Kind: turnout.ChangeEvent, Org: p.org, ID: string(w.event), At: p.o.Now()}
		if err := p.o.Feed.AppendChanges(ctx, []turnout.Change{change}); err != nil {
			return err
		}
	}
	p.applied[w.event] = mark{w.modified, sha256.Sum256(plain)}
	if fault != picture.Fault {
		p.noteAnew(w.event)
	}
	return nil
}

// tidyPictures removes files that no event has shown for a day, as far as this process saw,
// and wishes those again that an event shows and the cache has lost. The caller holds
// applying.
func (p *orgMirror) tidyPictures(ctx context.Context) error {
	if p.o.Pictures == nil {
		return nil
	}
	cached, err := p.o.Events.Events(ctx, p.org)
	if err != nil {
		return err
	}
	files, err := p.o.Pictures.Pictures(ctx, p.org)
	if err != nil {
		return err
	}
	for _, c := range cached {
		e, err := p.cachedEvent(ctx, c.Sealed, c.ID)
		if err != nil {
			return err
		}
		for _, width := range e.Picture.Widths {
			name := e.Picture.File(width)
			if _, there := files[name]; !there {
				p.wish(wish{c.ID, e.Image, c.Modified}, false)
			}
			delete(files, name)
			delete(p.unshown, name)
		}
	}
	for name, at := range files {
		since, known := p.unshown[name]
		if !known || since.Before(at) { // stored again since: somebody is about to show it
			p.unshown[name] = p.o.Now()
			continue
		}
		if p.o.Now().Sub(since) < picturesKept {
			continue
		}
		if err := p.o.Pictures.DeletePicture(ctx, p.org, name); err != nil {
			return err
		}
		delete(p.unshown, name)
	}
	return nil
}

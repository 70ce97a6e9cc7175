package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

// A picture's address is the organiser's, so that reading it takes as long as somebody
// else likes. An event is therefore shown before its picture is: with the one before if
// its address is the same, or without. It is fetched when the event's record changed, and
// rests in the cache under a name that is made of its bytes.

const (
	// wishes is how many pictures of an org may wait to be fetched; what is beyond waits
	// for the sweep.
	wishes = 64
	// picturesKept is how long a picture rests that no event shows any more: whoever has
	// an older page still asks for it.
	picturesKept = 24 * time.Hour
)

// wish is an event's picture that is to be fetched.
type wish struct {
	event    turnout.EventID
	address  string
	modified time.Time
}

// tried is how often a wish failed, and when it may be made again.
type tried struct {
	wish
	times int
	again time.Time
}

// pictured is the picture that an event is shown with now. What is cached of it came with
// the event's version before, if any. The caller holds applying.
func (b *batch) pictured(ctx context.Context, c turnout.EventCopy) (turnout.Picture, error) {
	p := b.p
	if p.o.Picture == nil || c.Event.Image == "" {
		return turnout.Picture{}, nil
	}
	before, err := p.cachedEvent(ctx, b.sealed[c.ID], c.ID)
	if err != nil {
		return turnout.Picture{}, err
	}
	if before.Image != c.Event.Image {
		before.Picture = turnout.Picture{}
	}
	if before.Picture.IsZero() || !b.modified[c.ID].Equal(c.Modified) {
		p.wish(wish{c.ID, c.Event.Image, c.Modified})
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

// wish has a picture fetched, unless it is being fetched or has just failed.
func (p *orgMirror) wish(w wish) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Now()
	if last, ok := p.wished[w.event]; ok && last.address == w.address && last.modified.Equal(w.modified) && now.Before(last.again) {
		return
	}
	select {
	case p.wishes <- w:
		p.wished[w.event] = tried{wish: w, times: p.wished[w.event].timesOf(w), again: now.Add(time.Hour)}
	default: // the sweep wishes it again
	}
}

// timesOf is how often the same wish failed before.
func (t tried) timesOf(w wish) int {
	if t.address == w.address && t.modified.Equal(w.modified) {
		return t.times
	}
	return 0
}

// settleWish lets a wish be made again: after a while where it failed, a minute, growing to
// an hour; at once where it was granted, since it is made only where the picture is not
// shown any more, as when a program of an older version wrote the event.
func (p *orgMirror) settleWish(w wish, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.wished[w.event]
	if err == nil {
		if t.address == w.address && t.modified.Equal(w.modified) {
			delete(p.wished, w.event)
		}
		return
	}
	t.times = t.timesOf(w) + 1
	t.wish, t.again = w, p.o.Now().Add(min(time.Hour, time.Minute<<min(t.times-1, 6)))
	p.wished[w.event] = t
}

// fetchPictures fetches what is wished, one after the other, until ctx ends.
func (p *orgMirror) fetchPictures(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-p.wishes:
			err := p.grant(ctx, w)
			if err != nil && ctx.Err() == nil {
				p.o.Logger.Warn("picture of an event cannot be shown", "org", p.org, "event", w.event, "why", err)
			}
			p.settleWish(w, err)
		}
	}
}

// grant fetches a picture, stores it, and shows the event with it.
func (p *orgMirror) grant(ctx context.Context, w wish) error {
	picture, files, err := p.o.Picture(ctx, w.address)
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
	return p.illustrate(ctx, w, picture)
}

// illustrate shows an event with a picture, if it is still the one that wished for it.
func (p *orgMirror) illustrate(ctx context.Context, w wish, picture turnout.Picture) error {
	p.applying.Lock()
	defer p.applying.Unlock()
	all, err := p.o.Events.Events(ctx, p.org)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(e SealedEvent) bool { return e.ID == w.event })
	if i < 0 || !all[i].Modified.Equal(w.modified) {
		return nil // withdrawn, or a newer one is there
	}
	e, err := p.cachedEvent(ctx, all[i].Sealed, w.event)
	if err != nil || e.Image != w.address || e.Picture.Same(picture) {
		return err
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
	if err := p.o.Feed.AppendChanges(ctx, []turnout.Change{{Kind: turnout.ChangeEvent, Org: p.org, ID: string(w.event), At: p.o.Now()}}); err != nil {
		return err
	}
	p.applied[w.event] = mark{w.modified, sha256.Sum256(plain)}
	return nil
}

// forgetPictures removes those that no event has shown for a day.
func (p *orgMirror) forgetPictures(ctx context.Context) error {
	if p.o.Picture == nil {
		return nil
	}
	files, err := p.o.Pictures.Pictures(ctx, p.org)
	if err != nil || len(files) == 0 {
		return err
	}
	cached, err := p.o.Events.Events(ctx, p.org)
	if err != nil {
		return err
	}
	for _, c := range cached {
		e, err := p.cachedEvent(ctx, c.Sealed, c.ID)
		if err != nil {
			return err
		}
		for _, width := range e.Picture.Widths {
			delete(files, e.Picture.File(width))
		}
	}
	for name, at := range files {
		if p.o.Now().Sub(at) < picturesKept {
			continue
		}
		if err := p.o.Pictures.DeletePicture(ctx, p.org, name); err != nil {
			return err
		}
	}
	return nil
}

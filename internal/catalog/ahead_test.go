package catalog

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/turnout-events/turnout"
)

func (w *world) LinksAfter(_ context.Context, org turnout.OrgID, after turnout.LinkID, limit int) ([]turnout.AttendeeLink, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, errAway
	}
	var page []turnout.AttendeeLink
	for at, l := range w.links {
		if at.org == org && bytes.Compare(at.id[:], after[:]) > 0 {
			page = append(page, l)
		}
	}
	slices.SortFunc(page, func(a, b turnout.AttendeeLink) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return page[:min(limit, len(page))], nil
}

// DataKeysAfter knows people of acme alone.
func (w *world) DataKeysAfter(_ context.Context, org turnout.OrgID, after turnout.PersonID, limit int) ([]turnout.DataKey, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	people := slices.SortedFunc(maps.Keys(w.keys), func(a, b turnout.PersonID) int { return bytes.Compare(a[:], b[:]) })
	var page []turnout.DataKey
	for _, p := range people {
		if org == "acme" && len(page) < limit && bytes.Compare(p[:], after[:]) > 0 {
			page = append(page, turnout.DataKey{Person: p, Wrapped: w.keys[p]})
		}
	}
	return page, nil
}

// inviteMany gives each of n people a link.
func (w *world) inviteMany(n int) {
	for i := range n {
		w.invite("acme", fmt.Sprintf("token-%05d", i), person(i), "a0E1")
	}
}

func newAhead(w *world) *Links {
	return NewLinks(LinksOptions{Cache: w, Keys: w, Keyring: w.keyring, Stock: &Stock{Orgs: w, Links: w, Keys: w}})
}

func (w *world) openMany(l *Links, n int) {
	for i := range n {
		if link, err := l.Open(context.Background(), "acme", fmt.Sprintf("token-%05d", i)); err != nil || link.Invite.Person != person(i) {
			w.t.Fatalf("link %d: %+v, %v", i, link, err)
		}
	}
}

// TestReadAhead: afterwards no link asks the cache.
func TestReadAhead(t *testing.T) {
	const n = 2*aheadPage + 17
	w := newWorld(t)
	w.inviteMany(n)
	l := newAhead(w)
	if err := l.ReadAhead(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.openMany(l, n)
	if w.read() != 0 {
		t.Errorf("%d links were read from the cache", w.read())
	}
	before := l.Stats().Bytes
	if err := l.ReadAhead(t.Context()); err != nil || l.Stats().Bytes != before {
		t.Errorf("what is held was written again: %v, %d bytes more", err, l.Stats().Bytes-before)
	}
}

// TestAheadFollowsTheFeed: Run reads at the start, and again what the feed
// outdates, so that a changed link shows its new values, and without a read.
func TestAheadFollowsTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.inviteMany(50)
		l := newAhead(w)
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go l.Run(ctx)
		synctest.Wait()
		w.openMany(l, 50)
		if w.read() != 0 {
			t.Fatalf("%d links were read from the cache", w.read())
		}
		changed := person(7)
		changed.Company = "Another Ltd"
		w.invite("acme", "token-00007", changed, "a0E1")
		l.Hear(ctx, News{Changes: []turnout.Change{{Kind: turnout.ChangeLinks, Org: "acme", ID: "a0E1"}}})
		if link, err := l.Open(ctx, "acme", "token-00007"); err != nil || link.Invite.Person != changed {
			t.Errorf("right after the news: %+v, %v", link, err)
		}
		pass(settle + 1)
		before := w.read()
		for i := range 50 {
			link, err := l.Open(ctx, "acme", fmt.Sprintf("token-%05d", i))
			if want := person(i); i != 7 && link.Invite.Person != want || i == 7 && link.Invite.Person != changed || err != nil {
				t.Errorf("link %d: %+v, %v", i, link, err)
			}
		}
		if w.read() != before {
			t.Errorf("%d links were read from the cache after it settled", w.read()-before)
		}
	})
}

// meddling is a cache in which something changes while a page is read.
type meddling struct {
	*world
	meddle func()
	times  atomic.Int32
}

func (m *meddling) LinksAfter(ctx context.Context, org turnout.OrgID, after turnout.LinkID, limit int) ([]turnout.AttendeeLink, error) {
	page, err := m.world.LinksAfter(ctx, org, after, limit)
	if m.times.Add(1) <= 2 {
		m.meddle()
	}
	return page, err
}

// TestAheadNeverHoldsOldLinks: a page that was read before the news is not held
// after it.
func TestAheadNeverHoldsOldLinks(t *testing.T) {
	w := newWorld(t)
	w.inviteMany(20)
	var l *Links
	stale := &meddling{world: w}
	stale.meddle = func() {
		changed := person(3)
		changed.Company = fmt.Sprint("Company ", stale.times.Load())
		at := w.invite("acme", "token-00003", changed, "a0E1")
		l.Hear(t.Context(), News{Changes: []turnout.Change{{Kind: turnout.ChangeLinks, Org: "acme", ID: at.id.String()}}})
	}
	l = NewLinks(LinksOptions{Cache: w, Keys: w, Keyring: w.keyring, Stock: &Stock{Orgs: w, Links: stale, Keys: w}})
	if err := l.ReadAhead(t.Context()); err != nil {
		t.Fatal(err)
	}
	if link, err := l.Open(t.Context(), "acme", "token-00003"); err != nil || link.Invite.Person.Company != "Company 2" {
		t.Errorf("got %+v, %v", link, err)
	}
	if w.read() != 0 {
		t.Errorf("%d links were read from the cache", w.read())
	}
}

// TestP8ForgottenWhileReadAhead: whoever is forgotten while keys are read ahead
// has none in memory afterwards, and their link shows nothing.
func TestP8ForgottenWhileReadAhead(t *testing.T) {
	w := newWorld(t)
	w.inviteMany(20)
	at := w.invite("acme", "token-00003", person(3), "a0E1")
	gone := w.links[at].Person
	l := newAhead(w)
	forget := &forgetful{world: w, gone: gone, hear: func() {
		l.Hear(t.Context(), News{Changes: []turnout.Change{{Kind: turnout.ChangePerson, Org: "acme", ID: gone.String()}}})
	}}
	l.o.Stock.Keys = forget
	if err := l.ReadAhead(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := l.Stats().People; n != 19 {
		t.Errorf("%d keys are held, want 19", n)
	}
	_, err := l.Open(t.Context(), "acme", "token-00003")
	wantCode(t, err, turnout.CodeForgotten)
}

// forgetful forgets somebody just after their key was read.
type forgetful struct {
	*world
	gone turnout.PersonID
	hear func()
}

func (f *forgetful) DataKeysAfter(ctx context.Context, org turnout.OrgID, after turnout.PersonID, limit int) ([]turnout.DataKey, error) {
	page, err := f.world.DataKeysAfter(ctx, org, after, limit)
	f.mu.Lock()
	had := f.keys[f.gone] != nil
	delete(f.keys, f.gone)
	f.mu.Unlock()
	if had {
		f.hear()
	}
	return page, err
}

// TestAheadWithoutCache: reading ahead fails, and each link is asked for.
func TestAheadWithoutCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.inviteMany(3)
		w.down = true
		l := newAhead(w)
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go l.Run(ctx)
		synctest.Wait()
		w.openMany(l, 1)
		w.mu.Lock()
		w.down = false
		w.mu.Unlock()
		pass(2 * settle)
		before := w.read()
		w.openMany(l, 3)
		if w.read() != before {
			t.Error("nothing was read ahead when the cache was back")
		}
	})
}

// TestAheadIsBounded: more links than there is room for do not push each other out.
func TestAheadIsBounded(t *testing.T) {
	w := newWorld(t)
	w.inviteMany(3 * aheadPage)
	l := NewLinks(LinksOptions{Cache: w, Keys: w, Keyring: w.keyring, Bytes: 400_000, Stock: &Stock{Orgs: w, Links: w, Keys: w}})
	if err := l.ReadAhead(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.Kept < aheadPage || s.Bytes > 400_000 {
		t.Errorf("holds %+v", s)
	}
	w.openMany(l, 3*aheadPage)
}

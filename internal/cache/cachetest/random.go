package cachetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
)

// model is the cache in plain maps.
type model struct {
	links   map[turnout.OrgID]map[turnout.LinkID]turnout.AttendeeLink
	removed map[turnout.OrgID]map[turnout.LinkID]time.Time
	events  map[turnout.OrgID]map[turnout.EventID]SealedEvent
	cursors map[string]time.Time
}

func newModel() *model {
	m := &model{cursors: map[string]time.Time{}, removed: map[turnout.OrgID]map[turnout.LinkID]time.Time{acme: {}, birch: {}},
		links: map[turnout.OrgID]map[turnout.LinkID]turnout.AttendeeLink{}, events: map[turnout.OrgID]map[turnout.EventID]SealedEvent{}}
	for _, org := range []turnout.OrgID{acme, birch} {
		m.links[org], m.events[org] = map[turnout.LinkID]turnout.AttendeeLink{}, map[turnout.EventID]SealedEvent{}
	}
	return m
}

func (m *model) removeLink(l turnout.AttendeeLink) {
	if old, ok := m.links[l.Org][l.ID]; ok && old.Changed.After(l.Changed) {
		return
	}
	delete(m.links[l.Org], l.ID)
	if at := m.removed[l.Org][l.ID]; l.Changed.After(at) {
		m.removed[l.Org][l.ID] = l.Changed
	}
}

func (m *model) putLink(l turnout.AttendeeLink) {
	if at, ok := m.removed[l.Org][l.ID]; ok {
		if !l.Changed.After(at) {
			return
		}
		delete(m.removed[l.Org], l.ID)
	}
	if old, ok := m.links[l.Org][l.ID]; !ok || !l.Changed.Before(old.Changed) {
		m.links[l.Org][l.ID] = l
	}
}

// step does one random operation to both.
func (m *model) step(t conformance.T, r *rand.Rand, c Cache) string {
	ctx, org := t.Context(), []turnout.OrgID{acme, birch}[r.IntN(2)]
	switch n := r.IntN(12); {
	case n < 5:
		links := make([]turnout.AttendeeLink, r.IntN(20))
		for i := range links {
			links[i] = link(org, r.IntN(40), r.IntN(10))
			m.putLink(links[i])
		}
		must(t, c.PutLinks(ctx, links))
		return fmt.Sprintf("put %d links of %s", len(links), org)
	case n < 6:
		removed := gone(org, r.IntN(10), r.IntN(40), r.IntN(40))
		for _, l := range removed {
			m.removeLink(l)
		}
		must(t, c.DeleteLinks(ctx, removed))
		return "delete links of " + string(org)
	case n < 7:
		person := personID(r.IntN(20))
		for id, l := range m.links[org] {
			if l.Person == person {
				delete(m.links[org], id)
			}
		}
		must(t, c.DeletePerson(ctx, org, person))
		return "forget a person of " + string(org)
	case n < 10:
		e := SealedEvent{ID: turnout.EventID(fmt.Sprint("a0E", r.IntN(6))), Slug: fmt.Sprint("s", r.IntN(9)),
			Sealed: []byte(fmt.Sprint(r.Uint64())), Modified: day.Add(time.Duration(r.IntN(9)) * time.Millisecond)}
		if old, ok := m.events[org][e.ID]; !ok || !e.Modified.Before(old.Modified) {
			m.events[org][e.ID] = e
		}
		must(t, c.PutEvent(ctx, org, e.ID, e.Slug, e.Sealed, e.Modified))
		return "put event of " + string(org)
	case n < 11:
		id := turnout.EventID(fmt.Sprint("a0E", r.IntN(6)))
		delete(m.events[org], id)
		must(t, c.DeleteEvent(ctx, org, id))
		return "delete event of " + string(org)
	}
	name, at := []string{"events", "links"}[r.IntN(2)], day.Add(time.Duration(r.IntN(999))*time.Millisecond)
	move(t, c, org, name, m.cursors[string(org)+" "+name], at)
	m.cursors[string(org)+" "+name] = at
	return "set cursor of " + string(org)
}

// compare reads everything back.
func (m *model) compare(t conformance.T, c Cache) {
	t.Helper()
	ctx := t.Context()
	for _, org := range []turnout.OrgID{acme, birch} {
		byEvent := map[turnout.EventID]int{}
		for _, l := range m.links[org] {
			byEvent[l.Event]++
		}
		if got, err := c.Invited(ctx, org); err != nil || !reflect.DeepEqual(got, byEvent) {
			t.Fatalf("%s has links %v, %v; the model has %v", org, got, err, byEvent)
		}
		if n, err := c.CountLinks(ctx, org); err != nil || n != len(m.links[org]) {
			t.Fatalf("%s has %d links, %v; the model has %d", org, n, err, len(m.links[org]))
		}
		for n := range 40 {
			got, err := c.Link(ctx, org, linkID(n))
			if want, ok := m.links[org][linkID(n)]; !ok {
				wantCode(t, err, turnout.CodeNotFound)
			} else if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("link %d of %s is %+v, %v; the model has %+v", n, org, got, err, want)
			}
		}
		events, err := c.Events(ctx, org)
		must(t, err)
		got := map[turnout.EventID]SealedEvent{}
		for _, e := range events {
			got[e.ID] = e
		}
		if !reflect.DeepEqual(got, m.events[org]) {
			t.Fatalf("%s has events %+v; the model has %+v", org, got, m.events[org])
		}
		for _, name := range []string{"events", "links"} {
			at, err := c.Cursor(ctx, org, name)
			must(t, err)
			if want := m.cursors[string(org)+" "+name]; !at.Equal(want) {
				t.Fatalf("cursor %s of %s is %v; the model has %v", name, org, at, want)
			}
		}
	}
}

// testRandom compares random operations with the model, and opens the cache
// again every now and then.
func testRandom(t conformance.T, open Open) {
	seeds := uint64(6)
	if t.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed", seed), func(t conformance.T) {
			r, m, place := rand.New(rand.NewPCG(seed, 1)), newModel(), t.TempDir()
			c := open(t, place)
			for i := range 120 {
				did := m.step(t, r, c)
				if r.IntN(15) == 0 {
					must(t, c.Close())
					c = open(t, place)
					did += ", reopen"
				}
				if t.Logf("%d: %s", i, did); i%5 == 0 {
					m.compare(t, c)
				}
			}
			m.compare(t, c)
			must(t, c.Close())
		})
	}
}

// testConcurrent writes versions of the same links from several goroutines
// while others read: a reader sees whole links whose age never goes back.
func testConcurrent(t conformance.T, open Open) {
	c, ctx := fresh(t, open), t.Context()
	const links, versions = 50, 20
	writing, stop := context.WithCancel(ctx)
	var writers, readers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for v := w; v < versions; v += 4 {
				batch := make([]turnout.AttendeeLink, links)
				for n := range batch {
					batch[n] = link(acme, n, v)
				}
				if err := c.PutLinks(ctx, batch); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 4 {
		readers.Go(func() {
			last := [links]time.Time{}
			for n := 0; writing.Err() == nil; n = (n + 1) % links {
				got, err := c.Link(ctx, acme, linkID(n))
				if turnout.CodeOf(err) == turnout.CodeNotFound {
					continue
				}
				if err != nil || got.Changed.Before(last[n]) || !whole(got, n) {
					t.Errorf("link %d is %+v, %v after one of %v", n, got, err, last[n])
					return
				}
				last[n] = got.Changed
			}
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
	for n := range links {
		wantLink(t, c, link(acme, n, versions-1))
	}
}

// whole reports whether l is the n-th link as some version wrote it.
func whole(l turnout.AttendeeLink, n int) bool {
	return reflect.DeepEqual(l, link(l.Org, n, int(l.Changed.Sub(day)/time.Second)))
}

// testTwoOpen opens one place twice, as two processes do.
func testTwoOpen(t conformance.T, open Open) {
	place := t.TempDir()
	a, b := open(t, place), open(t, place)
	defer b.Close()
	must(t, a.PutLinks(t.Context(), []turnout.AttendeeLink{link(acme, 1, 1), link(birch, 1, 1)}))
	wantLink(t, b, link(acme, 1, 1))
	must(t, b.PutLinks(t.Context(), []turnout.AttendeeLink{link(birch, 1, 3), link("cedar", 1, 3)}))
	must(t, a.PutLinks(t.Context(), []turnout.AttendeeLink{link(birch, 1, 2)}))
	wantLink(t, a, link(birch, 1, 3))
	wantLink(t, a, link("cedar", 1, 3))
	must(t, a.Close())
	must(t, b.DeletePerson(t.Context(), acme, personID(0)))
	_, err := b.Link(t.Context(), acme, linkID(1))
	wantCode(t, err, turnout.CodeNotFound)
}

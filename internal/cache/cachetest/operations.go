package cachetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"reflect"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
)

const (
	acme  turnout.OrgID = "acme"
	birch turnout.OrgID = "birch"
)

var day = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

// fresh opens a cache at a place of its own and closes it after the test.
func fresh(t conformance.T, open Open) Cache {
	t.Helper()
	c := open(t, t.TempDir())
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

func must(t conformance.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t conformance.T, err error, code turnout.Code) {
	t.Helper()
	if turnout.CodeOf(err) != code {
		t.Fatalf("got error %v (code %q), want code %q", err, turnout.CodeOf(err), code)
	}
}

func linkID(n int) (id turnout.LinkID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15) // spread like a hash
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

func personID(n int) (id turnout.PersonID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n)+1)
	return id
}

// link is the n-th link of an org as of a version; every field follows from
// the two, so that a torn one shows.
func link(org turnout.OrgID, n, version int) turnout.AttendeeLink {
	sealed := bytes.Repeat([]byte{byte(version), byte(version >> 8), byte(n), byte(n >> 8)}, 60)
	return turnout.AttendeeLink{
		ID: linkID(n), Org: org, Event: turnout.EventID("a0Ev0000000000" + string(rune('A'+version%3)) + "AAA"),
		Person: personID(n / 2), Sealed: sealed, Changed: day.Add(time.Duration(version) * time.Second),
	}
}

func wantLink(t conformance.T, c Cache, want turnout.AttendeeLink) {
	t.Helper()
	got, err := c.Link(t.Context(), want.Org, want.ID)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got link %+v, want %+v", got, want)
	}
}

func testEvents(t conformance.T, open Open) {
	c, ctx := fresh(t, open), t.Context()
	_, err := c.Event(ctx, acme, "a0E1")
	wantCode(t, err, turnout.CodeNotFound)
	if events, err := c.Events(ctx, acme); err != nil || len(events) != 0 {
		t.Fatalf("a new cache has %v, %v", events, err)
	}
	must(t, c.DeleteEvent(ctx, acme, "a0E1"))
	one := SealedEvent{ID: "a0E1", Slug: "spring", Sealed: []byte{0, 1, 255}, Modified: day.Add(7 * time.Millisecond)}
	must(t, c.PutEvent(ctx, acme, one.ID, one.Slug, one.Sealed, one.Modified))
	must(t, c.PutEvent(ctx, acme, "a0E0", "autumn", []byte{}, time.Time{}))
	got, err := c.Event(ctx, acme, one.ID)
	must(t, err)
	if !reflect.DeepEqual(got, one) {
		t.Fatalf("got %+v, want %+v", got, one)
	}
	events, err := c.Events(ctx, acme)
	must(t, err)
	if len(events) != 2 || events[0].ID != "a0E0" || !events[0].Modified.IsZero() || !reflect.DeepEqual(events[1], one) {
		t.Fatalf("got events %+v, want a0E0 and a0E1 by id", events)
	}
	must(t, c.DeleteEvent(ctx, acme, one.ID))
	_, err = c.Event(ctx, acme, one.ID)
	wantCode(t, err, turnout.CodeNotFound)
}

func testStaleEvents(t conformance.T, open Open) {
	c, ctx := fresh(t, open), t.Context()
	for _, put := range []struct {
		slug  string
		at    time.Time
		after string // the slug that is there afterwards
	}{
		{"b", day, "b"},
		{"a", day.Add(-time.Millisecond), "b"},
		{"c", day, "c"}, // the same second may bring other content
		{"d", day.Add(time.Hour), "d"},
		{"a", time.Time{}, "d"},
	} {
		must(t, c.PutEvent(ctx, acme, "a0E1", put.slug, []byte(put.slug), put.at))
		got, err := c.Event(ctx, acme, "a0E1")
		must(t, err)
		if got.Slug != put.after || string(got.Sealed) != put.after {
			t.Fatalf("after putting %q of %v: got %q, want %q", put.slug, put.at, got.Slug, put.after)
		}
	}
}

func testLinks(t conformance.T, open Open) {
	c, ctx := fresh(t, open), t.Context()
	_, err := c.Link(ctx, acme, linkID(1))
	wantCode(t, err, turnout.CodeNotFound)
	must(t, c.PutLinks(ctx, nil))
	must(t, c.DeleteLinks(ctx, nil))
	must(t, c.DeleteLinks(ctx, gone(acme, 0, 1)))
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 1), link(acme, 2, 1)}))
	wantLink(t, c, link(acme, 1, 1))
	_, err = c.Link(ctx, acme, linkID(3))
	wantCode(t, err, turnout.CodeNotFound)
	must(t, c.DeleteLinks(ctx, gone(acme, 1, 1, 9)))
	_, err = c.Link(ctx, acme, linkID(1))
	wantCode(t, err, turnout.CodeNotFound)
	wantLink(t, c, link(acme, 2, 1))
}

// testManyLinks fills more than an engine's chunk of each of two orgs, with an id twice.
func testManyLinks(t conformance.T, open Open, chunk int) {
	c, ctx := fresh(t, open), t.Context()
	n := 2*chunk + chunk/5
	var links []turnout.AttendeeLink
	for i := range n {
		links = append(links, link([]turnout.OrgID{acme, birch}[i%2], i, 1))
	}
	links = append(links, link(acme, 0, 2))
	must(t, c.PutLinks(ctx, links))
	must(t, c.PutLinks(ctx, links)) // all over again, as a backfill is that was not finished
	for _, org := range []turnout.OrgID{acme, birch} {
		if got, err := c.CountLinks(ctx, org); err != nil || got != n/2 {
			t.Fatalf("%s has %d links, %v; want %d", org, got, err, n/2)
		}
	}
	wantLink(t, c, link(acme, 0, 2))
	for _, i := range []int{1, chunk - 1, chunk + 1, n - 1} {
		wantLink(t, c, links[i])
	}
	var removed []turnout.AttendeeLink
	for i := range n {
		removed = append(removed, gone(acme, 2, i)...)
	}
	must(t, c.DeleteLinks(ctx, removed))
	a, _ := c.CountLinks(ctx, acme)
	if b, err := c.CountLinks(ctx, birch); err != nil || a != 0 || b != n/2 {
		t.Fatalf("after removing acme's: %d and %d links, %v", a, b, err)
	}
}

func testStaleLinks(t conformance.T, open Open) {
	c, ctx := fresh(t, open), t.Context()
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 5)}))
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 4), link(acme, 2, 4)}))
	wantLink(t, c, link(acme, 1, 5))
	wantLink(t, c, link(acme, 2, 4))
	same := link(acme, 1, 5)
	same.Sealed = []byte("same age, other bytes")
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{same}))
	wantLink(t, c, same)
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 7), link(acme, 1, 6)})) // within one call too
	wantLink(t, c, link(acme, 1, 7))
}

// gone are links as DeleteLinks takes them.
func gone(org turnout.OrgID, version int, ns ...int) []turnout.AttendeeLink {
	var links []turnout.AttendeeLink
	for _, n := range ns {
		links = append(links, turnout.AttendeeLink{ID: linkID(n), Org: org, Changed: link(org, n, version).Changed})
	}
	return links
}

// testRemovedLinks: a copy that was read before the removal and comes after it
// changes nothing.
func testRemovedLinks(t conformance.T, open Open) {
	c, ctx := fresh(t, open), t.Context()
	wantGone := func(n int) {
		t.Helper()
		_, err := c.Link(ctx, acme, linkID(n))
		wantCode(t, err, turnout.CodeNotFound)
	}
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 5)}))
	must(t, c.DeleteLinks(ctx, gone(acme, 4, 1)))
	wantLink(t, c, link(acme, 1, 5)) // it changed since
	must(t, c.DeleteLinks(ctx, gone(acme, 6, 1, 2)))
	for version := range 7 {
		must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, version), link(acme, 2, version)}))
		wantGone(1)
		wantGone(2)
	}
	must(t, c.DeleteLinks(ctx, gone(acme, 3, 1))) // an older removal takes nothing back
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 4)}))
	wantGone(1)
	if n, err := c.CountLinks(ctx, acme); err != nil || n != 0 {
		t.Fatalf("%d links, %v", n, err)
	}
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 7)})) // as when an organiser gives it back
	wantLink(t, c, link(acme, 1, 7))
	if n, err := c.CountLinks(ctx, acme); err != nil || n != 1 {
		t.Fatalf("%d links, %v", n, err)
	}
	must(t, c.DeletePerson(ctx, acme, link(acme, 1, 7).Person))
	wantGone(1)
}

// testForgottenPerson guards P8.
func testForgottenPerson(t conformance.T, open Open) {
	c, ctx := fresh(t, open), t.Context()
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 2, 1), link(acme, 3, 1), link(acme, 4, 1), link(birch, 2, 1)}))
	must(t, c.DeletePerson(ctx, acme, personID(1))) // of links 2 and 3
	for _, n := range []int{2, 3} {
		_, err := c.Link(ctx, acme, linkID(n))
		wantCode(t, err, turnout.CodeNotFound)
	}
	wantLink(t, c, link(acme, 4, 1))
	wantLink(t, c, link(birch, 2, 1))
	moved := link(acme, 4, 2)
	moved.Person = personID(77)
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{moved}))
	must(t, c.DeletePerson(ctx, acme, personID(2))) // whose link it was
	wantLink(t, c, moved)
	must(t, c.DeletePerson(ctx, acme, personID(77)))
	_, err := c.Link(ctx, acme, moved.ID)
	wantCode(t, err, turnout.CodeNotFound)
}

func testOrgsAreApart(t conformance.T, open Open) {
	c, ctx := fresh(t, open), t.Context()
	must(t, c.PutEvent(ctx, acme, "a0E1", "spring", []byte("a"), day))
	must(t, c.PutEvent(ctx, birch, "a0E1", "spring", []byte("b"), day))
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 1), link(birch, 1, 9)}))
	must(t, c.DeleteEvent(ctx, birch, "a0E1"))
	must(t, c.DeleteLinks(ctx, gone(birch, 9, 1)))
	if e, err := c.Event(ctx, acme, "a0E1"); err != nil || string(e.Sealed) != "a" {
		t.Fatalf("acme's event is %+v, %v", e, err)
	}
	wantLink(t, c, link(acme, 1, 1))
	_, err := c.Link(ctx, "cedar", linkID(1))
	wantCode(t, err, turnout.CodeNotFound)
}

func testCursors(t conformance.T, open Open) {
	c, ctx := fresh(t, open), t.Context()
	want := func(org turnout.OrgID, name string, at time.Time) {
		t.Helper()
		if got, err := c.Cursor(ctx, org, name); err != nil || !got.Equal(at) {
			t.Fatalf("cursor %s of %s is %v, %v; want %v", name, org, got, err, at)
		}
	}
	want(acme, "events", time.Time{})
	refused := func(name string, from, to time.Time) {
		t.Helper()
		if moved, err := c.SetCursor(ctx, acme, name, from, to); err != nil || moved {
			t.Fatalf("cursor %s moved from %v, where it is not: %v", name, from, err)
		}
	}
	at := day.Add(123 * time.Millisecond)
	refused("events", day, at) // as of a cache that was lost
	want(acme, "events", time.Time{})
	move(t, c, acme, "events", time.Time{}, at)
	want(acme, "events", at)
	want(acme, "links", time.Time{})
	want(birch, "events", time.Time{})
	refused("events", time.Time{}, day)
	refused("events", at.Add(time.Millisecond), day)
	want(acme, "events", at)
	move(t, c, acme, "events", at, day) // backwards: the mirror decides
	want(acme, "events", day)
	move(t, c, acme, "events", day, day)
	move(t, c, acme, "events", day, time.Time{})
	want(acme, "events", time.Time{})
	move(t, c, acme, "events", time.Time{}, at)
	want(acme, "events", at)
}

func testPlaces(t conformance.T, open Open) {
	dir := t.TempDir()
	c, ctx := open(t, dir), t.Context()
	want := func(org turnout.OrgID, name, place string) {
		t.Helper()
		if got, err := c.Place(ctx, org, name); err != nil || got != place {
			t.Fatalf("place %s of %s is %q, %v; want %q", name, org, got, err, place)
		}
	}
	want(acme, "links", "")
	must(t, c.SetPlace(ctx, acme, "links", "")) // which is not there
	must(t, c.SetPlace(ctx, acme, "links", `{"job":"one"}`))
	must(t, c.SetPlace(ctx, birch, "links", "birch's"))
	must(t, c.SetPlace(ctx, acme, "links", "two \u00e9"))
	must(t, c.Close())
	c = open(t, dir)
	defer c.Close()
	want(acme, "links", "two \u00e9")
	want(acme, "events", "")
	must(t, c.SetPlace(ctx, acme, "links", ""))
	want(acme, "links", "")
	want(birch, "links", "birch's")
}

// move moves a cursor that has to move.
func move(t conformance.T, c Cache, org turnout.OrgID, name string, from, to time.Time) {
	t.Helper()
	moved, err := c.SetCursor(t.Context(), org, name, from, to)
	if err != nil || !moved {
		t.Fatalf("cursor %s of %s did not move from %v to %v: %v", name, org, from, to, err)
	}
}

func testCancelled(t conformance.T, open Open) {
	c := fresh(t, open)
	must(t, c.PutLinks(t.Context(), []turnout.AttendeeLink{link(acme, 1, 1)}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Link(ctx, acme, linkID(1))
	wantCode(t, err, turnout.CodeUnavailable)
	wantCode(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 2)}), turnout.CodeUnavailable)
	_, err = c.SetCursor(ctx, acme, "links", time.Time{}, day)
	wantCode(t, err, turnout.CodeUnavailable)
	wantLink(t, c, link(acme, 1, 1))
}

func testClosed(t conformance.T, open Open) {
	c := open(t, t.TempDir())
	must(t, c.PutLinks(t.Context(), []turnout.AttendeeLink{link(acme, 1, 1)}))
	must(t, c.Close())
	must(t, c.Close())
	_, err := c.Link(t.Context(), acme, linkID(1))
	wantCode(t, err, turnout.CodeUnavailable)
	wantCode(t, c.PutLinks(t.Context(), []turnout.AttendeeLink{link(acme, 1, 2)}), turnout.CodeUnavailable)
}

package cachetest

import (
	"reflect"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
)

// testFetched: what is shown is the age of what is cached, so the time belongs
// to the event: a new copy keeps it until it is noted, a removed one loses it.
func testFetched(t conformance.T, open Open) {
	c, ctx := fresh(t, open), t.Context()
	want := func(org turnout.OrgID, all map[turnout.EventID]time.Time) {
		t.Helper()
		got, err := c.Fetched(ctx, org)
		must(t, err)
		if !reflect.DeepEqual(got, all) {
			t.Fatalf("%s was fetched at %v, want %v", org, got, all)
		}
	}
	none := map[turnout.EventID]time.Time{}
	want(acme, none)
	must(t, c.NoteFetched(ctx, acme, nil, day))
	must(t, c.NoteFetched(ctx, acme, []turnout.EventID{"a0E1"}, day)) // is not there
	must(t, c.PutEvent(ctx, acme, "a0E1", "spring", []byte("a"), day))
	must(t, c.PutEvent(ctx, acme, "a0E2", "autumn", []byte("b"), day))
	must(t, c.PutEvent(ctx, birch, "a0E1", "spring", []byte("c"), day))
	want(acme, none)
	at := day.Add(time.Hour + time.Millisecond)
	must(t, c.NoteFetched(ctx, acme, []turnout.EventID{"a0E1", "a0E2", "a0E3"}, at))
	want(acme, map[turnout.EventID]time.Time{"a0E1": at, "a0E2": at})
	want(birch, none)
	must(t, c.NoteFetched(ctx, acme, []turnout.EventID{"a0E1", "a0E2"}, day)) // of a slower process
	must(t, c.NoteFetched(ctx, acme, []turnout.EventID{"a0E2"}, at.Add(time.Minute)))
	must(t, c.PutEvent(ctx, acme, "a0E1", "spring", []byte("d"), day.Add(time.Second)))
	want(acme, map[turnout.EventID]time.Time{"a0E1": at, "a0E2": at.Add(time.Minute)})
	must(t, c.DeleteEvent(ctx, acme, "a0E1"))
	must(t, c.PutEvent(ctx, acme, "a0E1", "spring", []byte("e"), day))
	want(acme, map[turnout.EventID]time.Time{"a0E2": at.Add(time.Minute)})
}

// testFaults: an event that was never fit to be shown has a fault all the same.
func testFaults(t conformance.T, open Open) {
	c, ctx := fresh(t, open), t.Context()
	want := func(org turnout.OrgID, all map[turnout.EventID][]byte) {
		t.Helper()
		got, err := c.Faults(ctx, org)
		must(t, err)
		if !reflect.DeepEqual(got, all) {
			t.Fatalf("%s has faults %q, want %q", org, got, all)
		}
	}
	want(acme, map[turnout.EventID][]byte{})
	must(t, c.DeleteFault(ctx, acme, "a0E1"))
	must(t, c.PutFault(ctx, acme, "a0E1", []byte{0, 255}))
	must(t, c.PutFault(ctx, acme, "a0E2", []byte("two")))
	must(t, c.PutFault(ctx, birch, "a0E1", []byte("b")))
	must(t, c.PutFault(ctx, acme, "a0E1", []byte("again")))
	want(acme, map[turnout.EventID][]byte{"a0E1": []byte("again"), "a0E2": []byte("two")})
	must(t, c.PutEvent(ctx, acme, "a0E1", "spring", []byte("a"), day)) // its fault is another matter
	must(t, c.DeleteEvent(ctx, acme, "a0E1"))
	must(t, c.DeleteFault(ctx, acme, "a0E2"))
	want(acme, map[turnout.EventID][]byte{"a0E1": []byte("again")})
	want(birch, map[turnout.EventID][]byte{"a0E1": []byte("b")})
}

// testInvited moves links between events, removes them in every way there is
// and brings them back. The event of a link follows from its version.
func testInvited(t conformance.T, open Open) {
	c, ctx := fresh(t, open), t.Context()
	event := func(version int) turnout.EventID { return link(acme, 0, version).Event }
	want := func(org turnout.OrgID, all map[turnout.EventID]int) {
		t.Helper()
		got, err := c.Invited(ctx, org)
		must(t, err)
		if !reflect.DeepEqual(got, all) {
			t.Fatalf("%s has links %v, want %v", org, got, all)
		}
	}
	want(acme, map[turnout.EventID]int{})
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 0), link(acme, 2, 0), link(acme, 4, 1), link(birch, 1, 0), link("cedar", 1, 0)}))
	want(acme, map[turnout.EventID]int{event(0): 2, event(1): 1})
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 0), link(acme, 2, 3)})) // the same event again
	want(acme, map[turnout.EventID]int{event(0): 2, event(1): 1})
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 4), link(acme, 4, 0)})) // one moves, one is too old
	want(acme, map[turnout.EventID]int{event(0): 1, event(1): 2})
	must(t, c.DeleteLinks(ctx, gone(acme, 5, 1, 9)))
	must(t, c.DeleteLinks(ctx, gone(acme, 6, 1)))
	want(acme, map[turnout.EventID]int{event(0): 1, event(1): 1})
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{link(acme, 1, 8), link(acme, 9, 6)})) // given back, one of them for the first time
	want(acme, map[turnout.EventID]int{event(0): 2, event(1): 1, event(2): 1})
	must(t, c.DeletePerson(ctx, acme, link(acme, 2, 0).Person)) // of links 2 and 3
	want(acme, map[turnout.EventID]int{event(0): 1, event(1): 1, event(2): 1})
	nowhere, short := link(acme, 20, 1), link(acme, 21, 1)
	nowhere.Event, short.Event = "", "a"
	must(t, c.PutLinks(ctx, []turnout.AttendeeLink{nowhere, short}))
	want(acme, map[turnout.EventID]int{event(0): 1, event(1): 1, event(2): 1, "": 1, "a": 1})
	want(birch, map[turnout.EventID]int{event(0): 1})
	want("cedar", map[turnout.EventID]int{event(0): 1})
}

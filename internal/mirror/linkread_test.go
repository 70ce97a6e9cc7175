package mirror

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// many has a thousand links, which come as a job in pages of a hundred.
func many() *salesforce {
	s := newSalesforce()
	for n := range 1000 {
		s.invite(linkCopy(n))
	}
	s.chunk, s.bulk = 100, true
	return s
}

// brokenAfter makes the source fail behind so many pages, once, and then answer
// nothing until it is healed.
func (s *salesforce) brokenAfter(pages int) {
	broken := turnout.Wrap(turnout.CodeUnavailable, "read result", errors.New("connection reset"))
	s.afterChunk = func(n int) error {
		if n != pages {
			return nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.afterChunk, s.err = nil, broken
		return broken
	}
}

func (s *salesforce) heal() { s.fail(nil) }

// A backfill that broke off goes on with the page that was not kept, whichever
// process does it, and its progress is everybody's.
func TestBackfillGoesOnWhereItStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), many()
		s.brokenAfter(4)
		dead := h.mirror("a", one(s))
		kill := running(t, dead)
		h.pass(5 * time.Second)
		kill()
		s.heal()
		other := h.mirror("b", one(s))
		r, err := other.Reading(t.Context(), "acme")
		must(t, err)
		if p := r.Links; p == nil || p.Done != 400 || p.Total != 1000 || !p.First || p.Since.IsZero() || !r.Backfilling {
			t.Fatalf("in the middle: %+v", r.Links)
		}
		defer running(t, other)()
		h.pass(time.Minute)
		if links, cursor := h.linksAndCursor(); links != 1000 || cursor.IsZero() || s.yielded != 1000 {
			t.Errorf("%d links, cursor %v, %d were fetched", links, cursor, s.yielded)
		}
		if s.places[0] != "" || s.places[1] != "job 1 after 400" || h.places[trackLinks] != "" {
			t.Errorf("read from %q, left %q", s.places, h.places)
		}
		state, _ := other.State("acme")
		if r, err := other.Reading(t.Context(), "acme"); err != nil || r.Links != nil || r.Backfilling || state.Links != 1000 {
			t.Errorf("at the end: %+v %+v, %v", r, state, err)
		}
		if log := h.log.String(); !strings.Contains(log, "backfill of links goes on where it stopped") || !strings.Contains(log, "links=400 of=1000") {
			t.Errorf("log %s", log)
		}
	})
}

// The same holds for many links that change in an org that was read before.
func TestManyChangesGoOnWhereTheyStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.invite(linkCopy(5000))
		m := h.mirror("a", one(s))
		defer running(t, m)()
		h.pass(30 * time.Second)
		more := many()
		s.mu.Lock()
		s.links, s.chunk, s.bulk = more.links, 100, true
		s.mu.Unlock()
		s.brokenAfter(7)
		h.pass(34 * time.Second)
		s.heal()
		h.pass(17 * time.Second) // the fourth failure in a row is tried again within 16 seconds
		if links, _ := h.linksAndCursor(); links != 1001 {
			t.Errorf("%d links, read from %q", links, s.places)
		}
		went := 0
		for _, place := range s.places {
			if strings.HasSuffix(place, "after 700") {
				went++
			}
		}
		if went != 1 || s.job > 2 || h.places[trackLinks] != "" {
			t.Errorf("read from %q, left %q", s.places, h.places)
		}
		if log := h.log.String(); !strings.Contains(log, "reading of changed links goes on where it stopped") {
			t.Errorf("log %s", log)
		}
	})
}

// What is told of a place must be kept: nothing of it is read again.
func TestPlaceComesAfterLinksAndFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), many()
		h.failFeed = 3
		defer running(t, h.mirror("a", one(s)))()
		h.pass(30 * time.Second)
		if links, _ := h.linksAndCursor(); links != 1000 {
			t.Errorf("%d links", links)
		}
		for i, what := range h.order {
			if what == "place" && i+1 < len(h.order) && h.order[max(0, i-1)] != "feed" {
				t.Fatalf("a place was kept after %q", h.order[:i+1])
			}
		}
		if s.places[1] != "" || s.yielded < 1100 {
			t.Errorf("what was not told was not read again: from %q, %d links", s.places, s.yielded)
		}
	})
}

// A cache that was begun anew gets everything, whatever place it is handed.
func TestPlaceOfALostCacheMeansNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), many()
		lost := false
		s.afterChunk = func(n int) error {
			if n == 5 && !lost {
				lost = true
				defer h.lock()()
				clear(h.links)
				clear(h.cursors)
				clear(h.places) // the running pass writes its place into the new cache
			}
			return nil
		}
		defer running(t, h.mirror("a", one(s)))()
		h.pass(time.Minute)
		if links, cursor := h.linksAndCursor(); links != 1000 || cursor.IsZero() {
			t.Errorf("%d links, cursor %v, read from %q", links, cursor, s.places)
		}
		for _, place := range s.places[:2] {
			if place != "" {
				t.Errorf("read from %q", s.places)
			}
		}
	})
}

// A job that is gone begins anew, and so does its progress.
func TestBackfillBeginsAnewWhereTheJobIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), many()
		s.brokenAfter(6)
		m := h.mirror("a", one(s))
		defer running(t, m)()
		h.pass(5 * time.Second)
		s.heal()
		s.mu.Lock()
		s.job = 7
		s.afterChunk = func(n int) error {
			r, err := m.Reading(t.Context(), "acme")
			if p := r.Links; err != nil || p == nil || p.Done != 100*n {
				t.Errorf("after %d pages of a new job: %+v, %v", n, p, err)
			}
			return nil
		}
		s.mu.Unlock()
		h.pass(30 * time.Second)
		if links, cursor := h.linksAndCursor(); links != 1000 || cursor.IsZero() || s.yielded != 1600 {
			t.Errorf("%d links, cursor %v, %d were fetched", links, cursor, s.yielded)
		}
	})
}

// Reading stops at a page when the budget is used up or another process has the
// turn, and goes on there.
func TestBackfillStopsWithinItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), many()
		m := h.mirror("a", one(s))
		again := time.Now().Add(20 * time.Second)
		m.o.Allow = func(turnout.OrgID) bool {
			links, _ := h.linksAndCursor()
			return links < 200 || time.Now().After(again)
		}
		defer running(t, m)()
		h.pass(10 * time.Second)
		state, _ := m.State("acme")
		if links, _ := h.linksAndCursor(); links != 200 || state.LastError != turnout.CodeExhausted || !state.PausedUntil.After(time.Now()) {
			t.Errorf("with the budget used up: %d links, %+v", links, state)
		}
		h.pass(2 * time.Minute)
		if links, cursor := h.linksAndCursor(); links != 1000 || cursor.IsZero() || s.places[1] != "job 1 after 200" {
			t.Errorf("%d links, cursor %v, read from %q", links, cursor, s.places)
		}
	})
}

// What another process has the turn for, it reads alone.
func TestBackfillStopsWithoutTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), many()
		m := h.mirror("a", one(s))
		s.afterChunk = func(n int) error {
			if n == 3 {
				m.org("acme").mu.Lock()
				m.org("acme").turnUntil = time.Time{}
				m.org("acme").mu.Unlock()
			}
			return nil
		}
		defer running(t, m)()
		h.pass(5 * time.Second)
		if links, cursor := h.linksAndCursor(); links != 400 || !cursor.IsZero() {
			t.Errorf("%d links, cursor %v", links, cursor)
		}
	})
}

// P8: who was forgotten in the middle stays so when reading goes on.
func TestP8ForgottenInTheMiddleOfABackfill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), many()
		m := h.mirror("a", one(s))
		ring, err := m.o.Keyring.Ring(t.Context(), "acme")
		must(t, err)
		person := func(n int) turnout.PersonID {
			return turnout.PersonID(ring.Index(fmt.Sprintf("visitor%d@example.com", n)))
		}
		broke := false
		s.afterChunk = func(n int) error {
			if n != 3 || broke {
				return nil
			}
			broke = true
			defer h.lock()()
			for _, n := range []int{250, 350} { // of the page before and of the one to come
				h.tombstones[person(n)] = true
				delete(h.keys, person(n))
			}
			return turnout.Wrap(turnout.CodeUnavailable, "read result", errors.New("connection reset"))
		}
		defer running(t, m)()
		h.pass(30 * time.Second)
		if h.keys[person(250)] != nil || h.keys[person(350)] != nil || len(h.keys) != 998 || s.places[1] == "" {
			t.Errorf("who was forgotten has a key again: %d people, read from %q", len(h.keys), s.places)
		}
		if _, ok := h.links[linkID(t, ring, 350)]; ok {
			t.Error("a forgotten person was cached")
		}
	})
}

func linkID(t *testing.T, ring *seal.Ring, n int) turnout.LinkID {
	t.Helper()
	return turnout.LinkID(ring.MAC("link", linkCopy(n).Token)[:16])
}

func TestProgress(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1_700_000_000+int64(s), 0).UTC() }
	var a place
	a.takeUp(at(0), at(0))
	if p := a.progress(true); p.Rate != 0 || p.Left() != 0 || !p.Since.Equal(at(0)) {
		t.Errorf("at first: %+v", p)
	}
	a.reach(turnout.LinkPart{Place: "x", Done: 100, Total: 1000}, at(10))
	if p := a.progress(true); p.Rate != 10 || p.Left() != 90*time.Second {
		t.Errorf("after ten seconds: %+v, left %v", p, p.Left())
	}
	a.takeUp(at(0), at(3600)) // after an hour of nothing
	a.reach(turnout.LinkPart{Place: "x", Done: 300, Total: 1000}, at(3610))
	if p := a.progress(true); p.Rate != 20 || p.Left() != 35*time.Second || !p.Since.Equal(at(0)) {
		t.Errorf("taken up: %+v, left %v", p, p.Left())
	}
	a.reach(turnout.LinkPart{Place: "y", Done: 50, Total: 900}, at(3620))
	if p := a.progress(true); !p.Since.Equal(at(3620)) || p.Rate != 0 {
		t.Errorf("begun anew: %+v", p)
	}
}

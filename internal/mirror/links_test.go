package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

// open opens a cached link by its token, as the catalog does; "" if it is not there.
func (h *house) open(token string) (turnout.Invite, bool) {
	h.t.Helper()
	ring, err := h.keyring().Ring(context.Background(), "acme")
	must(h.t, err)
	defer h.lock()()
	l, ok := h.links[turnout.LinkID(ring.MAC("link", token)[:16])]
	if !ok {
		return turnout.Invite{}, false
	}
	key, err := ring.DataKey(l.Person, h.keys[l.Person])
	must(h.t, err)
	plain, err := key.Open(l.Sealed, "link", string(l.ID[:]))
	must(h.t, err)
	var invite turnout.Invite
	must(h.t, json.Unmarshal(plain, &invite))
	return invite, true
}

func (h *house) linksAndCursor() (int, time.Time) {
	defer h.lock()()
	at := h.cursors[trackLinks]
	if at.UnixMilli() < maxMark { // the mark of a backfill
		at = time.Time{}
	}
	return len(h.links), at
}

func TestLinksAreSealedAndOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		for n := range 100 {
			s.invite(linkCopy(n))
		}
		again := linkCopy(200) // a second link of one person, written otherwise
		again.Invite.Person.Email = "  visitor7@EXAMPLE.com "
		s.invite(again)
		defer running(t, h.mirror("a", one(s)))()
		h.pass(10 * time.Second)
		for n := range 100 {
			if got, ok := h.open(linkCopy(n).Token); !ok || got != linkCopy(n).Invite {
				t.Fatalf("link %d opens to %+v, %v", n, got, ok)
			}
		}
		if _, ok := h.open(again.Token); !ok || len(h.links) != 101 || len(h.keys) != 100 {
			t.Errorf("%d links of %d people", len(h.links), len(h.keys))
		}
		told := h.changes(turnout.ChangeLinks)
		if told != 1 {
			t.Errorf("101 links of one event were told as %d changes", told)
		}
		h.pass(10 * time.Minute) // the last second is polled again and again
		if again := h.changes(turnout.ChangeLinks); again != told || s.called("LinksSince") < 10 {
			t.Errorf("what had not changed was told %d times in %d polls", again-told, s.called("LinksSince"))
		}
	})
}

// TestP8NothingButTheInviteReachesTheCache in the open.
func TestP8NothingButTheInviteReachesTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		c := linkCopy(1)
		s.invite(c)
		defer running(t, h.mirror("a", one(s)))()
		h.pass(5 * time.Second)
		if len(h.links) != 1 {
			t.Fatalf("%d links", len(h.links))
		}
		everything := fmt.Sprintf("%+v %s %+v %+v %s", h.links, slices.Collect(maps.Values(h.links))[0].Sealed, h.feed, h.cursors, h.log.String())
		for _, secret := range []string{c.Token, "isitor1", "xample.com", "Number", "Tester", "Example Ltd", c.Invite.Record} {
			if strings.Contains(everything, secret) {
				t.Errorf("%q is in the open: %s", secret, everything)
			}
		}
		invite, _ := h.open(c.Token)
		plain, _ := json.Marshal(invite)
		var fields struct{ Person map[string]string }
		must(t, json.Unmarshal(plain, &fields))
		if got := slices.Sorted(maps.Keys(fields.Person)); !slices.Equal(got, []string{"company", "email", "first_name", "last_name", "title"}) {
			t.Errorf("of a person it holds %v", got)
		}
	})
}

// TestP8ForgottenPersonIsNotCachedAgain by poll or hint.
func TestP8ForgottenPersonIsNotCachedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		m := h.mirror("a", one(s))
		ring, err := m.o.Keyring.Ring(t.Context(), "acme")
		must(t, err)
		forgotten := turnout.PersonID(ring.Index("visitor1@example.com"))
		h.tombstones[forgotten] = true
		s.invite(linkCopy(1))
		s.invite(linkCopy(2))
		defer running(t, m)()
		h.pass(5 * time.Second)
		must(t, m.Hint(t.Context(), "acme", "attendee.changed", []string{linkRecord(1)}))
		h.pass(time.Second)
		if _, ok := h.open(linkCopy(1).Token); ok || h.keys[forgotten] != nil {
			t.Error("a forgotten person was cached again")
		}
		if _, ok := h.open(linkCopy(2).Token); !ok {
			t.Error("somebody else was not cached")
		}
	})
}

func TestRevokedAndUnusableLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.invite(linkCopy(1))
		noEmail, badToken := linkCopy(2), linkCopy(3)
		noEmail.Invite.Person.Email = ""
		badToken.Token = "a b"
		s.invite(noEmail)
		s.invite(badToken)
		m := h.mirror("a", one(s))
		defer running(t, m)()
		h.pass(5 * time.Second)
		if state, _ := m.State("acme"); state.Skipped != 2 || len(h.links) != 1 {
			t.Errorf("%d links, state %+v", len(h.links), state)
		}
		revoked := linkCopy(1)
		revoked.Revoked = true
		s.invite(revoked)
		must(t, m.Hint(t.Context(), "acme", "attendee.changed", []string{linkRecord(1)}))
		told := h.changes(turnout.ChangeLinks)
		h.pass(time.Second)
		if len(h.links) != 0 || h.changes(turnout.ChangeLinks) != told+1 {
			t.Errorf("%d links, %d changes", len(h.links), h.changes(turnout.ChangeLinks)-told)
		}
	})
}

// TestChangedLinkIsTakenOver when the person behind it changed.
func TestChangedLinkIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.invite(linkCopy(1))
		defer running(t, h.mirror("a", one(s)))()
		h.pass(time.Minute)
		changed := linkCopy(1)
		changed.Invite.Person = turnout.Person{Email: "other@example.org", FirstName: "Other", LastName: "Person"}
		s.invite(changed)
		h.pass(time.Minute)
		if got, _ := h.open(changed.Token); got != changed.Invite {
			t.Errorf("opens to %+v", got)
		}
	})
}

// TestBackfillResumes: an error in the middle keeps what was stored, moves no
// cursor, and the next pass gets the rest.
func TestBackfillResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		for n := range 1000 {
			s.invite(linkCopy(n))
		}
		s.chunk = 100
		tries := 0
		var m *Mirror
		s.afterChunk = func(n int) error {
			if state, _ := m.State("acme"); n == 3 && (!state.Backfilling || state.Links != 300) {
				t.Errorf("in the middle: %+v", state)
			}
			if tries < 2 && n == 4 {
				tries++
				return turnout.Wrap(turnout.CodeUnavailable, "read result", errors.New("connection reset"))
			}
			return nil
		}
		m = h.mirror("a", one(s))
		defer running(t, m)()
		h.pass(1500 * time.Millisecond)
		if links, cursor := h.linksAndCursor(); links != 400 || !cursor.IsZero() {
			t.Errorf("after an error %d links, cursor %v", links, cursor)
		}
		h.pass(30 * time.Second)
		state, _ := m.State("acme")
		if links, cursor := h.linksAndCursor(); links != 1000 || cursor.IsZero() || state.Backfilling || state.Links != 1000 {
			t.Errorf("%d links, cursor %v, state %+v", links, cursor, state)
		}
		// Losing the cache means a backfill.
		h.mu.Lock()
		clear(h.links)
		clear(h.cursors)
		h.mu.Unlock()
		h.pass(time.Minute + 10*time.Second)
		if links, _ := h.linksAndCursor(); links != 1000 {
			t.Errorf("after losing the cache: %d links", links)
		}
	})
}

// TestPersonForgotten reaches Forget, and is tried again until it did.
// One who cannot be forgotten for now has nobody else forgotten again (P1, P8).
func TestPersonForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.people["003000000000001AAA"] = "visitor1@example.com"
		s.people["00Q000000000002AAA"] = "visitor2@example.com"
		m, fails := h.mirror("a", one(s)), 4
		m.o.Forget = func(ctx context.Context, org turnout.OrgID, email string) error {
			if fails--; fails >= 0 && email == "visitor1@example.com" {
				return turnout.Errorf(turnout.CodeUnavailable, "forget", "")
			}
			return h.Forget(ctx, org, email)
		}
		defer running(t, m)()
		h.pass(2 * time.Second)
		must(t, m.Hint(t.Context(), "acme", "person.forgotten", slices.Collect(maps.Keys(s.people))))
		h.pass(time.Minute)
		if !slices.Equal(h.forgotten, []string{"visitor2@example.com", "visitor1@example.com"}) || len(h.errands) != 0 {
			t.Errorf("forgot %v, still to do %v", h.forgotten, h.errands)
		}
		if n := s.called("People"); n > 4 {
			t.Errorf("%d queries", n)
		}
		if strings.Contains(h.log.String(), "example.com") {
			t.Error("an e-mail address is in the log")
		}
	})
}

// BenchmarkLinks seals and hands on links as a backfill does: -benchtime=1000000x is a million.
func BenchmarkLinks(b *testing.B) {
	h := newHouse(b)
	m := h.mirror("a", nil)
	p := newOrgMirror(&m.o, "acme")
	ring, err := m.o.Keyring.Ring(b.Context(), "acme")
	must(b, err)
	copies := make([]turnout.LinkCopy, chunkLinks)
	n := 0
	for b.Loop() {
		if n%chunkLinks == 0 {
			b.StopTimer()
			for i := range copies {
				copies[i] = linkCopy(n + i)
			}
			clear(h.links)
			clear(h.keys)
			b.StartTimer()
			must(b, p.applyChunk(b.Context(), ring, copies, p.newLinkWriter(newLinks)))
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "links/s")
}

// TestMovedLinksAreNamed: links that lead to another event now are told of in a way that
// reaches whoever holds them as the former event's (P5).
func TestMovedLinksAreNamed(t *testing.T) {
	for name, test := range map[string]struct {
		n    int
		bulk bool
	}{"few": {5, false}, "many": {40, false}, "more than can be named": {namedLinks + 50, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newHouse(t), newSalesforce()
				for i := range test.n {
					s.invite(linkCopy(i))
				}
				defer running(t, h.mirror("a", one(s)))()
				h.pass(3 * time.Minute)
				s.mu.Lock()
				s.bulk = test.bulk
				s.mu.Unlock()
				before := len(h.feed)
				for i := range test.n {
					c := linkCopy(i)
					c.Event, c.Modified = eventID(2), stamp()
					s.invite(c)
				}
				h.pass(3 * time.Minute)
				h.lock()()
				named := map[string]bool{}
				for _, c := range h.feed[before:] {
					if c.Kind == turnout.ChangeLinks {
						named[c.ID] = true
					}
				}
				for id, l := range h.links {
					if l.Event != eventID(2) {
						t.Fatalf("link %s leads to %s", id, l.Event)
					}
					if !named[id.String()] && !named[string(eventID(1))] && !named[""] {
						t.Fatalf("of %d links, link %s, its former event and its org are not named", test.n, id)
					}
				}
			})
		})
	}
}

// P8: what one process was told to forget and died over, another one forgets
// within a minute: the hook does not come again.
func TestP8AnotherProcessForgetsWhatADeadOneWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.people["00Q000000000001AAA"] = "visitor1@example.com"
		dead := h.mirror("a", one(s))
		dead.o.Forget = func(context.Context, turnout.OrgID, string) error {
			return turnout.Errorf(turnout.CodeUnavailable, "forget", "")
		}
		kill := running(t, dead)
		h.pass(2 * time.Second)
		must(t, dead.Hint(t.Context(), "acme", "person.forgotten", []string{"00Q000000000001AAA"}))
		kill()
		defer running(t, h.mirror("b", one(s)))()
		h.pass(time.Minute)
		if !slices.Equal(h.forgotten, []string{"visitor1@example.com"}) || len(h.errands) != 0 {
			t.Errorf("forgot %v, still to do %v", h.forgotten, h.errands)
		}
	})
}

package mirror

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

// TestNewCacheGetsNoOldCursor: a cache that is begun anew while a poll or a
// backfill is under way is filled again, whole.
func TestNewCacheGetsNoOldCursor(t *testing.T) {
	for name, lostInBackfill := range map[string]bool{"in a poll": false, "in a backfill": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newHouse(t), newSalesforce()
				links := 500
				if lostInBackfill {
					links += chunkLinks // so that some are stored before the others are read
				}
				for n := range links {
					s.invite(linkCopy(n))
				}
				id := s.publish(1, "Spring")
				s.chunk = chunkLinks
				lose := func() {
					lost := false
					s.mu.Lock()
					defer s.mu.Unlock()
					s.afterChunk = func(int) error {
						if !lost {
							lost = true
							defer h.lock()()
							clear(h.links)
							clear(h.events)
							clear(h.cursors)
						}
						return nil
					}
				}
				if lostInBackfill {
					lose()
				}
				defer running(t, h.mirror("a", one(s)))()
				h.pass(90 * time.Second)
				if !lostInBackfill {
					lose()
					s.invite(linkCopy(7))
				}
				h.pass(2 * time.Minute)
				_, shown := h.cached(id)
				if n, cursor := h.linksAndCursor(); n != links || cursor.IsZero() || !shown {
					t.Errorf("%d links of %d cached, cursor %v, event cached: %v", n, links, cursor, shown)
				}
			})
		})
	}
}

// TestOneBadPersonStallsNothing: an address that cannot be forgotten is let go
// of, and one that fails for now keeps no hook of another kind waiting (P5, P8).
func TestOneBadPersonStallsNothing(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		left int
	}{
		"invalid": {turnout.Errorf(turnout.CodeInvalid, "forget person", "give the whole e-mail address"), 0},
		"failing": {turnout.Errorf(turnout.CodeUnavailable, "forget person", "the store is away"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newHouse(t), newSalesforce()
				s.people["003000000000001AAA"] = "john..doe@example.com"
				m := h.mirror("a", one(s))
				m.o.Forget = func(context.Context, turnout.OrgID, string) error { return test.err }
				defer running(t, m)()
				h.pass(10 * time.Second)
				must(t, m.Hint(t.Context(), "acme", "person.forgotten", []string{"003000000000001AAA"}))
				h.pass(30 * time.Minute)
				for range 5 {
					calls := s.called("Events")
					id := s.publish(3, "New")
					must(t, m.Hint(t.Context(), "acme", "event.published", []string{string(id)}))
					h.pass(time.Second)
					if s.called("Events") == calls {
						t.Error("the event was not fetched within a second")
					}
					h.pass(7 * time.Second)
				}
				if left, _ := h.Errands(t.Context(), "acme"); len(left) != test.left {
					t.Errorf("%d errands left, want %d", len(left), test.left)
				}
				if n := s.called("People"); test.left == 0 && n != 1 {
					t.Errorf("asked %d times for whom nothing can be done", n)
				}
				h.lock()()
				if strings.Contains(h.log.String(), "doe@") {
					t.Error("the log has the address")
				}
			})
		})
	}
}

// TestP1OneHookForgetsOnce: while Salesforce is away, every instance tries by itself to
// learn whom it is about. Whoever is forgotten once it is back may have registered again
// when the next one gets through.
func TestP1OneHookForgetsOnce(t *testing.T) {
	for name, code := range map[string]turnout.Code{"away": turnout.CodeUnavailable, "throttled": turnout.CodeThrottled} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newHouse(t), newSalesforce()
				s.people["003000000000001AAA"] = "ada@example.com"
				slowly := func(ctx context.Context, org turnout.OrgID, email string) error {
					<-time.After(3 * time.Second)
					return h.Forget(ctx, org, email)
				}
				b := h.mirror("b", one(s))
				b.o.Forget = slowly
				defer running(t, b)()
				h.pass(10 * time.Second) // it has the turn, and looks for errands
				a := h.mirror("a", one(s))
				a.o.Forget = slowly
				defer running(t, a)()
				h.pass(10 * time.Second)
				s.fail(turnout.Errorf(code, "salesforce", "away"))
				must(t, a.Hint(t.Context(), "acme", "person.forgotten", []string{"003000000000001AAA"}))
				h.pass(40 * time.Minute)
				s.fail(nil)
				h.pass(time.Hour)
				left, _ := h.Errands(t.Context(), "acme")
				h.lock()()
				if len(h.forgotten) != 1 || len(left) != 0 {
					t.Errorf("forgotten %d times, and %d errands are open", len(h.forgotten), len(left))
				}
			})
		})
	}
}

// TestP1OneForgetsAtATime: a hook that two instances were told of, since the first took
// long to answer, forgets once.
func TestP1OneForgetsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.people["003000000000001AAA"] = "ada@example.com"
		var both []*Mirror
		for _, owner := range []string{"a", "b"} {
			m := h.mirror(owner, one(s))
			m.o.Forget = func(ctx context.Context, org turnout.OrgID, email string) error {
				<-time.After(3 * time.Second)
				return h.Forget(ctx, org, email)
			}
			both = append(both, m)
		}
		defer running(t, both...)()
		h.pass(10 * time.Second)
		for _, m := range both {
			must(t, m.Hint(t.Context(), "acme", "person.forgotten", []string{"003000000000001AAA"}))
		}
		h.pass(time.Minute)
		h.lock()()
		if len(h.forgotten) != 1 || len(h.errands) != 0 {
			t.Errorf("forgotten %d times, and %d errands are open", len(h.forgotten), len(h.errands))
		}
	})
}

// forgetful loses some notes that an errand is done.
type forgetful struct {
	*house
	lose int
}

func (f *forgetful) DoneErrands(ctx context.Context, org turnout.OrgID, ids []string) error {
	if f.lose--; f.lose >= 0 {
		return turnout.Errorf(turnout.CodeUnavailable, "note", "the store is away")
	}
	return f.house.DoneErrands(ctx, org, ids)
}

// TestP1GoneIsGone: whom two records name is forgotten for good by either, and an errand
// that was run and could not be noted is only noted again. They may have registered since.
func TestP1GoneIsGone(t *testing.T) {
	for name, test := range map[string]struct {
		lose      int
		failsOnce bool
	}{"both at once": {}, "one fails": {failsOnce: true}, "a note is lost": {lose: 1}, "all of a pass are lost": {lose: 4}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newHouse(t), newSalesforce()
				s.people["003000000000001AAA"], s.people["00Q000000000002EAA"] = "ada@example.com", "ada@example.com"
				m, fails := h.mirror("a", one(s)), test.failsOnce
				m.o.Errands = &forgetful{house: h, lose: test.lose}
				m.o.Forget = func(ctx context.Context, org turnout.OrgID, email string) error {
					err := h.Forget(ctx, org, email)
					if fails {
						fails, err = false, turnout.Errorf(turnout.CodeUnavailable, "forget", "the cache is away")
					}
					return err
				}
				defer running(t, m)()
				h.pass(10 * time.Second)
				must(t, m.Hint(t.Context(), "acme", "person.forgotten", slices.Collect(maps.Keys(s.people))))
				h.pass(time.Minute)
				h.lock()()
				if want := map[bool]int{false: 1, true: 2}[test.failsOnce]; len(h.forgotten) != want || len(h.errands) != 0 {
					t.Errorf("forgotten %d times, want %d, and %d errands are open", len(h.forgotten), want, len(h.errands))
				}
			})
		})
	}
}

// counting counts how often the open errands are read.
type counting struct {
	*house
	reads int
}

func (c *counting) Errands(ctx context.Context, org turnout.OrgID) ([]string, error) {
	c.reads++
	return c.house.Errands(ctx, org)
}

// TestErrandsAreReadOnceATurn: who keeps the turn does not ask before each person whether
// another process was there, and who lost it does (P1).
func TestErrandsAreReadOnceATurn(t *testing.T) {
	for name, hangs := range map[string]time.Duration{"kept": 0, "lost": 2 * forgetting} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newHouse(t), newSalesforce()
				for i := range 50 {
					s.people[linkRecord(i)] = fmt.Sprintf("visitor%02d@example.com", i)
				}
				slow, quick := h.mirror("slow", one(s)), h.mirror("quick", one(s))
				reads := &counting{house: h}
				slow.o.Errands = reads
				first := hangs
				slow.o.Forget = func(ctx context.Context, org turnout.OrgID, email string) error {
					<-time.After(first)
					first = 0
					return h.Forget(ctx, org, email)
				}
				defer running(t, slow, quick)()
				h.pass(10 * time.Second)
				before := reads.reads
				must(t, slow.Hint(t.Context(), "acme", "person.forgotten", slices.Collect(maps.Keys(s.people))))
				h.pass(time.Second)
				if hangs > 0 { // else all is done by now, and a hook would be about anew
					must(t, quick.Hint(t.Context(), "acme", "person.forgotten", slices.Collect(maps.Keys(s.people))))
				}
				h.pass(5 * time.Minute)
				h.lock()()
				twice := map[string]int{}
				for _, email := range h.forgotten {
					twice[email]++
				}
				twice[h.forgotten[0]] = 1 // whom the slow one was at when its turn ended
				for email, n := range twice {
					if n != 1 {
						t.Errorf("%s was forgotten %d times", email, n)
					}
				}
				if n := reads.reads - before; len(twice) != 50 || len(h.errands) != 0 || n >= 50 { // who polls looks as well
					t.Errorf("%d forgotten, %d errands are open, read %d times", len(twice), len(h.errands), n)
				}
			})
		})
	}
}

// TestOlderWriteThatWonIsMended: Salesforce holds revision 1 where 2 was
// delivered and nothing waits.
func TestOlderWriteThatWonIsMended(t *testing.T) {
	settled := turnout.Registration{Key: "k1", Person: turnout.PersonID{1}, Status: turnout.StatusCancelled, Revision: 2, Delivered: 2, Record: "a0R000000000001AAA"}
	due := settled
	due.Due = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		r        turnout.Registration
		revision int64
		record   string
		want     int
	}{
		"older":                {settled, 1, "a0R000000000001AAA", 1},
		"of a short id":        {settled, 1, "a0R000000000001", 1},
		"the same":             {settled, 2, "a0R000000000001AAA", 0},
		"newer":                {settled, 3, "a0R000000000001AAA", 0},
		"no revision":          {settled, 0, "a0R000000000001AAA", 0},
		"on its way":           {due, 1, "a0R000000000001AAA", 0},
		"a record of the past": {settled, 1, "a0R000000000009AAA", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newHouse(t), newSalesforce()
				test.r.ChangedAt = time.Now().Add(time.Hour)
				h.regs["k1"] = test.r
				defer running(t, h.mirror("a", one(s)))()
				h.pass(10 * time.Second)
				s.mu.Lock()
				s.registrations = []turnout.RegistrationCopy{{Record: test.record, Key: "k1", Event: eventID(1), Revision: test.revision, Status: turnout.StatusCancelled, Modified: stamp()}}
				s.mu.Unlock()
				h.pass(5 * time.Minute)
				defer h.lock()()
				if len(h.resent) != test.want || len(h.revisions) != 0 {
					t.Errorf("sent again %v, revised %v; want %d sent", h.resent, h.revisions, test.want)
				}
			})
		})
	}
}

// TestEarlyCopyIsNotLost: an organiser cancels what Salesforce has just got,
// before the store knows that it was delivered.
func TestEarlyCopyIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		h.regs["k1"] = turnout.Registration{Key: "k1", Person: turnout.PersonID{1}, Status: turnout.StatusRegistered, Revision: 2, Delivered: 1, Due: time.Now()}
		defer running(t, h.mirror("a", one(s)))()
		h.pass(10 * time.Second)
		s.mu.Lock()
		s.registrations = []turnout.RegistrationCopy{{Record: "a0R000000000001AAA", Key: "k1", Event: eventID(1), Revision: 2, Status: turnout.StatusCancelled, Modified: stamp()}}
		s.mu.Unlock()
		h.pass(3 * time.Minute)
		unlock := h.lock()
		r := h.regs["k1"]
		r.Delivered, r.Due = 2, time.Time{}
		h.regs["k1"] = r
		unlock()
		h.pass(3 * time.Minute)
		defer h.lock()()
		if h.regs["k1"].Status != turnout.StatusCancelled || len(h.revisions) != 1 {
			t.Errorf("%+v after %d revisions", h.regs["k1"], len(h.revisions))
		}
	})
}

// TestOverlapIsCheap: what a poll brings again, unchanged, is neither sealed nor
// written again.
func TestOverlapIsCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		h.regs["k1"] = turnout.Registration{Key: "k1", Person: turnout.PersonID{1}, Status: turnout.StatusRegistered, Revision: 1, Delivered: 1}
		defer running(t, h.mirror("a", one(s)))()
		h.pass(10 * time.Second)
		for n := range 100 {
			s.invite(linkCopy(n))
		}
		h.pass(time.Minute)
		unlock := h.lock()
		before, written := len(h.feed), h.linksWritten
		unlock()
		h.pass(20 * time.Minute) // the fake brings what the cursor's own second holds, each time
		defer h.lock()()
		if written != 100 || h.linksWritten != written || len(h.feed) != before {
			t.Errorf("%d links written, %d later; feed %d to %d", written, h.linksWritten, before, len(h.feed))
		}
	})
}

// lateRecords answers LinkRecords with what it read when it was asked, once the
// gate opens.
type lateRecords struct {
	*salesforce
	gate chan struct{}
}

func (s lateRecords) LinkRecords(ctx context.Context, ids []string) ([]turnout.LinkCopy, error) {
	out, err := s.salesforce.LinkRecords(ctx, ids)
	<-s.gate
	return out, err
}

// TestRevokedLinkStaysRevoked: a hint that was read before the revocation and
// is applied after the poll that brought it changes nothing (P5).
func TestRevokedLinkStaysRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		gate := make(chan struct{})
		c := linkCopy(1)
		s.invite(c)
		m := h.mirror("a", one(s))
		m.o.Source = func(turnout.OrgID) (Source, error) { return lateRecords{s, gate}, nil }
		defer running(t, m)()
		h.pass(58 * time.Second)
		must(t, m.Hint(t.Context(), "acme", "attendee.changed", []string{c.Invite.Record}))
		h.pass(time.Second)
		c.Revoked, c.Modified = true, stamp()
		s.invite(c)
		h.pass(90 * time.Second)
		if _, there := h.open(c.Token); there {
			t.Fatal("the poll did not remove the link")
		}
		close(gate)
		h.pass(time.Hour)
		if _, there := h.open(c.Token); there {
			t.Error("a revoked link came back")
		}
		c.Revoked, c.Modified = false, stamp()
		s.invite(c)
		h.pass(2 * time.Minute)
		if _, there := h.open(c.Token); !there {
			t.Error("a link that was given back is not there")
		}
	})
}

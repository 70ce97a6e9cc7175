package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

// title opens a cached event.
func (h *house) title(id turnout.EventID) string {
	h.t.Helper()
	e, ok := h.cached(id)
	if !ok {
		return ""
	}
	ring, err := h.keyring().Ring(context.Background(), "acme")
	must(h.t, err)
	plain, err := ring.Open(e.Sealed, "event", string(id))
	must(h.t, err)
	var ev turnout.Event
	must(h.t, json.Unmarshal(plain, &ev))
	return ev.Title
}

func one(s *salesforce) map[turnout.OrgID]*salesforce {
	return map[turnout.OrgID]*salesforce{"acme": s}
}

// TestP5OnlyPublishedEventsAreCached backfills, and takes over what changes.
func TestP5OnlyPublishedEventsAreCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.publish(1, "Spring")
		s.unpublish(2)
		m := h.mirror("a", one(s))
		defer running(t, m)()
		h.pass(2 * time.Second)
		if h.title(eventID(1)) != "Spring" || len(h.events) != 1 {
			t.Errorf("cached %d events, the first is %q", len(h.events), h.title(eventID(1)))
		}
		if l := h.ledgers[eventID(1)]; !l.Open || l.Pools[0].Seats != 10 {
			t.Errorf("ledger %+v", l)
		}
		s.unpublish(1)
		must(t, m.Hint(t.Context(), "acme", "event.unpublished", []string{string(eventID(1))}))
		h.pass(200 * time.Millisecond)
		if _, there := h.cached(eventID(1)); there {
			t.Error("an unpublished event is still cached")
		}
		if _, open := h.ledgers[eventID(1)]; open {
			t.Error("its ledger is still open")
		}
	})
}

// TestP5HookIsNeverBelieved: what a hook says is not what is done.
func TestP5HookIsNeverBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.publish(1, "Spring")
		s.unpublish(2)
		m := h.mirror("a", one(s))
		defer running(t, m)()
		h.pass(2 * time.Second)
		must(t, m.Hint(t.Context(), "acme", "event.unpublished", []string{string(eventID(1))}))
		must(t, m.Hint(t.Context(), "acme", "event.published", []string{string(eventID(2)), string(eventID(3))}))
		h.pass(time.Second)
		if h.title(eventID(1)) != "Spring" || len(h.events) != 1 {
			t.Errorf("cached %v", h.events)
		}
		for _, bad := range []struct {
			kind string
			ids  []string
		}{{"event.exploded", nil}, {"event.published", []string{"x' OR Id != '"}}, {"event.published", []string{strings.Repeat("é", 9)}}} {
			if err := m.Hint(t.Context(), "acme", bad.kind, bad.ids); turnout.CodeOf(err) != turnout.CodeInvalid {
				t.Errorf("hint %v: %v", bad, err)
			}
		}
		if err := m.Hint(t.Context(), "birch", "event.published", nil); turnout.CodeOf(err) != turnout.CodeUnavailable {
			t.Errorf("hint of an unknown org: %v", err)
		}
	})
}

// TestP5HintIsSeenWithinASecond: two instances that look at the feed four
// times a second find the event, its ledger first.
func TestP5HintIsSeenWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		polling, hinted := h.mirror("a", one(s)), h.mirror("b", one(s))
		defer running(t, polling, hinted)()
		h.pass(10 * time.Second)
		h.mu.Lock()
		h.order = nil
		h.mu.Unlock()
		s.publish(1, "Spring")
		must(t, hinted.Hint(t.Context(), "acme", "event.published", []string{string(eventID(1))})) // it has not the turn
		h.pass(500 * time.Millisecond)
		if h.title(eventID(1)) != "Spring" || h.changes(turnout.ChangeEvent) != 1 {
			t.Fatalf("half a second later: %q and %d changes", h.title(eventID(1)), h.changes(turnout.ChangeEvent))
		}
		if !slices.Equal(h.order, []string{"ledger", "cache", "feed"}) {
			t.Errorf("order of writes %v", h.order)
		}
	})
}

// TestP5LostHookHealsWithinAMinute publishes, updates and withdraws without hooks.
func TestP5LostHookHealsWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		m := h.mirror("a", one(s))
		defer running(t, m)()
		for range 5 {
			h.pass(17 * time.Second) // anywhere between two polls
			for _, step := range []struct {
				do   func()
				want string
			}{
				{func() { s.publish(1, "Spring") }, "Spring"},
				{func() { s.publish(1, "Summer") }, "Summer"},
				{func() { s.unpublish(1) }, ""},
			} {
				step.do()
				h.pass(time.Minute)
				if got := h.title(eventID(1)); got != step.want {
					t.Errorf("a minute later: %q, want %q", got, step.want)
				}
			}
		}
	})
}

// TestDeletedEventIsFoundByTheSweep: it leaves no trace in what changed.
func TestDeletedEventIsFoundByTheSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.publish(1, "Spring")
		s.publish(2, "Stays")
		defer running(t, h.mirror("a", one(s)))()
		h.pass(5 * time.Minute)
		s.mu.Lock()
		delete(s.events, eventID(1))
		s.mu.Unlock()
		h.pass(sweepEvery + time.Minute)
		if h.title(eventID(1)) != "" || h.title(eventID(2)) != "Stays" {
			t.Errorf("cached %q and %q", h.title(eventID(1)), h.title(eventID(2)))
		}
	})
}

// TestHintsAreCoalesced: 100 hints of one event are one fetch, many events one query.
func TestHintsAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		m := h.mirror("a", one(s))
		defer running(t, m)()
		h.pass(2 * time.Second)
		s.publish(1, "Spring")
		for range 100 {
			must(t, m.Hint(t.Context(), "acme", "event.updated", []string{string(eventID(1))}))
		}
		h.pass(time.Second)
		if n := s.called("Events"); n != 1 {
			t.Errorf("100 hints were %d fetches", n)
		}
		var ids []string
		for n := range 150 {
			ids = append(ids, string(s.publish(n, "Many")))
		}
		for _, id := range ids {
			must(t, m.Hint(t.Context(), "acme", "event.published", []string{id}))
		}
		h.pass(time.Second)
		if n := s.called("Events"); n != 2 || len(h.events) != 150 {
			t.Errorf("150 events were %d more fetches; %d are cached", n-1, len(h.events))
		}
		// While a fetch is under way, what comes in is fetched after it.
		s.mu.Lock()
		s.hang = make(chan struct{})
		hang := s.hang
		s.mu.Unlock()
		for range 50 {
			must(t, m.Hint(t.Context(), "acme", "event.updated", ids[:1]))
			h.pass(10 * time.Millisecond)
		}
		s.mu.Lock()
		s.hang = nil
		s.mu.Unlock()
		close(hang)
		h.pass(time.Second)
		if n := s.called("Events"); n > 4 {
			t.Errorf("50 hints during a fetch were %d fetches", n-2)
		}
	})
}

func TestHintsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.fail(turnout.Errorf(turnout.CodeUnavailable, "call", ""))
		m := h.mirror("a", one(s))
		defer running(t, m)()
		refused := 0
		for n := range maxHints + 5 {
			err := m.Hint(t.Context(), "acme", "person.forgotten", []string{linkRecord(n)})
			if turnout.CodeOf(err) == turnout.CodeThrottled {
				refused++
			}
		}
		if state, _ := m.State("acme"); refused != 5 || state.Hints != maxHints {
			t.Errorf("%d were refused, %d wait", refused, state.Hints)
		}
	})
}

// TestOlderCopiesAreIgnored: neither cache nor ledger goes back.
func TestOlderCopiesAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		m := h.mirror("a", one(s))
		defer running(t, m)()
		h.pass(time.Minute)
		newer, older := event(1, "Newer"), event(1, "Older")
		older.Seats = 3
		hint := func(c turnout.EventCopy) {
			t.Helper()
			s.set(c)
			must(t, m.Hint(t.Context(), "acme", "event.updated", []string{string(c.ID)}))
			h.pass(time.Second)
			if got := h.title(eventID(1)); got != "Newer" || h.ledgers[eventID(1)].Pools[0].Seats != 10 {
				t.Errorf("cached %q with ledger %+v", got, h.ledgers[eventID(1)])
			}
		}
		hint(turnout.EventCopy{ID: newer.ID, Event: &newer, Modified: stamp()})
		hint(turnout.EventCopy{ID: older.ID, Event: &older, Modified: stamp().Add(-time.Hour)})
		hint(turnout.EventCopy{ID: older.ID, Modified: stamp().Add(-time.Hour)}) // unpublished back then
	})
}

// TestRacingProcesses: two processes took over two versions of one event at
// once, and the older one's ledger was written last. The next poll sets it
// right, and its overlap moves no cursor back.
func TestRacingProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		defer running(t, h.mirror("a", one(s)))()
		h.pass(10 * time.Minute)
		s.publish(1, "Newer")
		h.pass(time.Minute)
		older := event(1, "Older")
		older.Seats = 3
		must(t, h.SetLedger(t.Context(), turnout.LedgerOf("acme", &older), time.Now()))
		cursor := h.cursors[trackEvents]
		h.pass(time.Minute)
		if seats := h.ledgers[eventID(1)].Pools[0].Seats; seats != 10 {
			t.Errorf("the ledger has %d seats", seats)
		}
		h.pass(time.Hour)
		s.mu.Lock()
		clear(s.events) // nothing new: the source answers with the time it was asked for
		s.mu.Unlock()
		h.pass(2 * time.Minute)
		if h.cursors[trackEvents].Before(cursor) {
			t.Errorf("the cursor went back from %v to %v", cursor, h.cursors[trackEvents])
		}
	})
}

// TestSameSecond: two versions within one second of SystemModstamp.
func TestSameSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		m := h.mirror("a", one(s))
		defer running(t, m)()
		h.pass(10 * time.Second)
		at := stamp()
		for _, title := range []string{"First", "Second"} {
			e := event(1, title)
			s.set(turnout.EventCopy{ID: e.ID, Event: &e, Modified: at})
			must(t, m.Hint(t.Context(), "acme", "event.updated", []string{string(e.ID)}))
			h.pass(300 * time.Millisecond)
			if got := h.title(e.ID); got != title {
				t.Errorf("cached %q, want %q", got, title)
			}
		}
		told := h.changes(turnout.ChangeEvent)
		h.pass(10 * time.Minute)
		if again := h.changes(turnout.ChangeEvent); again > told {
			t.Errorf("the overlap of polls was told %d times", again-told)
		}
	})
}

// TestFaultyEvents keeps what is shown, and tells the console why.
func TestFaultyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		m := h.mirror("a", one(s))
		defer running(t, m)()
		s.publish(1, "Good")
		h.pass(time.Minute)
		bad := event(1, "")
		bad.Tickets = nil
		s.set(turnout.EventCopy{ID: bad.ID, Event: &bad, Modified: stamp()})
		s.set(turnout.EventCopy{ID: eventID(2), Fault: turnout.Errorf(turnout.CodeInvalid, "read event", "the form is no YAML"), Modified: stamp()})
		h.pass(time.Minute)
		if got := h.title(eventID(1)); got != "Good" || len(h.events) != 1 {
			t.Errorf("cached %q of %d", got, len(h.events))
		}
		faults := told(t, m)
		if len(faults) != 2 || len(faults[0].Fields) != 2 || len(faults[1].Fields) != 1 || !strings.Contains(faults[1].Fields[0].Message, "the form is no YAML") {
			t.Errorf("faults %+v", faults)
		}
		s.publish(1, "Better")
		s.unpublish(2)
		h.pass(time.Minute)
		if got := h.title(eventID(1)); got != "Better" || len(told(t, m)) != 0 {
			t.Errorf("cached %q, faults %v", got, told(t, m))
		}
	})
}

// TestSlugsAreUnique: the second event with a slug waits until it is free.
func TestSlugsAreUnique(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		m := h.mirror("a", one(s))
		defer running(t, m)()
		s.publish(1, "First")
		h.pass(time.Minute)
		second := event(2, "Second")
		second.Slug = "event-1"
		s.set(turnout.EventCopy{ID: second.ID, Event: &second, Modified: stamp()})
		h.pass(time.Minute)
		if f := told(t, m); h.title(second.ID) != "" || len(f) != 1 || f[0].Event != second.ID {
			t.Errorf("cached %q, faults %v", h.title(second.ID), f)
		}
		s.unpublish(1)
		must(t, m.Hint(t.Context(), "acme", "event.unpublished", []string{string(eventID(1))}))
		h.pass(time.Second)
		if f := told(t, m); h.title(second.ID) != "Second" || len(f) != 0 {
			t.Errorf("with the slug free: cached %q, faults %v", h.title(second.ID), f)
		}
	})
}

// TestFailedFeedIsToldAgain: what was stored and not told is told by the next try.
func TestFailedFeedIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		m := h.mirror("a", one(s))
		defer running(t, m)()
		h.pass(2 * time.Second)
		h.mu.Lock()
		h.failFeed = 2
		h.mu.Unlock()
		s.publish(1, "Spring")
		must(t, m.Hint(t.Context(), "acme", "event.published", []string{string(eventID(1))}))
		h.pass(20 * time.Second)
		if n := h.changes(turnout.ChangeEvent); n != 1 {
			t.Errorf("told %d times", n)
		}
		s.unpublish(1)
		h.mu.Lock()
		h.failFeed = 1
		h.mu.Unlock()
		h.pass(90 * time.Second)
		if n := h.changes(turnout.ChangeEvent); n != 2 {
			t.Errorf("of the withdrawal told %d times", n-1)
		}
	})
}

// TestOutageAndRecovery: errors back off, and the org is current soon after.
func TestOutageAndRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.publish(1, "Before")
		m := h.mirror("a", one(s))
		defer running(t, m)()
		h.pass(time.Minute)
		s.fail(turnout.Wrap(turnout.CodeUnavailable, "call Salesforce", errors.New("connection refused")))
		s.publish(1, "During")
		must(t, m.Hint(t.Context(), "acme", "event.updated", []string{string(eventID(1))}))
		before := s.total()
		h.pass(time.Hour)
		if n := s.total() - before; n > 500 {
			t.Errorf("%d calls in an hour of outage", n)
		}
		if state, _ := m.State("acme"); state.LastError != turnout.CodeUnavailable || h.title(eventID(1)) != "Before" {
			t.Errorf("state %+v, cached %q", state, h.title(eventID(1)))
		}
		s.fail(nil)
		h.pass(time.Minute)
		state, _ := m.State("acme")
		if h.title(eventID(1)) != "During" || state.LastError != "" || time.Since(state.LastSuccess) > time.Minute || state.Hints != 0 {
			t.Errorf("after the outage: %q, state %+v", h.title(eventID(1)), state)
		}
	})
}

// TestThrottledOrgIsLeftAlone, hints included, and others are not.
func TestThrottledOrgIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.orgs = append(h.orgs, turnout.Org{ID: "birch"})
		of := map[turnout.OrgID]*salesforce{"acme": newSalesforce(), "birch": newSalesforce()}
		m := h.mirror("a", of)
		m.o.Turns = everybody{}
		defer running(t, m)()
		h.pass(2 * time.Minute)
		of["acme"].fail(&turnout.Error{Code: turnout.CodeExhausted, RetryAfter: time.Hour})
		h.pass(time.Minute)
		acme, birch := of["acme"].total(), of["birch"].total()
		for range 50 {
			must(t, m.Hint(t.Context(), "acme", "event.updated", []string{string(eventID(1))}))
			h.pass(time.Minute)
		}
		if n := of["acme"].total() - acme; n != 0 {
			t.Errorf("an exhausted org got %d calls", n)
		}
		if n := of["birch"].total() - birch; n < 3*50 {
			t.Errorf("its neighbour got %d calls in 50 minutes", n)
		}
		if state, _ := m.State("acme"); state.LastError != turnout.CodeExhausted || state.PausedUntil.IsZero() {
			t.Errorf("state %+v", state)
		}
	})
}

type everybody struct{}

func (everybody) Turn(context.Context, turnout.OrgID, string, string, time.Time, time.Duration) (bool, error) {
	return true, nil
}

// TestP7HangingOrgDelaysNobody: one org's calls never come back.
func TestP7HangingOrgDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.orgs = []turnout.Org{{ID: "birch"}, {ID: "acme"}}
		of := map[turnout.OrgID]*salesforce{"acme": newSalesforce(), "birch": newSalesforce()}
		of["birch"].hang = make(chan struct{})
		m := h.mirror("a", of)
		m.o.Turns = everybody{}
		defer running(t, m)()
		defer close(of["birch"].hang)
		h.pass(10 * time.Second)
		of["acme"].publish(1, "Spring")
		h.pass(time.Minute)
		if got := h.title(eventID(1)); got != "Spring" {
			t.Errorf("cached %q", got)
		}
	})
}

// TestBudgetIsAsked before polls and hints alike.
func TestBudgetIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		m := h.mirror("a", one(s))
		m.o.Allow = func(turnout.OrgID) bool { return false }
		defer running(t, m)()
		h.pass(2 * time.Second)
		must(t, m.Hint(t.Context(), "acme", "event.updated", []string{string(eventID(1))}))
		h.pass(time.Hour)
		if n := s.total(); n != 0 {
			t.Errorf("%d calls without a budget", n)
		}
	})
}

// TestOneProcessPolls and the other takes over when it dies.
func TestOneProcessPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		a, b := h.mirror("a", one(s)), h.mirror("b", one(s))
		stopA := running(t, a)
		defer running(t, b)()
		h.pass(10 * time.Minute)
		if n := s.called("EventsSince"); n < 10 || n > 13 {
			t.Errorf("two processes polled %d times in ten minutes", n)
		}
		sa, _ := a.State("acme")
		if sb, _ := b.State("acme"); !sa.Polling || sb.Polling {
			t.Errorf("polling: %v and %v", sa.Polling, sb.Polling)
		}
		stopA()
		s.publish(1, "Spring")
		h.pass(time.Minute)
		if got := h.title(eventID(1)); got != "Spring" {
			t.Errorf("a minute after the other died: %q", got)
		}
	})
}

// TestOrgsComeAndGo while the mirror runs.
func TestOrgsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		of := map[turnout.OrgID]*salesforce{"acme": newSalesforce(), "birch": newSalesforce()}
		m := h.mirror("a", of)
		m.o.Turns = everybody{}
		defer running(t, m)()
		h.pass(time.Minute)
		h.mu.Lock()
		h.orgs = []turnout.Org{{ID: "birch"}}
		h.mu.Unlock()
		h.pass(orgsEvery + time.Second)
		acme, birch := of["acme"].total(), of["birch"].total()
		h.pass(10 * time.Minute)
		if of["acme"].total() != acme || of["birch"].total() == birch {
			t.Errorf("calls: acme %d more, birch %d more", of["acme"].total()-acme, of["birch"].total()-birch)
		}
		if _, ok := m.State("acme"); ok {
			t.Error("a removed org still has a state")
		}
	})
}

func FuzzHint(f *testing.F) {
	m := New(Options{})
	m.orgs["acme"] = newOrgMirror(&m.o, "acme")
	f.Add("event.published", "a0E000000000001AAA")
	f.Add("person.forgotten", "")
	f.Add("", "'); DROP TABLE x")
	f.Fuzz(func(t *testing.T, kind, id string) {
		err := m.Hint(t.Context(), "acme", kind, []string{id})
		if code := turnout.CodeOf(err); code != "" && code != turnout.CodeInvalid && code != turnout.CodeThrottled {
			t.Errorf("%q %q: %v", kind, id, err)
		}
		for _, ids := range m.orgs["acme"].queue {
			for id := range ids {
				if !validRecordID(id) {
					t.Errorf("%q waits to be fetched", id)
				}
			}
		}
	})
}

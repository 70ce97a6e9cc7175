package migration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

// shelf keeps orgs as a store does: each change in one step, under the time it is given.
type shelf struct {
	mu   sync.Mutex
	orgs map[turnout.OrgID]turnout.Org
	// before is called before each change, for what somebody else does meanwhile.
	before func(id turnout.OrgID)
	fault  error
}

func (s *shelf) fails(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = err
}

func (s *shelf) Orgs(context.Context) ([]turnout.Org, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []turnout.Org
	for _, id := range slices.Sorted(maps.Keys(s.orgs)) {
		all = append(all, s.orgs[id])
	}
	return all, s.fault
}

func (s *shelf) UpdateOrg(_ context.Context, id turnout.OrgID, change func(turnout.Org) (turnout.Org, error), _ time.Time) error {
	if s.before != nil {
		s.before(id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return s.fault
	}
	o, err := change(s.orgs[id])
	if err == nil {
		s.orgs[id] = o
	}
	return err
}

// stage is orgs a to h on blue, and a migration of them.
type stage struct {
	*testing.T
	*Migration
	*shelf
	now    time.Time
	others map[string]bool // what others have the turn for
	down   map[string]bool
	looked int
	log    bytes.Buffer
}

func onStage(t *testing.T) *stage {
	s := &stage{T: t, shelf: &shelf{orgs: map[turnout.OrgID]turnout.Org{}}, others: map[string]bool{}, down: map[string]bool{}}
	s.now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for _, id := range []turnout.OrgID{"a", "b", "c", "d", "e", "f", "g", "h"} {
		s.orgs[id] = turnout.Org{ID: id, Placement: turnout.Placement{Stack: "blue"}}
	}
	s.Migration = New(Options{
		Orgs: s.shelf, Now: func() time.Time { return s.now }, Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
		Turn:   func(_ context.Context, what string) (bool, error) { return !s.others[what], nil },
		Looked: func(context.Context) error { s.looked++; return nil },
		Ready: func(o turnout.Org, stack string) error {
			if s.down[stack] || s.down[string(o.ID)] {
				return fmt.Errorf("no instance of stack %s is up", stack)
			}
			return nil
		},
		First: "blue",
		Fits: func(_ turnout.Org, stack string) error {
			if stack != "blue" && stack != "green" && stack != "red" {
				return fmt.Errorf("there is no stack %s", stack)
			}
			return nil
		},
	})
	return s
}

// waves is a plan of a, then two, then all that are left.
func waves() Plan {
	return Plan{To: "green", Window: turnout.Night(), Pause: 12 * time.Hour, Waves: []Wave{{Orgs: []turnout.OrgID{"c"}}, {Count: 2}, {All: true}}}
}

func (s *stage) begin(p Plan) {
	s.Helper()
	if err := s.Plan(s.Context(), p); err != nil {
		s.Fatal(err)
	}
	if _, err := s.Start(s.Context()); err != nil {
		s.Fatal(err)
	}
}

// steps lets time pass by steps until something was asked n times, and lists who moved
// when.
func (s *stage) pass(d, step time.Duration) (moved []string) {
	s.Helper()
	for end := s.now.Add(d); s.now.Before(end); s.now = s.now.Add(step) {
		before := s.on("green")
		again, err := s.Step(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		after := s.on("green")
		if len(after)-len(before) > 1 || again != (len(after) > len(before)) {
			s.Errorf("a step moved %v to %v and says %t", before, after, again)
		}
		for _, id := range after {
			if !slices.Contains(before, id) {
				moved = append(moved, fmt.Sprintf("%s %s", id, s.now.Format("02 15:04")))
			}
		}
	}
	return moved
}

func (s *stage) on(stack string) (all []string) {
	for _, id := range slices.Sorted(maps.Keys(s.orgs)) {
		if s.orgs[id].Placement.Stack == stack {
			all = append(all, string(id))
		}
	}
	return all
}

func (s *stage) is(id turnout.OrgID, want turnout.MoveState) {
	s.Helper()
	if m := s.orgs[id].Move; m == nil || m.State != want {
		s.Errorf("%s is %+v, want %s", id, m, want)
	}
}

// P9: wave after wave, each in its night, one org at a time, and nothing before start.
func TestP9Waves(t *testing.T) {
	s := onStage(t)
	if err := s.Plan(t.Context(), waves()); err != nil {
		t.Fatal(err)
	}
	if got := s.pass(48*time.Hour, time.Hour); got != nil {
		t.Errorf("before the start: %v", got)
	}
	if n, err := s.Start(t.Context()); n != 8 || err != nil {
		t.Fatal(n, err)
	}
	got := s.pass(96*time.Hour, 20*time.Minute)
	want := []string{"c 30 01:00", "a 01 01:00", "b 01 01:20", "d 02 01:00", "e 02 01:20", "f 02 01:40", "g 02 02:00", "h 02 02:20"}
	if !slices.Equal(got, want) {
		t.Errorf("moved %v, want %v", got, want)
	}
	for id, o := range s.orgs {
		if o.Placement.Previous != "blue" || o.Move.State != turnout.MoveDone {
			t.Errorf("%s: %+v %+v", id, o.Placement, o.Move)
		}
	}
	if _, err := s.Start(t.Context()); turnout.CodeOf(err) != turnout.CodeConflict {
		t.Errorf("starting what is over: %v", err)
	}
}

// P9: a night that is too short for a wave goes on the next, and the wave after it
// waits from the last of it on.
func TestP9AWaveOfTwoNights(t *testing.T) {
	s := onStage(t)
	p := waves()
	p.Window, p.Pause = turnout.Window{Opens: 60, Closes: 120}, 24*time.Hour
	p.Waves = []Wave{{Count: 4}, {Count: 1}}
	s.begin(p)
	got := s.pass(96*time.Hour, 20*time.Minute)
	want := []string{"a 28 01:00", "b 28 01:20", "c 28 01:40", "d 29 01:00", "e 30 01:00"}
	if !slices.Equal(got, want) {
		t.Errorf("moved %v, want %v", got, want)
	}
}

// P9: each org's night is its own.
func TestP9OwnNights(t *testing.T) {
	s := onStage(t)
	for id, zone := range map[turnout.OrgID]string{"a": "America/New_York", "b": "Asia/Tokyo", "c": "Europe/Vienna", "d": "no such zone"} {
		o := s.orgs[id]
		o.Zone = zone
		s.orgs[id] = o
	}
	p := waves()
	p.Waves = []Wave{{Count: 4}}
	s.begin(p)
	got := s.pass(24*time.Hour, 30*time.Minute)
	want := []string{"b 27 16:00", "c 28 00:00", "d 28 01:00", "a 28 06:00"}
	if !slices.Equal(got, want) {
		t.Errorf("moved %v, want %v", got, want)
	}
}

// P9: nobody moves to a stack on which nobody is up; whoever looks sees why, the log
// says it once, and it goes on by itself.
func TestP9AStackThatIsNotReady(t *testing.T) {
	s := onStage(t)
	s.begin(waves())
	s.down["green"] = true
	if got := s.pass(24*time.Hour, 15*time.Minute); got != nil {
		t.Errorf("moved %v", got)
	}
	if m := s.orgs["c"].Move; m.Obstacle != "no instance of stack green is up" || m.State != turnout.MoveWaiting {
		t.Errorf("it says %+v", m)
	}
	if n := strings.Count(s.log.String(), "cannot be moved yet"); n != 1 {
		t.Errorf("the log says it %d times", n)
	}
	delete(s.down, "green")
	if got := s.pass(24*time.Hour, 15*time.Minute); !slices.Equal(got, []string{"c 29 01:00"}) {
		t.Errorf("then %v", got)
	}
	if m := s.orgs["c"].Move; m.Obstacle != "" {
		t.Errorf("it still says %+v", m)
	}
}

// P9: whoever has not got the turn moves nothing.
func TestP9OneMoves(t *testing.T) {
	s := onStage(t)
	s.begin(waves())
	s.others[moving] = true
	if got := s.pass(24*time.Hour, time.Hour); got != nil {
		t.Errorf("moved %v", got)
	}
}

// P9: a rollback is one step: what moved last goes back at once, nothing follows, and a
// start goes on with the others.
func TestP9Rollback(t *testing.T) {
	s := onStage(t)
	s.begin(waves())
	s.pass(48*time.Hour, 20*time.Minute) // waves 1 and 2
	if got := s.on("green"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Fatalf("on green are %v", got)
	}
	back, held, err := s.Rollback(t.Context(), Scope{})
	if err != nil || !slices.Equal(back, []turnout.OrgID{"a", "b"}) || len(held) != 5 {
		t.Errorf("back %v, held %v, %v", back, held, err)
	}
	if got := s.on("green"); !slices.Equal(got, []string{"c"}) || s.orgs["a"].Placement.Previous != "green" {
		t.Errorf("on green are %v; a is %+v", got, s.orgs["a"].Placement)
	}
	if got := s.pass(48*time.Hour, time.Hour); got != nil {
		t.Errorf("after it moved %v", got)
	}
	if n, err := s.Start(t.Context()); n != 5 || err != nil {
		t.Errorf("start: %d, %v", n, err)
	}
	s.pass(24*time.Hour, 20*time.Minute)
	if got := s.on("blue"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("then on blue are %v", got)
	}
	s.is("a", turnout.MoveBack)
	for _, want := range [][]turnout.OrgID{{"d", "e", "f", "g", "h"}, {"c"}} {
		if back, _, err := s.Rollback(t.Context(), Scope{}); err != nil || !slices.Equal(back, want) {
			t.Errorf("step by step: %v, %v, want %v", back, err, want)
		}
	}
	if back, _, err := s.Rollback(t.Context(), Scope{}); turnout.CodeOf(err) != turnout.CodeConflict {
		t.Errorf("with nothing left: %v, %v", back, err)
	}
}

// P9: one org goes back alone, or all do.
func TestP9RollbackOfOneOrAll(t *testing.T) {
	s := onStage(t)
	s.begin(waves())
	s.pass(48*time.Hour, 20*time.Minute)
	for id, want := range map[turnout.OrgID]string{"d": "waits, and was not moved yet", "nobody": "is not set up"} {
		if _, _, err := s.Rollback(t.Context(), Scope{Org: id}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", id, err)
		}
	}
	s.is("d", turnout.MoveWaiting) // a mistyped name stops nothing
	if back, held, err := s.Rollback(t.Context(), Scope{Org: "c"}); err != nil || !slices.Equal(back, []turnout.OrgID{"c"}) || len(held) != 5 {
		t.Errorf("one: %v, %v, %v", back, held, err)
	}
	if back, held, err := s.Rollback(t.Context(), Scope{All: true}); err != nil || !slices.Equal(back, []turnout.OrgID{"a", "b"}) || len(held) != 0 {
		t.Errorf("all: %v, %v, %v", back, held, err)
	}
	if got := s.on("green"); got != nil {
		t.Errorf("on green are %v", got)
	}
}

// P9: an org that is moved while the rollback begins goes back with the others, and one
// whose flag was about to go does not go afterwards.
func TestP9RollbackWhileOneMoves(t *testing.T) {
	s := onStage(t)
	s.begin(Plan{To: "green", Window: turnout.Window{Closes: 24 * 60}, Waves: []Wave{{All: true}}})
	due, err := s.Migration.Orgs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.before = func(id turnout.OrgID) { // an edge is between its look and its change
		s.before = nil
		if ok, err := s.change(t.Context(), id, turnout.Org.Cutover); !ok || err != nil {
			t.Error(ok, err)
		}
	}
	back, held, err := s.Rollback(t.Context(), Scope{})
	if err != nil || !slices.Equal(back, []turnout.OrgID{"a"}) || len(held) != 7 {
		t.Errorf("back %v, held %v, %v", back, held, err)
	}
	for _, o := range due {
		if ok, err := s.change(t.Context(), o.ID, cutover(o)); ok || err != nil {
			t.Errorf("%s moved after the rollback: %v", o.ID, err)
		}
	}
}

// P9: what a store that is away leaves undone is done when it is there again.
func TestP9AStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := onStage(t)
		s.o.Now = time.Now
		s.begin(Plan{To: "green", Window: turnout.Window{Closes: 24 * 60}, Waves: []Wave{{All: true}}})
		away := errors.New("the store is away")
		s.fails(away)
		if _, _, err := s.Rollback(t.Context(), Scope{}); !errors.Is(err, away) {
			t.Errorf("rollback: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Migration.Run(ctx) }()
		<-time.After(2 * time.Minute)
		synctest.Wait()
		if n := strings.Count(s.log.String(), "cannot go on"); n != 1 || len(s.on("green")) != 0 {
			t.Errorf("said %d times; on green are %v", n, s.on("green"))
		}
		s.fails(nil)
		<-time.After(look + 8*breath)
		synctest.Wait()
		if got := s.on("green"); len(got) != 8 {
			t.Errorf("on green are %v", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestPlanFaults(t *testing.T) {
	s := onStage(t)
	o := s.orgs["h"]
	o.Placement.Stack = "green"
	s.orgs["h"] = o
	p := waves()
	p.Waves = []Wave{{Orgs: []turnout.OrgID{"a", "nobody", "b", "b"}}, {Orgs: []turnout.OrgID{"a", "h"}}, {Count: 20}, {All: true}, {Count: 1}}
	err := s.Plan(t.Context(), p)
	if turnout.CodeOf(err) != turnout.CodeInvalid {
		t.Fatal(err)
	}
	for _, want := range []string{"wave 1: org nobody is not set up", "wave 2: org a is in wave 1, too", "wave 2: org h is on green already", "wave 1: org b is there twice", "wave 4: no org is left", "wave 5: no org is left"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
	for want, p := range map[string]Plan{
		"org a: there is no stack nowhere": {To: "nowhere", Window: turnout.Night(), Waves: []Wave{{Orgs: []turnout.OrgID{"a"}}}},
		"window: use two":                  {To: "green", Waves: []Wave{{All: true}}},
	} {
		if err := s.Plan(t.Context(), p); turnout.CodeOf(err) != turnout.CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if all, _ := s.Migration.Orgs(t.Context()); len(all) != 0 {
		t.Errorf("a faulty plan is kept: %v", all)
	}
}

// A plan takes the place of the one before, but not of one that is under way.
func TestPlanAgain(t *testing.T) {
	s := onStage(t)
	if err := s.Plan(t.Context(), waves()); err != nil {
		t.Fatal(err)
	}
	one := waves()
	one.Waves = []Wave{{Orgs: []turnout.OrgID{"e"}}}
	s.begin(one)
	if all, _ := s.Migration.Orgs(t.Context()); len(all) != 1 || all[0].ID != "e" {
		t.Errorf("planned are %v", all)
	}
	if err := s.Plan(t.Context(), waves()); turnout.CodeOf(err) != turnout.CodeConflict {
		t.Errorf("while one is under way: %v", err)
	}
	if _, _, err := s.Rollback(t.Context(), Scope{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Plan(t.Context(), waves()); err != nil {
		t.Errorf("after it was stopped: %v", err)
	}
	o := s.orgs["b"]
	o.Placement.Stack = "red"
	s.orgs["b"] = o
	if n, err := s.Start(t.Context()); turnout.CodeOf(err) != turnout.CodeConflict || n != 0 || !strings.Contains(err.Error(), "org b") {
		t.Errorf("with one elsewhere: %d, %v", n, err)
	}
	s.is("a", turnout.MovePlanned)
}

// What is expected is what happens.
func TestExpected(t *testing.T) {
	s := onStage(t)
	s.begin(waves())
	at := func(id turnout.OrgID) string {
		all, _ := s.Migration.Orgs(t.Context())
		when, ok := Expected(all, s.orgs[id], s.now)
		if !ok {
			return ""
		}
		return when.UTC().Format("02 15:04")
	}
	if at("c") != "28 01:00" || at("a") != "" {
		t.Errorf("c at %q, a at %q", at("c"), at("a"))
	}
	s.pass(14*time.Hour, time.Hour) // until two, c moved at one
	if at("c") != "" || at("a") != "29 01:00" {
		t.Errorf("then c at %q, a at %q", at("c"), at("a"))
	}
	s.pass(36*time.Hour, time.Hour)
	if at("d") != "30 01:00" || at("a") != "" {
		t.Errorf("then d at %q, a at %q", at("d"), at("a"))
	}
	s.now = time.Date(2026, 11, 30, 2, 30, 0, 0, time.UTC)
	if at("d") != "30 02:30" {
		t.Errorf("within the night d at %q", at("d"))
	}
}

// P9: a later plan leaves those alone that an earlier one moved, and their way back.
func TestP9PlansOnTopOfEachOther(t *testing.T) {
	s := onStage(t)
	one, rest := waves(), waves()
	one.Waves, rest.Waves = []Wave{{Orgs: []turnout.OrgID{"c"}}}, []Wave{{Count: 1}, {All: true}}
	s.begin(one)
	s.pass(24*time.Hour, time.Hour)
	s.begin(rest)
	s.is("c", turnout.MoveDone)
	if got := s.pass(96*time.Hour, 20*time.Minute); len(got) != 7 || got[0] != "a 29 01:00" {
		t.Errorf("moved %v", got)
	}
	for _, want := range [][]turnout.OrgID{{"b", "d", "e", "f", "g", "h"}, {"a"}, {"c"}} {
		if back, _, err := s.Rollback(t.Context(), Scope{}); err != nil || !slices.Equal(back, want) {
			t.Errorf("back went %v, %v, want %v", back, err, want)
		}
	}
}

// P9: the pause before a wave counts from whoever was moved last, by an earlier plan too.
func TestP9ThePauseAfterAnEarlierPlan(t *testing.T) {
	s := onStage(t)
	always := Plan{To: "green", Window: turnout.Window{Closes: 24 * 60}, Pause: time.Hour, Waves: []Wave{{Orgs: []turnout.OrgID{"c"}}}}
	s.begin(always)
	s.pass(time.Minute, time.Minute)
	always.Waves = []Wave{{Orgs: []turnout.OrgID{"a"}}}
	s.begin(always)
	if got := s.pass(2*time.Hour, 10*time.Minute); !slices.Equal(got, []string{"a 27 13:01"}) {
		t.Errorf("moved %v", got)
	}
}

// P9: whoever names no stack goes back to the one that was the first, whichever is the
// first by then.
func TestP9BackToTheFirstStack(t *testing.T) {
	s := onStage(t)
	o := s.orgs["a"]
	o.Placement.Stack = ""
	s.orgs["a"] = o
	s.begin(Plan{To: "green", Window: turnout.Window{Closes: 24 * 60}, Waves: []Wave{{Orgs: []turnout.OrgID{"a"}}}})
	s.pass(time.Minute, time.Minute)
	s.o.First = "green"
	if _, _, err := s.Rollback(t.Context(), Scope{}); err != nil || s.orgs["a"].Placement.Stack != "blue" {
		t.Errorf("a is at %+v, %v", s.orgs["a"].Placement, err)
	}
}

// P9: nobody goes back to a stack that is gone, unless told to; the migration stops all the
// same.
func TestP9BackToAStackThatIsGone(t *testing.T) {
	s := onStage(t)
	s.begin(waves())
	s.pass(24*time.Hour, time.Hour)
	s.o.Fits = func(_ turnout.Org, stack string) error { return fmt.Errorf("there is no stack %s", stack) }
	back, held, err := s.Rollback(t.Context(), Scope{})
	if turnout.CodeOf(err) != turnout.CodeConflict || !strings.Contains(err.Error(), "org c: there is no stack blue") || !strings.Contains(err.Error(), "--force") || len(back) != 0 || len(held) != 7 {
		t.Errorf("back %v, held %v, %v", back, held, err)
	}
	s.is("c", turnout.MoveDone)
	if back, _, err := s.Rollback(t.Context(), Scope{Force: true}); err != nil || !slices.Equal(back, []turnout.OrgID{"c"}) {
		t.Errorf("by force: %v, %v", back, err)
	}
}

// P9: who cannot be moved holds up nobody of the same wave, and somebody who was put
// elsewhere by hand neither.
func TestP9TheOthersOfAWaveGoOn(t *testing.T) {
	s := onStage(t)
	s.begin(Plan{To: "green", Window: turnout.Window{Closes: 24 * 60}, Pause: time.Hour, Waves: []Wave{{Orgs: []turnout.OrgID{"a", "b", "c"}}, {All: true}}})
	s.down["a"] = true
	o := s.orgs["b"]
	o.Placement.Stack = "red"
	s.orgs["b"] = o
	if got := s.pass(3*time.Hour, time.Minute); !slices.Equal(got, []string{"c 27 12:00"}) {
		t.Errorf("moved %v", got)
	}
	if a, b := s.orgs["a"].Move.Obstacle, s.orgs["b"].Move.Obstacle; a == "" || !strings.Contains(b, "another stack") {
		t.Errorf("a says %q, b %q", a, b)
	}
	if n := s.Standing(); n.Hindered != 2 || n.States[turnout.MoveDone] != 1 || n.States[turnout.MoveWaiting] != 7 {
		t.Errorf("it stands %+v", n)
	}
}

// P9: an edge that cannot reach a stack keeps no other one from moving orgs there: it
// takes the turn only to say so.
func TestP9WhoCannotMoveTakesNoTurn(t *testing.T) {
	s := onStage(t)
	s.begin(Plan{To: "green", Window: turnout.Window{Closes: 24 * 60}, Waves: []Wave{{Count: 1}}})
	var turns []string
	s.o.Turn = func(_ context.Context, what string) (bool, error) {
		turns = append(turns, what)
		return true, nil
	}
	s.down["green"] = true
	s.pass(10*time.Minute, time.Minute)
	if !slices.Equal(turns, []string{noting}) {
		t.Errorf("it took the turns %v", turns)
	}
	delete(s.down, "green")
	s.others[noting] = true
	s.pass(time.Minute, time.Minute)
	if !slices.Equal(turns, []string{noting, moving}) {
		t.Errorf("then %v", turns)
	}
}

// P9: what was decided holds when it is done: the night may be over by then, and the org
// in another plan.
func TestP9WhatWasSeenHolds(t *testing.T) {
	for name, meanwhile := range map[string]func(s *stage){
		"the night ends": func(s *stage) { s.now = s.now.Add(8 * time.Hour) },
		"another plan is": func(s *stage) {
			if _, _, err := s.Rollback(s.Context(), Scope{}); err != nil {
				s.Error(err)
			}
			p := waves()
			p.To = "red"
			s.begin(p)
		},
	} {
		s := onStage(t)
		s.begin(waves())
		s.now = time.Date(2026, 11, 28, 1, 0, 0, 0, time.UTC)
		s.o.Turn = func(context.Context, string) (bool, error) {
			meanwhile(s)
			return true, nil
		}
		if again, err := s.Step(t.Context()); again || err != nil || len(s.on("blue")) != 8 {
			t.Errorf("%s: %t, %v, on blue are %v", name, again, err, s.on("blue"))
		}
	}
}

// A plan that was begun to be kept while somebody starts the one before says so.
func TestPlanWhileOneStarts(t *testing.T) {
	s := onStage(t)
	if err := s.Plan(t.Context(), waves()); err != nil {
		t.Fatal(err)
	}
	s.before = func(turnout.OrgID) {
		s.before = nil
		if _, err := s.Start(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := s.Plan(t.Context(), waves()); turnout.CodeOf(err) != turnout.CodeConflict || !strings.Contains(err.Error(), "rollback") {
		t.Errorf("it says %v", err)
	}
}

// Finishing forgets, and moves nobody; not while somebody waits.
func TestFinish(t *testing.T) {
	s := onStage(t)
	s.begin(waves())
	s.pass(24*time.Hour, time.Hour)
	if _, err := s.Finish(t.Context()); turnout.CodeOf(err) != turnout.CodeConflict {
		t.Errorf("while some wait: %v", err)
	}
	if _, _, err := s.Rollback(t.Context(), Scope{Org: "c"}); err != nil {
		t.Fatal(err)
	}
	before := s.on("blue")
	if n, err := s.Finish(t.Context()); n != 8 || err != nil || !slices.Equal(s.on("blue"), before) {
		t.Errorf("%d, %v, on blue are %v", n, err, s.on("blue"))
	}
	if _, err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "begin with turnout migrate plan") {
		t.Errorf("afterwards: %v", err)
	}
}

// Starting twice says what is so.
func TestStartSaysWhatIsSo(t *testing.T) {
	s := onStage(t)
	s.begin(waves())
	if _, err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "under way already") {
		t.Errorf("twice: %v", err)
	}
	s.pass(120*time.Hour, 20*time.Minute)
	if _, err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "no org is left") {
		t.Errorf("when all are moved: %v", err)
	}
}

// Whoever waits is told that somebody looks, and nobody is while nobody waits.
func TestSomebodyLooks(t *testing.T) {
	s := onStage(t)
	s.pass(time.Hour, time.Minute)
	if s.looked != 0 {
		t.Errorf("with nobody waiting: %d", s.looked)
	}
	s.begin(waves())
	s.pass(time.Hour, time.Minute)
	if s.looked != 60 {
		t.Errorf("it looked %d times", s.looked)
	}
}

package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout"
)

func laneTests() map[string]func(*env) {
	return map[string]func(*env){
		"ListsWhatIsDue":                testLanesDue,
		"P4DueSince":                    testLanesDueSince,
		"P4OneHolderAtATime":            testLanesExclusive,
		"P4ManyClaimantsOneWins":        testLanesRace,
		"P1LateHolderChangesNothing":    testLanesFencing,
		"Renew":                         testLanesRenew,
		"NotBefore":                     testLanesNotBefore,
		"TakesLongestWaitingFirst":      testLanesTakeOrder,
		"SettleDone":                    testSettleDone,
		"SettleRetry":                   testSettleRetry,
		"SettleWhateverSalesforceSays":  testSettleForeignText,
		"SettleParkedAndUnpark":         testSettleParked,
		"P2DismissParked":               testDismiss,
		"ProgressAddsUp":                testProgress,
		"P1ChangedWhileUnderWayStays":   testSettleChangedMeanwhile,
		"SettleOfAnOrgNotThereIsNoLoss": testSettleUnknownOrg,
		"Turn":                          testTurn,
		"Errands":                       testErrands,
	}
}

// lanes lists what is due now.
func (e *env) lanes() []turnout.LaneStatus {
	e.Helper()
	all, err := e.Lanes(e.ctx, e.now, 100)
	e.ok(err)
	return due(all)
}

// due leaves out the lanes in which everything waits for another try.
func due(all []turnout.LaneStatus) []turnout.LaneStatus {
	return slices.DeleteFunc(all, func(l turnout.LaneStatus) bool { return l.Waiting == 0 || l.Resting })
}

// testLanesDueSince: one that waits for another try makes no other go early.
func testLanesDueSince(e *env) {
	e.publish(pools(50)...)
	stuck := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	lease := e.claim("one")
	again := e.now.Add(time.Hour)
	e.ok(e.Settle(e.ctx, lease, []turnout.Outcome{{Key: stuck.Key, Revision: 1, Result: turnout.ResultRetry, RetryAt: again}}, time.Time{}))
	fresh := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	if l := e.lanes(); len(l) != 1 || l[0].Waiting != 1 || !l[0].Due.Equal(fresh.ChangedAt) || !l[0].Oldest.Equal(stuck.ChangedAt) {
		e.Errorf("got %+v, want due since %v, the oldest of %v", l, fresh.ChangedAt, stuck.ChangedAt)
	}
	all, err := e.Lanes(e.ctx, again, 100)
	if e.ok(err); len(all) != 1 || all[0].Waiting != 2 || !all[0].Due.Equal(stuck.ChangedAt) {
		e.Errorf("once it is due again: %+v", all)
	}
}

// claim leases the one lane that is due.
func (e *env) claim(owner string) turnout.Lease {
	e.Helper()
	all := e.lanes()
	if len(all) != 1 {
		e.Fatalf("%d lanes are due, want 1", len(all))
	}
	lease, won, err := e.Claim(e.ctx, all[0].Lane, owner, e.now, time.Minute)
	if e.ok(err); !won {
		e.Fatal("the lane was not given")
	}
	return lease
}

func done(r turnout.Registration) turnout.Outcome {
	return turnout.Outcome{Key: r.Key, Revision: r.Revision, Status: r.Status, Result: turnout.ResultDone, Record: "a01-" + string(r.Key)}
}

// deliverAll delivers what is due.
func (e *env) deliverAll() {
	e.Helper()
	for _, l := range e.lanes() {
		lease, won, err := e.Claim(e.ctx, l.Lane, "all", e.now, time.Minute)
		if e.ok(err); !won {
			e.Fatal("the lane was not given")
		}
		batch, err := e.Take(e.ctx, lease, 1000, e.now)
		e.ok(err)
		var outcomes []turnout.Outcome
		for _, r := range batch {
			outcomes = append(outcomes, done(r.Registration))
		}
		e.ok(e.Settle(e.ctx, lease, outcomes, time.Time{}))
	}
}

func testLanesDue(e *env) {
	e.publish(pools(50)...)
	e.ok(e.SetLedger(e.ctx, turnout.Ledger{Org: acme, Event: picnic, Open: true, Pools: pools(50)}, e.now))
	if got := e.lanes(); len(got) != 0 {
		e.Fatalf("nothing was accepted, and %v is due", got)
	}
	var oldest time.Time
	for i := range 7 {
		a := e.submission(pools(1)...)
		if i == 0 {
			oldest = a.At
		}
		e.accept(a, turnout.StatusRegistered)
	}
	other := e.submission(pools(1)...)
	other.Event = picnic
	e.accept(other, turnout.StatusRegistered)
	got, err := e.Lanes(e.ctx, e.now, 5)
	e.ok(err)
	byEvent := map[turnout.EventID]turnout.LaneStatus{}
	for _, l := range got {
		byEvent[l.Event] = l
	}
	s, p := byEvent[summit], byEvent[picnic]
	if len(got) != 2 || s.Waiting != 5 || s.Org != acme || s.Leased || !s.Oldest.Equal(oldest) || p.Waiting != 1 || !p.Oldest.Equal(other.At) {
		e.Fatalf("got %+v; the oldest is of %v", got, oldest)
	}
	// What is not due yet is told all the same: it waits.
	if early, err := e.Lanes(e.ctx, start, 5); err != nil || len(early) != 2 || len(due(early)) != 0 {
		e.Errorf("before anything is due: %v, %v", early, err)
	}
	e.deliverAll()
	if left := e.lanes(); len(left) != 0 {
		e.Errorf("everything is delivered, and %v is due", left)
	}
}

func testLanesExclusive(e *env) {
	e.publish(pools(5)...)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	lease := e.claim("one")
	if got := e.lanes(); len(got) != 1 || !got[0].Leased {
		e.Errorf("got %+v, want it leased", got)
	}
	for _, owner := range []string{"one", "two"} {
		if _, won, err := e.Claim(e.ctx, lease.Lane, owner, lease.Until.Add(-time.Millisecond), time.Minute); err != nil || won {
			e.Errorf("%s claims a lane that is held: %v, %v", owner, won, err)
		}
	}
	next, won, err := e.Claim(e.ctx, lease.Lane, "two", lease.Until, time.Minute)
	if e.ok(err); !won || next.Fence <= lease.Fence || !next.Until.Equal(lease.Until.Add(time.Minute)) || next.Lane != lease.Lane {
		e.Errorf("after it expired: %v, %+v", won, next)
	}
}

func testLanesRace(e *env) {
	e.publish(pools(5)...)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	lane, now := e.lanes()[0].Lane, e.now
	other := e.again()
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		stores := [...]Store{e.Store, other}
		store := stores[i%2]
		wg.Go(func() {
			if _, ok, err := store.Claim(e.ctx, lane, fmt.Sprint(i), now, time.Minute); err != nil {
				e.Error(err)
			} else if ok {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		e.Errorf("%d claimants hold one lane", won.Load())
	}
}

func testLanesFencing(e *env) {
	e.publish(pools(5)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	late := e.claim("late")
	e.now = late.Until
	next := e.claim("next")
	e.code(e.Settle(e.ctx, late, []turnout.Outcome{done(r)}, e.now.Add(time.Hour)), turnout.CodeConflict)
	e.code(e.Renew(e.ctx, late, e.now.Add(time.Hour)), turnout.CodeConflict)
	if got := e.read(r.Key); got.Delivered != 0 || got.Due.IsZero() {
		e.Errorf("a late holder changed it: %+v", got)
	}
	e.ok(e.Settle(e.ctx, next, []turnout.Outcome{done(r)}, time.Time{}))
	e.code(e.Settle(e.ctx, next, []turnout.Outcome{done(r)}, time.Time{}), turnout.CodeConflict)
}

func testLanesRenew(e *env) {
	e.publish(pools(5)...)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	lease := e.claim("one")
	until := lease.Until.Add(time.Hour)
	e.ok(e.Renew(e.ctx, lease, until))
	if _, won, err := e.Claim(e.ctx, lease.Lane, "two", until.Add(-time.Millisecond), time.Minute); err != nil || won {
		e.Errorf("claimed in spite of a renewed lease: %v, %v", won, err)
	}
	e.ok(e.Settle(e.ctx, lease, nil, time.Time{}))
	e.code(e.Renew(e.ctx, lease, until), turnout.CodeConflict)
}

func testLanesNotBefore(e *env) {
	e.publish(pools(5)...)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	lease := e.claim("one")
	later := e.now.Add(time.Minute)
	e.ok(e.Settle(e.ctx, lease, nil, later))
	if got := e.lanes(); len(got) != 0 {
		e.Errorf("a lane that waits is due: %+v", got)
	}
	if all, err := e.Lanes(e.ctx, e.now, 5); err != nil || len(all) != 1 || !all[0].Resting || all[0].Oldest.IsZero() {
		e.Errorf("a lane that waits is told as %+v, %v", all, err)
	}
	if _, won, err := e.Claim(e.ctx, lease.Lane, "two", later.Add(-time.Millisecond), time.Minute); err != nil || won {
		e.Errorf("a lane that waits is given: %v, %v", won, err)
	}
	e.now = later
	e.claim("two")
}

func testLanesTakeOrder(e *env) {
	e.publish(pools(50)...)
	var want []turnout.Key
	for range 6 {
		want = append(want, e.accept(e.submission(pools(1)...), turnout.StatusRegistered).Key)
	}
	lease := e.claim("one")
	e.ok(e.Settle(e.ctx, lease, []turnout.Outcome{{Key: want[0], Revision: 1, Result: turnout.ResultRetry, RetryAt: e.tick()}}, time.Time{}))
	want = append(want[1:], want[0])
	lease = e.claim("one")
	batch, err := e.Take(e.ctx, lease, 4, e.now)
	if e.ok(err); len(batch) != 4 {
		e.Fatalf("took %d, want 4", len(batch))
	}
	for i, r := range batch {
		if r.Key != want[i] {
			e.Errorf("%d. is %s, want %s", i, r.Key, want[i])
		}
		key, err := e.DataKey(e.ctx, acme, r.Person)
		if e.ok(err); !bytes.Equal(r.Wrapped, key.Wrapped) {
			e.Errorf("%d. comes with another key than its person's", i)
		}
	}
	all, err := e.Take(e.ctx, lease, 100, e.now)
	if e.ok(err); len(all) != 6 || all[5].Key != want[5] {
		e.Errorf("took %d, the last is %v", len(all), all[len(all)-1].Key)
	}
}

func testErrands(e *env) {
	e.ok(e.AddErrands(e.ctx, acme, []string{"b", "a"}))
	e.ok(e.AddErrands(e.ctx, acme, []string{"b"}))
	e.ok(e.DoneErrands(e.ctx, acme, []string{"a", "never there"}))
	for org, want := range map[turnout.OrgID][]string{acme: {"b"}, "nobody": nil} {
		got, err := e.again().Errands(e.ctx, org)
		if e.ok(err); !slices.Equal(got, want) {
			e.Errorf("%s has the errands %v, want %v", org, got, want)
		}
	}
	e.code(e.AddErrands(e.ctx, "nobody", []string{"a"}), turnout.CodeNotFound)
}

func testTurn(e *env) {
	take := func(org turnout.OrgID, name, owner string, now time.Time, want bool) {
		e.Helper()
		got, err := e.Turn(e.ctx, org, name, owner, now, time.Minute)
		if e.ok(err); got != want {
			e.Errorf("%s asks for %s/%s: %v, want %v", owner, org, name, got, want)
		}
	}
	take(acme, "poll", "one", start, true)
	take(acme, "poll", "two", start.Add(59*time.Second), false)
	take(acme, "poll", "one", start.Add(59*time.Second), true)
	take(acme, "poll", "two", start.Add(61*time.Second), false)
	take(acme, "poll", "two", start.Add(119*time.Second), true)
	take(acme, "links", "one", start, true)
	take("beta", "poll", "one", start, true)
	take("", "files/a", "one", start, true) // of no org: the edges'
	take("", "files/a", "two", start, false)
	won, err := e.Turn(e.ctx, "", "files/a", "one", start, 0) // gives it back
	if e.ok(err); !won {
		e.Error("whoever has a turn cannot give it back")
	}
	take("", "files/a", "two", start, true)
}

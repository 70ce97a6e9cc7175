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

func testSettleDone(e *env) {
	e.publish(pools(5)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.deliverAll()
	got := e.read(r.Key)
	if got.Delivered != 1 || got.Record != "a01-"+string(r.Key) || !got.Due.IsZero() || got.State() != turnout.StateDelivered || !got.ChangedAt.Equal(r.ChangedAt) {
		e.Errorf("got %+v", got)
	}
}

func testSettleRetry(e *env) {
	e.publish(pools(5)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	retry := func(blameless bool, at time.Time) {
		e.Helper()
		o := turnout.Outcome{Key: r.Key, Revision: 1, Result: turnout.ResultRetry, RetryAt: at, Blameless: blameless}
		e.ok(e.Settle(e.ctx, e.claim("one"), []turnout.Outcome{o}, time.Time{}))
	}
	retry(false, e.now)
	retry(true, e.now)
	retry(false, e.now.Add(time.Minute))
	got := e.read(r.Key)
	if got.Attempts != 2 || !got.Due.Equal(e.now.Add(time.Minute)) || got.Delivered != 0 {
		e.Errorf("got %+v", got)
	}
	if due := e.lanes(); len(due) != 0 {
		e.Errorf("due before its time: %+v", due)
	}
	e.now = got.Due
	e.deliverAll()
	if got := e.read(r.Key); got.Attempts != 0 || got.Delivered != 1 {
		e.Errorf("got %+v", got)
	}
}

// testProgress counts those who hold a place, each in one step only.
func testProgress(e *env) {
	want := func(p turnout.Progress) {
		e.Helper()
		got, err := e.Progress(e.ctx, acme)
		if e.ok(err); got[summit] != p || len(got) > 1 {
			e.Errorf("progress is %+v, want %+v", got, p)
		}
	}
	want(turnout.Progress{})
	e.publish(pools(4)...)
	for range 3 {
		e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	}
	want(turnout.Progress{Registered: 3})
	lease := e.claim("a")
	batch, err := e.Take(e.ctx, lease, 3, e.now)
	e.ok(err)
	refused := turnout.Outcome{Key: batch[1].Key, Revision: 1, Result: turnout.ResultParked, Parked: &turnout.Parked{Code: "X", At: e.now}}
	e.ok(e.Settle(e.ctx, lease, []turnout.Outcome{done(batch[0].Registration), refused}, time.Time{}))
	want(turnout.Progress{Registered: 3, Delivered: 1, Parked: 1})
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.accept(e.waits(pools(1)...), turnout.StatusWaitlisted) // holds no place
	want(turnout.Progress{Registered: 4, Delivered: 1, Parked: 1, Waitlisted: 1})
	_, err = e.revise(batch[1].Key, func(v *turnout.Revision) { v.Source = turnout.SourceOperator })
	e.ok(err)
	want(turnout.Progress{Registered: 4, Delivered: 1, Dismissed: 1, Waitlisted: 1})
	if n, err := e.Unpark(e.ctx, acme, batch[1].Key, e.tick()); err != nil || n != 1 {
		e.Errorf("what was dismissed is sent again: %d, %v", n, err)
	}
	_, err = e.Unpark(e.ctx, acme, "", e.tick())
	e.ok(err)
	_, err = e.revise(batch[0].Key, func(v *turnout.Revision) { v.Sealed = []byte("changed") })
	e.ok(err)
	want(turnout.Progress{Registered: 4, Waitlisted: 1})
	e.deliverAll()
	want(turnout.Progress{Registered: 4, Delivered: 4, Waitlisted: 1})
	e.cancel(batch[2].Key) // whoever waited has the place now
	want(turnout.Progress{Registered: 4, Delivered: 3, Cancelled: 1})
	no := e.submission()
	no.Status = turnout.StatusDeclined
	e.accept(no, turnout.StatusDeclined)
	want(turnout.Progress{Registered: 4, Delivered: 3, Cancelled: 1, Declined: 1})
}

func testSettleParked(e *env) {
	e.publish(pools(5)...)
	var outcomes []turnout.Outcome
	var keys []turnout.Key
	why := turnout.Parked{Code: "STRING_TOO_LONG", Sealed: []byte("sealed sentence"), At: start}
	for range 3 {
		r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
		keys = append(keys, r.Key)
		outcomes = append(outcomes, turnout.Outcome{Key: r.Key, Revision: 1, Result: turnout.ResultParked, Parked: &why})
	}
	e.ok(e.Settle(e.ctx, e.claim("one"), outcomes, time.Time{}))
	if due := e.lanes(); len(due) != 0 {
		e.Errorf("parked, and due: %+v", due)
	}
	parked, err := e.Parked(e.ctx, acme, false, 2)
	e.ok(err)
	if len(parked) != 2 || parked[0].Key != keys[0] || parked[0].Parked.Code != why.Code || string(parked[0].Parked.Sealed) != "sealed sentence" || !parked[0].Parked.At.Equal(start) {
		e.Fatalf("parked: %+v", parked)
	}
	if parked[0].State() != turnout.StateParked || len(parked[0].Sealed) == 0 {
		e.Error("a parked registration does not keep its data")
	}
	e.stands(turnout.PoolEvent, 3, 0)
	for want, key := range map[int]turnout.Key{1: keys[1], 0: "nothing"} {
		if n, err := e.Unpark(e.ctx, acme, key, e.tick()); err != nil || n != want {
			e.Errorf("unpark %s: %d, %v; want %d", key, n, err, want)
		}
	}
	if n, err := e.Unpark(e.ctx, acme, "", e.tick()); err != nil || n != 2 {
		e.Errorf("unpark the rest: %d, %v", n, err)
	}
	if got := e.read(keys[0]); got.Parked != nil || got.Due.IsZero() {
		e.Errorf("after unpark: %+v", got)
	}
	e.deliverAll()
}

// testDismiss: what is dismissed is left alone. Cancelled with it, it gives its seats back
// and is told to Salesforce once, which may have it after all (P2).
func testDismiss(e *env) {
	e.publish(pools(3)...)
	why := turnout.Parked{Code: "STRING_TOO_LONG", At: start}
	park := func(r turnout.Registration) {
		e.Helper()
		o := turnout.Outcome{Key: r.Key, Revision: r.Revision, Result: turnout.ResultParked, Parked: &why}
		e.ok(e.Settle(e.ctx, e.claim("one"), []turnout.Outcome{o}, time.Time{}))
	}
	dismiss := func(key turnout.Key, to turnout.Status) turnout.Registration {
		e.Helper()
		r, err := e.revise(key, func(v *turnout.Revision) { v.Source, v.Status, v.Claims = turnout.SourceOperator, to, nil })
		e.ok(err)
		return r
	}
	kept := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	_, err := e.revise(kept.Key, func(v *turnout.Revision) { v.Source = turnout.SourceOperator })
	e.code(err, turnout.CodeNotFound) // it is not parked
	park(kept)
	if r := dismiss(kept.Key, turnout.StatusRegistered); r.Parked == nil || r.Parked.Code != why.Code || !r.Dismissed.Equal(e.now) || r.Revision != 1 || len(r.Claims) == 0 {
		e.Errorf("dismissed: %+v", r)
	}
	_, err = e.revise(kept.Key, func(v *turnout.Revision) {
		v.Source, v.Attendance = turnout.SourceSalesforce, turnout.AttendanceAttended
	})
	e.ok(err)
	if r := e.read(kept.Key); r.Parked == nil || r.Dismissed.IsZero() || !r.Due.IsZero() || r.Attendance != turnout.AttendanceAttended {
		e.Errorf("a change in Salesforce revives it: %+v", r)
	}
	spam := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	park(spam)
	e.stands(turnout.PoolEvent, 2, 0)
	told := dismiss(spam.Key, turnout.StatusCancelled)
	if told.Status != turnout.StatusCancelled || told.Revision != 2 || told.Due.IsZero() || told.Parked != nil {
		e.Errorf("Salesforce does not learn that it is cancelled: %+v", told)
	}
	e.stands(turnout.PoolEvent, 1, 0)
	park(told) // which it refuses, too
	known := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.deliverAll()
	changed, err := e.revise(known.Key, func(v *turnout.Revision) { v.Sealed = []byte("changed") })
	e.ok(err)
	park(changed)
	dismiss(known.Key, turnout.StatusCancelled)
	e.deliverAll()
	if r := e.read(known.Key); r.Delivered != 3 || !r.Dismissed.IsZero() {
		e.Errorf("delivered, and dismissed: %+v", r)
	}
	for dismissed, want := range map[bool][]turnout.Key{false: nil, true: {kept.Key, spam.Key}} {
		list, err := e.Parked(e.ctx, acme, dismissed, 10)
		e.ok(err)
		var keys []turnout.Key
		for _, r := range list {
			keys = append(keys, r.Key)
		}
		if !slices.Equal(keys, want) {
			e.Errorf("dismissed %t: %v, want %v", dismissed, keys, want)
		}
	}
	if n, err := e.Unpark(e.ctx, acme, "", e.tick()); err != nil || n != 0 {
		e.Errorf("all that is parked takes %d along, %v", n, err)
	}
	if n, err := e.Unpark(e.ctx, acme, kept.Key, e.tick()); err != nil || n != 1 {
		e.Errorf("sent again: %d, %v", n, err)
	}
	park(e.read(kept.Key))
	if r := e.read(kept.Key); r.Parked == nil || !r.Dismissed.IsZero() {
		e.Errorf("refused anew, and dismissed: %+v", r)
	}
}

func testSettleChangedMeanwhile(e *env) {
	e.publish(pools(9)...)
	for _, result := range []turnout.Result{turnout.ResultDone, turnout.ResultRetry, turnout.ResultParked} {
		r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
		lease := e.claim("one")
		e.cancel(r.Key)
		o := turnout.Outcome{Key: r.Key, Revision: 1, Result: result, Record: "a01", RetryAt: e.now.Add(time.Hour), Parked: &turnout.Parked{Code: "X", At: e.now}}
		e.ok(e.Settle(e.ctx, lease, []turnout.Outcome{o}, time.Time{}))
		got := e.read(r.Key)
		if got.Parked != nil || !got.Due.Equal(e.now) || got.Revision != 2 || (result == turnout.ResultDone) != (got.Delivered == 1) {
			e.Errorf("%s of an older revision: %+v", result, got)
		}
		e.deliverAll()
		if got := e.read(r.Key); got.Delivered != 2 || !got.Due.IsZero() {
			e.Errorf("a cancellation is not delivered: %+v", got)
		}
	}
}

// testSettleForeignText: what Salesforce answered is foreign text, and no byte of
// it keeps a batch from being settled.
func testSettleForeignText(e *env) {
	e.publish(pools(50)...)
	for i, text := range []string{"nul\x00byte", "not UTF-8: \xff\xfe", "\U0010FFFF", ""} {
		delivered, parked := e.accept(e.submission(pools(1)...), turnout.StatusRegistered), e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
		ok := done(delivered)
		ok.Record = text
		e.ok(e.Settle(e.ctx, e.claim("one"), []turnout.Outcome{ok,
			{Key: parked.Key, Revision: 1, Result: turnout.ResultParked, Parked: &turnout.Parked{Code: text, Sealed: []byte(text), At: e.now}}}, time.Time{}))
		if r := e.read(delivered.Key); r.Delivered != 1 || !r.Due.IsZero() {
			e.Errorf("%d: delivered, and rests as %+v", i, r)
		}
		if r := e.read(parked.Key); r.Parked == nil || string(r.Parked.Sealed) != text {
			e.Errorf("%d: parked, and rests as %+v", i, r)
		}
	}
}

func testSettleUnknownOrg(e *env) {
	e.publish(pools(5)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	lease := e.claim("one")
	wrong := lease
	wrong.Org = "nobody"
	e.code(e.Settle(e.ctx, wrong, []turnout.Outcome{done(r)}, time.Time{}), turnout.CodeNotFound)
	e.ok(e.Settle(e.ctx, lease, []turnout.Outcome{done(r)}, time.Time{}))
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

package storetest

import (
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

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

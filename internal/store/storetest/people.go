package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

func peopleTests() map[string]func(*env) {
	return map[string]func(*env){
		"FirstDataKeyStays":            testDataKeysFirstStays,
		"DataKeysInOrder":              testDataKeysAfter,
		"Rewrap":                       testRewrap,
		"P8Forget":                     testForget,
		"P8ForgetPromotesTheWaitlist":  testForgetPromotes,
		"P2ForgetTellsSalesforce":      testForgetDelivered,
		"P2ForgetLeavesWhatIsOnItsWay": testForgetCancelling,
		"P2ForgetDuringADelivery":      testForgetUnderWay,
		"P8ForgetSomebodyUnknown":      testForgetUnknown,
		"P8ForgottenMayComeBack":       testForgottenComesBack,
		"P8DestroyedKeyStaysDestroyed": testDestroyedKey,
		"P8ForgottenIsNotCachedAgain":  testForgottenNotCached,
		"P8ForgetLeavesOthersAlone":    testForgetOthers,
		"P8ShredOnlyWhatIsOverAndDone": testShred,
	}
}

func testDataKeysFirstStays(e *env) {
	first, err := e.EnsureDataKeys(e.ctx, acme, []turnout.DataKey{person(1), person(2)})
	e.ok(err)
	other := turnout.DataKey{Person: person(1).Person, Wrapped: []byte("another")}
	again, err := e.EnsureDataKeys(e.ctx, acme, []turnout.DataKey{person(3), other})
	e.ok(err)
	for i, want := range []turnout.DataKey{person(1), person(2)} {
		if first[i].Person != want.Person || !bytes.Equal(first[i].Wrapped, want.Wrapped) {
			e.Errorf("%d. key is not the one handed in", i)
		}
	}
	if again[0].Person != person(3).Person || !bytes.Equal(again[1].Wrapped, person(1).Wrapped) {
		e.Error("the first key of a person does not stay")
	}
	_, err = e.DataKey(e.ctx, acme, person(9).Person)
	e.code(err, turnout.CodeForgotten)
}

func testDataKeysAfter(e *env) {
	var want []turnout.DataKey
	for i := range 25 {
		want = append(want, person(i))
	}
	_, err := e.EnsureDataKeys(e.ctx, acme, want)
	e.ok(err)
	slices.SortFunc(want, func(a, b turnout.DataKey) int { return bytes.Compare(a.Person[:], b.Person[:]) })
	var got []turnout.DataKey
	var after turnout.PersonID
	for {
		page, err := e.DataKeysAfter(e.ctx, acme, after, 10)
		e.ok(err)
		if len(page) == 0 {
			break
		}
		got, after = append(got, page...), page[len(page)-1].Person
	}
	same := func(a, b turnout.DataKey) bool { return a.Person == b.Person && bytes.Equal(a.Wrapped, b.Wrapped) }
	if !slices.EqualFunc(got, want, same) {
		e.Errorf("got %d keys, want %d in order", len(got), len(want))
	}
}

func testRewrap(e *env) {
	_, err := e.EnsureDataKeys(e.ctx, acme, []turnout.DataKey{person(1)})
	e.ok(err)
	wrapped := []byte("wrapped anew")
	e.ok(e.Rewrap(e.ctx, acme, []turnout.Rewrapped{{DataKey: person(1), Anew: wrapped}, {DataKey: person(2), Anew: wrapped}}))
	key, err := e.DataKey(e.ctx, acme, person(1).Person)
	if e.ok(err); !bytes.Equal(key.Wrapped, wrapped) {
		e.Error("not replaced")
	}
	// Somebody who was forgotten and came back meanwhile has another key.
	e.ok(e.Rewrap(e.ctx, acme, []turnout.Rewrapped{{DataKey: person(1), Anew: []byte("of a destroyed key")}}))
	key, err = e.DataKey(e.ctx, acme, person(1).Person)
	if e.ok(err); !bytes.Equal(key.Wrapped, wrapped) {
		e.Error("a key that had changed was replaced")
	}
	_, err = e.DataKey(e.ctx, acme, person(2).Person)
	e.code(err, turnout.CodeForgotten)
}

func testForget(e *env) {
	e.publish(pools(9)...)
	var held []turnout.Acceptance
	for i := range 3 {
		a := e.submission(pools(2)...)
		a.DataKey, a.Link = person(1), link(i+1)
		e.accept(a, turnout.StatusRegistered)
		held = append(held, a)
	}
	e.cancel(held[2].Key)
	before, err := e.LastChange(e.ctx)
	e.ok(err)
	got, err := e.Forget(e.ctx, acme, person(1).Person, e.tick())
	if e.ok(err); got != (turnout.Forgotten{Keys: 1, Registrations: 3, SeatsReturned: 4}) {
		e.Errorf("got %+v", got)
	}
	e.stands(turnout.PoolEvent, 0, 0)
	for _, a := range held {
		r := e.read(a.Key)
		if r.Status != turnout.StatusCancelled || r.Sealed != nil || !r.Link.IsZero() || !r.Person.IsZero() || r.Fingerprint != (turnout.Fingerprint{}) || !r.Due.IsZero() || r.Delivered != r.Revision {
			e.Errorf("is left: %+v", r)
		}
		if _, found, err := e.LinkRegistration(e.ctx, acme, a.Link); err != nil || found {
			e.Errorf("the link still finds it: %v, %v", found, err)
		}
	}
	_, err = e.DataKey(e.ctx, acme, person(1).Person)
	e.code(err, turnout.CodeForgotten)
	if due := e.lanes(); len(due) != 0 {
		e.Errorf("due after forgetting: %+v", due)
	}
	e.told(before, turnout.Change{Kind: turnout.ChangePerson, Org: acme, ID: person(1).Person.String(), At: e.now})
	_, err = e.revise(held[0].Key, func(v *turnout.Revision) { v.Sealed = []byte("sealed") })
	e.code(err, turnout.CodeForgotten)
	again, err := e.Forget(e.ctx, acme, person(1).Person, e.tick())
	if e.ok(err); again != (turnout.Forgotten{}) {
		e.Errorf("a second time: %+v", again)
	}
}

// told expects one change since a sequence number.
func (e *env) told(after int64, want turnout.Change) {
	e.Helper()
	got, err := e.Changes(e.ctx, after, 10)
	e.ok(err)
	want.Seq = after + 1
	if len(got) != 1 || got[0] != want {
		e.Errorf("the feed says %+v, want %+v", got, want)
	}
}

func testForgetPromotes(e *env) {
	e.publish(pools(1)...)
	first := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	gone := e.accept(e.waits(pools(1)...), turnout.StatusWaitlisted)
	next := e.accept(e.waits(pools(1)...), turnout.StatusWaitlisted)
	got, err := e.Forget(e.ctx, acme, gone.Person, e.tick())
	if e.ok(err); got.Registrations != 1 || got.SeatsReturned != 0 { // a place in line is no seat
		e.Errorf("got %+v", got)
	}
	e.stands(turnout.PoolEvent, 1, 1)
	_, err = e.Forget(e.ctx, acme, first.Person, e.tick())
	e.ok(err)
	e.status(next.Key, turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 1, 0)
}

// testForgetDelivered: Salesforce has the registration and hears that it is
// cancelled. Nothing that it still says gives the forgotten person a seat again.
func testForgetDelivered(e *env) {
	e.publish(pools(1)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.deliverAll()
	_, err := e.Forget(e.ctx, acme, r.Person, e.tick())
	e.ok(err)
	_, err = e.revise(r.Key, func(v *turnout.Revision) {
		v.Status, v.Source = turnout.StatusRegistered, turnout.SourceSalesforce
	})
	e.code(err, turnout.CodeForgotten)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 1, 0)
	got := e.read(r.Key)
	if got.Status != turnout.StatusCancelled || got.Told != turnout.StatusRegistered || got.Revision != 2 || got.Delivered != 1 || got.Due.IsZero() || got.Sealed != nil {
		e.Errorf("rests as %+v, want its cancellation due", got)
	}
	if due, err := e.Take(e.ctx, e.claim("one"), 10, e.now); err != nil || !slices.ContainsFunc(due, func(d turnout.DueRegistration) bool { return d.Key == r.Key && d.Wrapped == nil }) {
		e.Errorf("due are %+v, %v; want its cancellation among them, and without a key", due, err)
	}
	e.now = e.now.Add(time.Hour) // and the lease is over
	e.deliverAll()
	if got := e.read(r.Key); got.Delivered != 2 || !got.Due.IsZero() {
		e.Errorf("delivered as %+v", got)
	}
	e.ok(e.Resend(e.ctx, acme, r.Key, e.tick()))
	if got := e.read(r.Key); got.Due.IsZero() {
		e.Error("it cannot be told again")
	}
}

// testForgetCancelling: Salesforce hears of a cancellation that was on its way when its
// registrant was forgotten.
func testForgetCancelling(e *env) {
	e.publish(pools(1)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.deliverAll()
	e.cancel(r.Key)
	_, err := e.Forget(e.ctx, acme, r.Person, e.tick())
	e.ok(err)
	if got := e.read(r.Key); got.Told != turnout.StatusRegistered || got.Due.IsZero() || got.Sealed != nil {
		e.Errorf("rests as %+v, want its cancellation due", got)
	}
	e.deliverAll()
	if got := e.read(r.Key); got.Told != turnout.StatusCancelled || !got.Due.IsZero() || got.Delivered != got.Revision {
		e.Errorf("delivered as %+v", got)
	}
}

// testForgetUnderWay: Salesforce registers somebody who is forgotten before its reply
// comes, and hears of it, whatever was read from it meanwhile.
func testForgetUnderWay(e *env) {
	for name, meanwhile := range map[string]func(turnout.Key){
		"":           func(turnout.Key) {},
		"cancelled":  e.cancel,
		"and resent": func(key turnout.Key) {},
	} {
		e.publish(pools(100)...)
		r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
		lease := e.claim("one")
		due, err := e.Take(e.ctx, lease, 10, e.now)
		if e.ok(err); len(due) != 1 {
			e.Fatalf("%d are due, want 1", len(due))
		}
		meanwhile(r.Key)
		_, err = e.Forget(e.ctx, acme, r.Person, e.tick())
		e.ok(err)
		if name == "and resent" {
			e.ok(e.Resend(e.ctx, acme, r.Key, e.tick()))
		}
		e.ok(e.Settle(e.ctx, lease, []turnout.Outcome{done(due[0].Registration)}, time.Time{}))
		if got := e.read(r.Key); got.Status != turnout.StatusCancelled || got.Told != turnout.StatusRegistered || got.Record == "" || got.Due.IsZero() {
			e.Errorf("%s: rests as %+v, want its cancellation due", name, got)
		}
		e.deliverAll()
		if got := e.read(r.Key); got.Told != turnout.StatusCancelled || !got.Due.IsZero() || got.Delivered != got.Revision {
			e.Errorf("%s: delivered as %+v", name, got)
		}
	}
}

func testForgetUnknown(e *env) {
	got, err := e.Forget(e.ctx, acme, person(1).Person, e.tick())
	if e.ok(err); got != (turnout.Forgotten{}) {
		e.Errorf("got %+v", got)
	}
	keys, err := e.EnsureDataKeys(e.ctx, acme, []turnout.DataKey{person(1)})
	if e.ok(err); keys[0].Wrapped != nil {
		e.Error("somebody who was forgotten before being known gets a key")
	}
	_, err = e.Forget(e.ctx, "nobody", person(1).Person, e.now)
	e.code(err, turnout.CodeNotFound)
}

// testDestroyedKey hands in a key that was read before its person was forgotten.
func testDestroyedKey(e *env) {
	e.publish(pools(3)...)
	a := e.submission(pools(1)...)
	e.accept(a, turnout.StatusRegistered)
	stored, err := e.DataKey(e.ctx, acme, a.DataKey.Person)
	if e.ok(err); !stored.Stored {
		e.Error("a key that was read does not say so")
	}
	_, err = e.Forget(e.ctx, acme, a.DataKey.Person, e.tick())
	e.ok(err)
	late := e.submission(pools(1)...)
	late.DataKey = stored
	_, err = e.Accept(e.ctx, late)
	e.code(err, turnout.CodeForgotten)
	_, err = e.DataKey(e.ctx, acme, a.DataKey.Person)
	e.code(err, turnout.CodeForgotten)
	e.stands(turnout.PoolEvent, 0, 0)
}

func testForgottenComesBack(e *env) {
	e.publish(pools(1)...)
	a := e.submission(pools(1)...)
	a.Link, a.OncePerPerson = link(1), true
	e.accept(a, turnout.StatusRegistered)
	_, err := e.Forget(e.ctx, acme, a.DataKey.Person, e.tick())
	e.ok(err)
	b := e.submission(pools(1)...)
	b.Link, b.OncePerPerson = link(1), true
	b.DataKey = turnout.DataKey{Person: a.DataKey.Person, Wrapped: []byte("a new key")}
	e.accept(b, turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 1, 0)
	e.refuse(a, turnout.CodeReused)
	got, err := e.Forget(e.ctx, acme, a.DataKey.Person, e.tick())
	if e.ok(err); got != (turnout.Forgotten{Keys: 1, Registrations: 1, SeatsReturned: 1}) {
		e.Errorf("the second time: %+v", got)
	}
}

func testForgottenNotCached(e *env) {
	_, err := e.EnsureDataKeys(e.ctx, acme, []turnout.DataKey{person(1), person(2)})
	e.ok(err)
	_, err = e.Forget(e.ctx, acme, person(1).Person, e.tick())
	e.ok(err)
	keys, err := e.EnsureDataKeys(e.ctx, acme, []turnout.DataKey{person(1), person(2)})
	if e.ok(err); keys[0].Wrapped != nil || keys[0].Person != person(1).Person || keys[1].Wrapped == nil {
		e.Errorf("got %+v", keys)
	}
	_, err = e.DataKey(e.ctx, acme, person(1).Person)
	e.code(err, turnout.CodeForgotten)
}

func testForgetOthers(e *env) {
	e.ok(e.SetOrg(e.ctx, turnout.Org{ID: "beta", Mapping: "turnout"}, []byte("s"), start))
	_, err := e.EnsureDataKeys(e.ctx, "beta", []turnout.DataKey{person(1)})
	e.ok(err)
	e.publish(pools(5)...)
	mine, other := e.submission(pools(1)...), e.submission(pools(1)...)
	mine.DataKey = person(1)
	e.accept(mine, turnout.StatusRegistered)
	kept := e.accept(other, turnout.StatusRegistered)
	_, err = e.Forget(e.ctx, acme, person(1).Person, e.tick())
	e.ok(err)
	if got := e.read(kept.Key); got.Sealed == nil || got.Status != turnout.StatusRegistered {
		e.Errorf("somebody else's is now %+v", got)
	}
	if _, err := e.DataKey(e.ctx, "beta", person(1).Person); err != nil {
		e.Errorf("another org's key of the same index: %v", err)
	}
}

func testShred(e *env) {
	ends := start.Add(time.Hour)
	e.ok(e.SetLedger(e.ctx, turnout.Ledger{Org: acme, Event: summit, Open: true, Ends: ends, Pools: pools(50)}, start))
	e.ok(e.SetLedger(e.ctx, turnout.Ledger{Org: acme, Event: picnic, Open: true, Pools: pools(50)}, start))
	var keys []turnout.Key
	for i := range 5 {
		a := e.submission(pools(1)...)
		if i == 4 {
			a.Event = picnic
		}
		keys = append(keys, e.accept(a, turnout.StatusRegistered).Key)
	}
	e.deliverAll()
	late := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	shred := func(before time.Time, limit, want int) {
		e.Helper()
		if n, err := e.Shred(e.ctx, acme, before, limit); err != nil || n != want {
			e.Errorf("shredded %d, %v; want %d", n, err, want)
		}
	}
	shred(ends, 10, 0)
	shred(ends.Add(time.Millisecond), 3, 3)
	shred(ends.Add(time.Millisecond), 3, 1)
	shred(ends.Add(time.Millisecond), 3, 0)
	for i, key := range keys {
		if sealed := e.read(key).Sealed; (sealed == nil) != (i < 4) {
			e.Errorf("%s has sealed %v", key, fmt.Sprintf("%q", sealed))
		}
	}
	if e.read(late.Key).Sealed == nil {
		e.Error("shredded before it was delivered")
	}
	e.deliverAll()
	shred(ends.Add(time.Hour), 10, 1)
	e.stands(turnout.PoolEvent, 5, 0)
	// What is parked waits for a person; what that person dismissed does not.
	_, err := e.revise(late.Key, func(v *turnout.Revision) { v.Sealed = []byte("anew") })
	e.ok(err)
	lease := e.claim("one")
	e.ok(e.Settle(e.ctx, lease, []turnout.Outcome{{Key: late.Key, Revision: 2, Result: turnout.ResultParked, Parked: &turnout.Parked{Code: "X", Sealed: []byte("says"), At: start}}}, time.Time{}))
	shred(ends.Add(time.Hour), 10, 0)
	_, err = e.revise(late.Key, func(v *turnout.Revision) { v.Source = turnout.SourceOperator })
	e.ok(err)
	shred(ends.Add(time.Hour), 10, 1)
	if r := e.read(late.Key); r.Parked == nil || r.Parked.Sealed != nil {
		e.Errorf("P8: what Salesforce said of it outlives it: %+v", r.Parked)
	}
	if n, err := e.Unpark(e.ctx, acme, late.Key, e.tick()); err != nil || n != 0 {
		e.Errorf("what says nothing any more is sent again: %d, %v", n, err)
	}
}

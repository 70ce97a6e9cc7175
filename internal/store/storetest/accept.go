package storetest

import (
	"bytes"
	"context"
	"reflect"
	"time"

	"github.com/turnout-events/turnout"
)

func acceptTests() map[string]func(*env) {
	return map[string]func(*env){
		"ReadsBackAsAccepted":             testAcceptReadsBack,
		"UnknownEventIsNotFound":          testAcceptUnknownEvent,
		"WindowEdges":                     testAcceptWindow,
		"FullTakesNothing":                testAcceptFull,
		"P2AllPoolsOrNone":                testAcceptAllOrNothing,
		"P1RepeatByKey":                   testAcceptRepeatByKey,
		"ReusedKey":                       testAcceptReused,
		"RepeatByLink":                    testAcceptRepeatByLink,
		"DeclineAndChangeOfMind":          testAcceptDecline,
		"DeclineUntilTheEventEnds":        testAcceptDeclineWindow,
		"OncePerPerson":                   testAcceptOnce,
		"OtherDataKeyIsAnswered":          testAcceptOtherDataKey,
		"ARefusedPersonLeavesNoKey":       testAcceptRefusedLeavesNoKey,
		"OneRefusalTakesNobodyElseAlong":  testAcceptRefusalAlone,
		"P1WhatComesLateIsNotTaken":       testAcceptLate,
		"RegistrationOfNobodyIsNotFound":  testRegistrationNotFound,
		"KeysOfOrgsAreTheirOwn":           testAcceptOrgsApart,
		"LatestRegistrationOfALinkIsRead": testLinkRegistrationLatest,
	}
}

func testAcceptReadsBack(e *env) {
	e.publish(pools(10, ticket("std", 10), agenda("talk", 5))...)
	a := e.submission(pools(2, ticket("std", 2), agenda("talk", 2))...)
	a.Link, a.At = link(1), start.Add(1234567*time.Microsecond)
	got := e.accept(a, turnout.StatusRegistered)
	want := turnout.Registration{
		Org: acme, Event: summit, Key: a.Key, Fingerprint: a.Fingerprint, Person: a.DataKey.Person, Link: a.Link,
		Status: turnout.StatusRegistered, Claims: a.Claims, Sealed: a.Sealed, Revision: 1,
		Due: start.Add(1234 * time.Millisecond), AcceptedAt: start.Add(1234 * time.Millisecond), ChangedAt: start.Add(1234 * time.Millisecond),
	}
	if !reflect.DeepEqual(got, want) {
		e.Errorf("answered %+v\nwant %+v", got, want)
	}
	if read := e.read(a.Key); !reflect.DeepEqual(read, want) {
		e.Errorf("reads back as %+v\nwant %+v", read, want)
	}
	for _, c := range a.Claims {
		e.stands(c.Pool, 2, 0)
	}
	key, err := e.DataKey(e.ctx, acme, a.DataKey.Person)
	if e.ok(err); !bytes.Equal(key.Wrapped, a.DataKey.Wrapped) {
		e.Error("another data key rests than was handed in")
	}
}

func testAcceptUnknownEvent(e *env) {
	e.refuse(e.submission(pools(1)...), turnout.CodeNotFound)
	a := e.submission(pools(1)...)
	a.Org = "nobody"
	e.refuse(a, turnout.CodeNotFound)
}

func testAcceptWindow(e *env) {
	opens, closes := start.Add(time.Hour), start.Add(2*time.Hour)
	e.ok(e.SetLedger(e.ctx, turnout.Ledger{Org: acme, Event: summit, Open: true, Opens: opens, Closes: closes, Pools: pools(9)}, start))
	at := func(when time.Time) turnout.Acceptance {
		a := e.submission(pools(1)...)
		a.At = when
		return a
	}
	e.refuse(at(opens.Add(-time.Millisecond)), turnout.CodeClosed)
	e.accept(at(opens), turnout.StatusRegistered)
	e.accept(at(closes.Add(-time.Millisecond)), turnout.StatusRegistered)
	e.refuse(at(closes), turnout.CodeClosed)
}

func testAcceptFull(e *env) {
	e.publish(pools(2)...)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.refuse(e.submission(pools(2)...), turnout.CodeFull)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	a := e.submission(pools(1)...)
	e.refuse(a, turnout.CodeFull)
	_, err := e.Registration(e.ctx, acme, a.Key)
	e.code(err, turnout.CodeNotFound)
}

func testAcceptAllOrNothing(e *env) {
	e.publish(pools(10, ticket("std", 10), agenda("talk", 2))...)
	e.accept(e.submission(pools(1, ticket("std", 1), agenda("talk", 1))...), turnout.StatusRegistered)
	e.refuse(e.submission(pools(2, ticket("std", 2), agenda("talk", 2))...), turnout.CodeFull)
	e.refuse(e.submission(pools(1, ticket("std", 1), agenda("gone", 1))...), turnout.CodeStale)
	e.stands(turnout.PoolEvent, 1, 0)
	e.stands(turnout.PoolTicket("std"), 1, 0)
	e.stands(turnout.PoolAgenda("talk"), 1, 0)
}

func testAcceptRepeatByKey(e *env) {
	e.publish(pools(1)...)
	a := e.submission(pools(1)...)
	first := e.accept(a, turnout.StatusRegistered)
	a.At = e.tick()
	for range 3 {
		got, err := e.Accept(e.ctx, a)
		e.ok(err)
		if !got.Repeat || !reflect.DeepEqual(got.Registration, first) {
			e.Fatalf("a repeat answers %+v", got)
		}
	}
	e.stands(turnout.PoolEvent, 1, 0)
	e.cancel(a.Key)
	got, err := e.Accept(e.ctx, a)
	if e.ok(err); !got.Repeat || got.Registration.Status != turnout.StatusCancelled {
		e.Errorf("a repeat after cancelling answers %+v", got)
	}
	e.stands(turnout.PoolEvent, 0, 0)
}

func testAcceptReused(e *env) {
	e.publish(pools(5)...)
	e.ok(e.SetLedger(e.ctx, turnout.Ledger{Org: acme, Event: picnic, Open: true, Pools: pools(5)}, e.now))
	a := e.submission(pools(1)...)
	e.accept(a, turnout.StatusRegistered)
	other := a
	other.Fingerprint = turnout.Fingerprint{9, 9, 9}
	e.refuse(other, turnout.CodeReused)
	elsewhere := a
	elsewhere.Event = picnic
	e.refuse(elsewhere, turnout.CodeReused)
	stranger := other
	stranger.DataKey = person(77)
	e.refuse(stranger, turnout.CodeReused)
	_, err := e.DataKey(e.ctx, acme, stranger.DataKey.Person)
	e.code(err, turnout.CodeForgotten)
}

func testAcceptRepeatByLink(e *env) {
	e.publish(pools(5)...)
	a := e.submission(pools(1)...)
	a.Link = link(1)
	first := e.accept(a, turnout.StatusRegistered)
	b := e.submission(pools(2)...)
	b.Link = link(1)
	got, err := e.Accept(e.ctx, b)
	if e.ok(err); !got.Repeat || got.Registration.Key != first.Key {
		e.Fatalf("a second submission through a link answers %+v", got)
	}
	e.stands(turnout.PoolEvent, 1, 0)
	e.cancel(first.Key)
	e.accept(b, turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 2, 0)
}

func testAcceptDecline(e *env) {
	e.publish(pools(1)...)
	decline := e.submission()
	decline.Status, decline.Link = turnout.StatusDeclined, link(1)
	e.accept(decline, turnout.StatusDeclined)
	e.stands(turnout.PoolEvent, 0, 0)
	again := e.submission()
	again.Status, again.Link = turnout.StatusDeclined, link(1)
	if got, err := e.Accept(e.ctx, again); err != nil || !got.Repeat {
		e.Fatalf("declining twice: %+v, %v", got, err)
	}
	come := e.submission(pools(1)...)
	come.Link = link(1)
	e.accept(come, turnout.StatusRegistered)
	late := e.submission()
	late.Status, late.Link = turnout.StatusDeclined, link(1)
	if got, err := e.Accept(e.ctx, late); err != nil || !got.Repeat || got.Registration.Key != come.Key {
		e.Fatalf("declining with a registration: %+v, %v", got, err)
	}
	e.stands(turnout.PoolEvent, 1, 0)
	full := e.submission()
	full.Status, full.Link = turnout.StatusDeclined, link(2)
	e.accept(full, turnout.StatusDeclined)
}

// Who is not coming may say so before registration opens, after it closed and
// while the event is unpublished: until it has ended.
func testAcceptDeclineWindow(e *env) {
	opens, ends := start.Add(time.Hour), start.Add(3*time.Hour)
	led := turnout.Ledger{Org: acme, Event: summit, Open: true, Opens: opens, Closes: opens.Add(time.Hour), Ends: ends, Pools: pools(0)}
	declines := 0
	at := func(when time.Time) turnout.Acceptance {
		declines++
		a := e.submission()
		a.Status, a.Link, a.At = turnout.StatusDeclined, link(declines), when
		return a
	}
	e.refuse(at(start), turnout.CodeNotFound)
	e.ok(e.SetLedger(e.ctx, led, start))
	early := at(start)
	e.accept(early, turnout.StatusDeclined)
	e.accept(at(opens), turnout.StatusDeclined)
	e.accept(at(led.Closes), turnout.StatusDeclined)
	e.accept(at(ends.Add(-time.Millisecond)), turnout.StatusDeclined)
	e.refuse(at(ends), turnout.CodeClosed)
	early.At = ends
	if got, err := e.Accept(e.ctx, early); err != nil || !got.Repeat {
		e.Fatalf("the same decline again after the end: %+v, %v", got, err)
	}
	e.ok(e.CloseLedger(e.ctx, acme, summit, opens))
	e.accept(at(opens), turnout.StatusDeclined)
	e.stands(turnout.PoolEvent, 0, 0)
}

func testAcceptOnce(e *env) {
	e.publish(pools(5)...)
	a, b := e.submission(pools(1)...), e.submission(pools(1)...)
	a.OncePerPerson, b.OncePerPerson = true, true
	b.DataKey = a.DataKey
	e.accept(a, turnout.StatusRegistered)
	e.refuse(b, turnout.CodeConflict)
	if got, err := e.Accept(e.ctx, a); err != nil || !got.Repeat {
		e.Fatalf("the same submission again: %+v, %v", got, err)
	}
	e.cancel(a.Key)
	e.accept(b, turnout.StatusRegistered)
	c := e.submission(pools(1)...)
	c.DataKey = a.DataKey
	e.accept(c, turnout.StatusRegistered) // where the event allows it
}

func testAcceptOtherDataKey(e *env) {
	e.publish(pools(5)...)
	a := e.submission(pools(1)...)
	e.accept(a, turnout.StatusRegistered)
	b := e.submission(pools(1)...)
	b.DataKey = turnout.DataKey{Person: a.DataKey.Person, Wrapped: []byte("another key for the same person")}
	got, err := e.Accept(e.ctx, b)
	e.ok(err)
	if got.DataKey == nil || got.DataKey.Person != a.DataKey.Person || !bytes.Equal(got.DataKey.Wrapped, a.DataKey.Wrapped) {
		e.Fatalf("got %+v, want the first key", got.DataKey)
	}
	_, err = e.Registration(e.ctx, acme, b.Key)
	e.code(err, turnout.CodeNotFound)
	e.stands(turnout.PoolEvent, 1, 0)
	b.DataKey = *got.DataKey
	e.accept(b, turnout.StatusRegistered)
}

func testAcceptRefusedLeavesNoKey(e *env) {
	e.publish(pools(0)...)
	a := e.submission(pools(1)...)
	e.refuse(a, turnout.CodeFull)
	_, err := e.DataKey(e.ctx, acme, a.DataKey.Person)
	e.code(err, turnout.CodeForgotten)
}

// overdue is a context whose time is up and that nobody has ended yet, as in a process
// that was stopped while a registration waited for its turn.
type overdue struct{ context.Context } //nolint:containedctx // it is one

func (overdue) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

// P1: whoever was told of a seat that there is none, since the registration still waited
// elsewhere, is not registered afterwards.
func testAcceptLate(e *env) {
	e.publish(pools(1)...)
	a := e.submission(pools(1)...)
	_, err := e.Accept(overdue{e.ctx}, a)
	e.code(err, turnout.CodeUnavailable)
	e.stands(turnout.PoolEvent, 0, 0)
	_, err = e.Accept(e.ctx, a) // the same key, sent again
	e.ok(err)
	_, err = e.Revise(overdue{e.ctx}, turnout.Revision{Org: acme, Key: a.Key, From: 1, Status: turnout.StatusCancelled, At: e.tick()})
	e.code(err, turnout.CodeUnavailable)
	e.stands(turnout.PoolEvent, 1, 0)
}

// One commit carries many callers; what refuses one of them is its own affair.
func testAcceptRefusalAlone(e *env) {
	e.publish(pools(20)...)
	answers := make(chan error, 60)
	for i := range 60 {
		a := e.submission(pools(1)...)
		if i%3 == 0 {
			a.Event = picnic
		}
		go func() {
			_, err := e.Accept(e.ctx, a)
			answers <- err
		}()
	}
	count := map[turnout.Code]int{}
	for range 60 {
		count[turnout.CodeOf(<-answers)]++
	}
	if count[""] != 20 || count[turnout.CodeFull] != 20 || count[turnout.CodeNotFound] != 20 {
		e.Errorf("got %v", count)
	}
	e.stands(turnout.PoolEvent, 20, 0)
}

func testRegistrationNotFound(e *env) {
	_, err := e.Registration(e.ctx, acme, "nothing")
	e.code(err, turnout.CodeNotFound)
	_, found, err := e.LinkRegistration(e.ctx, acme, link(9))
	if e.ok(err); found {
		e.Error("found a registration of an unused link")
	}
}

func testAcceptOrgsApart(e *env) {
	e.ok(e.SetOrg(e.ctx, turnout.Org{ID: "beta", Mapping: "turnout"}, []byte("s"), start))
	e.publish(pools(5)...)
	e.ok(e.SetLedger(e.ctx, turnout.Ledger{Org: "beta", Event: summit, Open: true, Pools: pools(5)}, e.now))
	a := e.submission(pools(1)...)
	e.accept(a, turnout.StatusRegistered)
	a.Org, a.Fingerprint = "beta", turnout.Fingerprint{7}
	e.accept(a, turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 1, 0)
	r, err := e.Registration(e.ctx, "beta", a.Key)
	if e.ok(err); r.Org != "beta" || r.Fingerprint != a.Fingerprint {
		e.Errorf("read %+v", r)
	}
}

func testLinkRegistrationLatest(e *env) {
	e.publish(pools(5)...)
	first := e.submission(pools(1)...)
	first.Link = link(1)
	e.accept(first, turnout.StatusRegistered)
	e.cancel(first.Key)
	second := e.submission(pools(1)...)
	second.Link = link(1)
	e.accept(second, turnout.StatusRegistered)
	r, found, err := e.LinkRegistration(e.ctx, acme, link(1))
	if e.ok(err); !found || r.Key != second.Key {
		e.Errorf("got %v, %v; want the second", r.Key, found)
	}
}

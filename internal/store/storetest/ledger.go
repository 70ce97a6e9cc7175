package storetest

import (
	"time"

	"github.com/turnout-events/turnout"
)

func ledgerTests() map[string]func(*env) {
	return map[string]func(*env){
		"SetAndRead":                       testLedgerSetAndRead,
		"ClosedTakesNobody":                testLedgerClosed,
		"UnknownEventIsClosedWithoutFuss":  testLedgerCloseUnknown,
		"UnknownOrgIsNotFound":             testLedgerUnknownOrg,
		"PoolsComeAndGo":                   testLedgerPoolsComeAndGo,
		"P2LoweredLimitWaitsForSeats":      testLedgerLowered,
		"P2OutsidePeopleTakeSeats":         testLedgerOutside,
		"OutsideOfEventsNotCountedRemains": testLedgerOutsideOthers,
		"EventsKeepTheirOwnCounts":         testLedgerEventsApart,
	}
}

func testLedgerSetAndRead(e *env) {
	e.publish(pools(10, ticket("std", 8), agenda("talk", turnout.Unlimited))...)
	want := turnout.Seatings{
		turnout.PoolEvent:          {Pool: turnout.PoolEvent, Limit: 10},
		turnout.PoolTicket("std"):  {Pool: turnout.PoolTicket("std"), Limit: 8},
		turnout.PoolAgenda("talk"): {Pool: turnout.PoolAgenda("talk"), Limit: turnout.Unlimited},
	}
	got := e.seats()
	if len(got) != len(want) {
		e.Fatalf("got %v, want %v", got, want)
	}
	for pool, w := range want {
		if got[pool] != w {
			e.Errorf("got %+v, want %+v", got[pool], w)
		}
	}
	if all, err := e.Seatings(e.ctx, "nobody"); err != nil || len(all) != 0 {
		e.Errorf("an unknown org has %v, %v", all, err)
	}
}

func testLedgerClosed(e *env) {
	e.publish(pools(10)...)
	first := e.submission(pools(1)...)
	e.accept(first, turnout.StatusRegistered)
	e.ok(e.CloseLedger(e.ctx, acme, summit, e.tick()))
	e.refuse(e.submission(pools(1)...), turnout.CodeClosed)
	e.stands(turnout.PoolEvent, 1, 0)
	again, err := e.Accept(e.ctx, first)
	e.ok(err)
	if !again.Repeat {
		e.Error("what was accepted before the event closed is not a repeat any more")
	}
	e.publish(pools(10)...)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
}

func testLedgerCloseUnknown(e *env) {
	e.ok(e.CloseLedger(e.ctx, acme, picnic, e.now))
}

func testLedgerUnknownOrg(e *env) {
	e.code(e.SetLedger(e.ctx, turnout.Ledger{Org: "nobody", Event: summit, Open: true}, e.now), turnout.CodeNotFound)
}

// Seats that were taken in a pool count again when it is back.
func testLedgerPoolsComeAndGo(e *env) {
	e.publish(pools(10, ticket("std", 2))...)
	seats := pools(1, ticket("std", 1))
	e.accept(e.submission(seats...), turnout.StatusRegistered)
	e.publish(pools(10)...)
	if _, shown := e.seats()[turnout.PoolTicket("std")]; shown {
		e.Error("a pool that was removed still shows")
	}
	e.refuse(e.submission(seats...), turnout.CodeStale)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.publish(pools(10, ticket("std", 2))...)
	e.stands(turnout.PoolTicket("std"), 1, 0)
	e.accept(e.submission(seats...), turnout.StatusRegistered)
	e.refuse(e.submission(seats...), turnout.CodeFull)
}

func testLedgerLowered(e *env) {
	e.publish(pools(5)...)
	var held []turnout.Key
	for range 5 {
		held = append(held, e.accept(e.submission(pools(1)...), turnout.StatusRegistered).Key)
	}
	e.publish(pools(3)...)
	e.stands(turnout.PoolEvent, 5, 0)
	if free := e.seats()[turnout.PoolEvent].Free(); free != 0 {
		e.Errorf("%d free in an overfull pool", free)
	}
	for _, key := range held[:2] {
		e.refuse(e.submission(pools(1)...), turnout.CodeFull)
		e.cancel(key)
	}
	e.refuse(e.submission(pools(1)...), turnout.CodeFull)
	e.cancel(held[2])
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.refuse(e.submission(pools(1)...), turnout.CodeFull)
	e.publish(pools(0)...)
	for _, key := range held[3:] {
		e.cancel(key)
	}
	e.refuse(e.submission(pools(1)...), turnout.CodeFull)
	e.publish(pools(turnout.Unlimited)...)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
}

func testLedgerOutside(e *env) {
	e.publish(pools(3)...)
	first := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	byHand := func(n int) []turnout.HandCount {
		return []turnout.HandCount{{Event: summit, Pool: turnout.PoolEvent, Seats: n}}
	}
	e.ok(e.SetOutside(e.ctx, acme, byHand(2), []turnout.EventID{summit}, e.tick()))
	if got := e.seats()[turnout.PoolEvent]; got.Outside != 2 || got.Taken != 1 {
		e.Fatalf("got %+v", got)
	}
	e.refuse(e.submission(pools(1)...), turnout.CodeFull)
	e.ok(e.SetOutside(e.ctx, acme, byHand(7), []turnout.EventID{summit}, e.tick()))
	e.cancel(first.Key)
	e.refuse(e.submission(pools(1)...), turnout.CodeFull)
	waiting := e.accept(e.waits(pools(1)...), turnout.StatusWaitlisted)
	e.ok(e.SetOutside(e.ctx, acme, nil, []turnout.EventID{summit}, e.tick()))
	e.status(waiting.Key, turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 1, 0)
}

func testLedgerOutsideOthers(e *env) {
	e.publish(pools(3)...)
	count := []turnout.HandCount{{Event: summit, Pool: turnout.PoolEvent, Seats: 2}}
	e.ok(e.SetOutside(e.ctx, acme, count, []turnout.EventID{summit}, e.tick()))
	e.ok(e.SetOutside(e.ctx, acme, nil, []turnout.EventID{picnic}, e.tick()))
	if got := e.seats()[turnout.PoolEvent].Outside; got != 2 {
		e.Errorf("%d outside, want 2", got)
	}
}

func testLedgerEventsApart(e *env) {
	e.publish(pools(1)...)
	e.ok(e.SetLedger(e.ctx, turnout.Ledger{Org: acme, Event: picnic, Open: true, Closes: start.Add(time.Hour), Pools: pools(1)}, e.now))
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	other := e.submission(pools(1)...)
	other.Event = picnic
	e.accept(other, turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 1, 0)
}

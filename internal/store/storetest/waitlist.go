package storetest

import (
	"time"

	"github.com/turnout-events/turnout"
)

func waitlistTests() map[string]func(*env) {
	return map[string]func(*env){
		"NobodyOvertakes":                      testWaitlistNobodyOvertakes,
		"CancelPromotesFirstComeFirstServed":   testWaitlistFIFO,
		"ALargePartyIsNotOvertaken":            testWaitlistLargeParty,
		"WaitingForOnePoolKeepsNobodyFromRest": testWaitlistOtherPools,
		"LeavingTheLineLetsOthersUp":           testWaitlistLeave,
		"MoreSeatsPromote":                     testWaitlistMoreSeats,
		"AnEditMayMakeItFit":                   testWaitlistEdit,
		"ClosedEventsPromoteNobody":            testWaitlistClosed,
		"AClosedEventStillCountsItsLine":       testWaitlistClosedLine,
		"ARemovedPoolIsNotWaitedFor":           testWaitlistRemovedPool,
		"EventsThatAreOverPromoteNobody":       testWaitlistOver,
	}
}

func testWaitlistNobodyOvertakes(e *env) {
	e.publish(pools(2)...)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.accept(e.waits(pools(2)...), turnout.StatusWaitlisted)
	e.stands(turnout.PoolEvent, 1, 2)
	e.refuse(e.submission(pools(1)...), turnout.CodeFull)
	e.accept(e.waits(pools(1)...), turnout.StatusWaitlisted)
	e.stands(turnout.PoolEvent, 1, 3)
}

func testWaitlistFIFO(e *env) {
	e.publish(pools(1)...)
	holder := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	var line []turnout.Registration
	for range 3 {
		line = append(line, e.accept(e.waits(pools(1)...), turnout.StatusWaitlisted))
	}
	e.deliverAll()
	for _, next := range line {
		e.cancel(holder.Key)
		got := e.read(next.Key)
		if got.Status != turnout.StatusRegistered || got.Revision != 2 || !got.Due.Equal(e.now) || !got.ChangedAt.Equal(e.now) {
			e.Fatalf("next in line is %+v; want it registered and due", got)
		}
		holder = got
	}
	e.stands(turnout.PoolEvent, 1, 0)
}

func testWaitlistLargeParty(e *env) {
	e.publish(pools(10, ticket("a", 3), ticket("b", 1))...)
	a := func(n int) []turnout.Claim { return pools(n, ticket("a", n)) }
	first := e.accept(e.submission(a(2)...), turnout.StatusRegistered)
	second := e.accept(e.submission(a(1)...), turnout.StatusRegistered)
	large := e.accept(e.waits(a(2)...), turnout.StatusWaitlisted)
	small := e.accept(e.waits(a(1)...), turnout.StatusWaitlisted)
	e.cancel(second.Key)
	e.status(large.Key, turnout.StatusWaitlisted)
	e.status(small.Key, turnout.StatusWaitlisted)
	e.cancel(first.Key)
	e.status(large.Key, turnout.StatusRegistered)
	e.status(small.Key, turnout.StatusRegistered)
	e.stands(turnout.PoolTicket("a"), 3, 0)
}

func testWaitlistOtherPools(e *env) {
	e.publish(pools(10, ticket("vip", 1), ticket("std", 9), agenda("talk", 1))...)
	vip, std := pools(1, ticket("vip", 1)), pools(1, ticket("std", 1))
	talk := pools(1, ticket("std", 1), agenda("talk", 1))
	e.accept(e.submission(vip...), turnout.StatusRegistered)
	e.accept(e.submission(talk...), turnout.StatusRegistered)
	e.accept(e.waits(vip...), turnout.StatusWaitlisted)
	e.accept(e.waits(talk...), turnout.StatusWaitlisted)
	e.stands(turnout.PoolEvent, 2, 0)
	e.stands(turnout.PoolTicket("vip"), 1, 1)
	e.stands(turnout.PoolTicket("std"), 1, 0)
	e.stands(turnout.PoolAgenda("talk"), 1, 1)
	for range 8 {
		e.accept(e.submission(std...), turnout.StatusRegistered)
	}
	e.refuse(e.submission(std...), turnout.CodeFull)
}

func testWaitlistLeave(e *env) {
	e.publish(pools(3)...)
	e.accept(e.submission(pools(2)...), turnout.StatusRegistered)
	large := e.accept(e.waits(pools(2)...), turnout.StatusWaitlisted)
	small := e.accept(e.waits(pools(1)...), turnout.StatusWaitlisted)
	e.cancel(large.Key)
	e.status(small.Key, turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 3, 0)
}

func testWaitlistMoreSeats(e *env) {
	e.publish(pools(1)...)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	var line []turnout.Key
	for range 3 {
		line = append(line, e.accept(e.waits(pools(1)...), turnout.StatusWaitlisted).Key)
	}
	e.publish(pools(3)...)
	e.status(line[0], turnout.StatusRegistered)
	e.status(line[1], turnout.StatusRegistered)
	e.status(line[2], turnout.StatusWaitlisted)
	e.stands(turnout.PoolEvent, 3, 1)
	e.publish(pools(turnout.Unlimited)...)
	e.status(line[2], turnout.StatusRegistered)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
}

func testWaitlistEdit(e *env) {
	e.publish(pools(2)...)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	large := e.accept(e.waits(pools(2)...), turnout.StatusWaitlisted)
	got, err := e.revise(large.Key, func(v *turnout.Revision) { v.Sealed = []byte("other answers") })
	if e.ok(err); got.Status != turnout.StatusWaitlisted {
		e.Fatalf("got %s", got.Status)
	}
	got, err = e.revise(large.Key, func(v *turnout.Revision) { v.Claims, v.Status = pools(1), turnout.StatusRegistered })
	if e.ok(err); got.Status != turnout.StatusRegistered || got.Revision != e.read(large.Key).Revision {
		e.Fatalf("got %+v, want it registered as it rests", got)
	}
	e.stands(turnout.PoolEvent, 2, 0)
}

func testWaitlistClosed(e *env) {
	e.publish(pools(1)...)
	holder := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	waiting := e.accept(e.waits(pools(1)...), turnout.StatusWaitlisted)
	e.ok(e.CloseLedger(e.ctx, acme, summit, e.tick()))
	e.cancel(holder.Key)
	e.status(waiting.Key, turnout.StatusWaitlisted)
	e.publish(pools(1)...)
	e.status(waiting.Key, turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 1, 0)
}

// Whoever tidies up the attendance of an event registers nobody who never came.
func testWaitlistOver(e *env) {
	ends := e.now.Add(time.Hour)
	e.ok(e.SetLedger(e.ctx, turnout.Ledger{Org: acme, Event: summit, Open: true, Ends: ends, Pools: pools(1)}, e.tick()))
	holder := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	waiting := e.accept(e.waits(pools(1)...), turnout.StatusWaitlisted)
	e.now = ends
	_, err := e.revise(holder.Key, func(v *turnout.Revision) {
		v.Status, v.Source = turnout.StatusCancelled, turnout.SourceSalesforce
	})
	e.ok(err)
	e.status(waiting.Key, turnout.StatusWaitlisted)
	e.stands(turnout.PoolEvent, 0, 0) // whoever waits is short of nothing
}

func testWaitlistRemovedPool(e *env) {
	e.publish(pools(5, agenda("talk", 0))...)
	waiting := e.accept(e.waits(pools(1, agenda("talk", 1))...), turnout.StatusWaitlisted)
	e.publish(pools(5)...)
	e.status(waiting.Key, turnout.StatusRegistered)
	e.publish(pools(5, agenda("talk", 0))...)
	e.stands(turnout.PoolAgenda("talk"), 1, 0)
}

// While an event is closed, whoever waits gets no seats though they are free, and
// nobody is to take more than those: who grew once leaves the line nothing to lose.
func testWaitlistClosedLine(e *env) {
	e.publish(pools(4)...)
	one := e.accept(e.submission(pools(2)...), turnout.StatusRegistered)
	two := e.accept(e.submission(pools(2)...), turnout.StatusRegistered)
	e.accept(e.waits(pools(3)...), turnout.StatusWaitlisted)
	e.ok(e.SetLedger(e.ctx, turnout.Ledger{Org: acme, Event: summit, Pools: pools(8)}, e.tick()))
	e.stands(turnout.PoolEvent, 4, 0) // closed, and there are seats for all
	grow := func(key turnout.Key) error {
		_, err := e.revise(key, func(v *turnout.Revision) { v.Claims = pools(4) })
		return err
	}
	e.ok(grow(one.Key))
	e.stands(turnout.PoolEvent, 6, 3)
	e.code(grow(two.Key), turnout.CodeFull)
}

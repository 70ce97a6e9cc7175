package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout"
)

// races is how often two processes meet; each time at another person or link.
const races = 150

// meet runs all of them at once.
func meet(all ...func()) {
	gate := make(chan struct{})
	var wg sync.WaitGroup
	for _, one := range all {
		wg.Go(func() {
			<-gate
			one()
		})
	}
	close(gate)
	wg.Wait()
}

// testForgetRaces lets somebody be forgotten while their registration is being
// taken under their stored key: nothing of it may rest sealed, or hold a seat.
func testForgetRaces(e *env) {
	e.publish(pools(turnout.Unlimited)...)
	other := e.again()
	for range races {
		a := e.submission(pools(1)...)
		_, err := e.EnsureDataKeys(e.ctx, acme, []turnout.DataKey{a.DataKey})
		e.ok(err)
		a.DataKey.Stored = true
		var accepted, forgotten error
		meet(
			func() { _, accepted = e.Accept(e.ctx, a) },
			func() { _, forgotten = other.Forget(e.ctx, acme, a.DataKey.Person, e.now) },
		)
		e.ok(forgotten)
		if turnout.CodeOf(accepted) == turnout.CodeForgotten {
			continue
		}
		e.ok(accepted)
		if r := e.read(a.Key); r.Sealed != nil || !r.Person.IsZero() || r.Status != turnout.StatusCancelled {
			e.Fatalf("P8: forgotten, and rests as %+v", r)
		}
	}
	e.stands(turnout.PoolEvent, 0, 0)
}

// testOneLinkTwoEvents sends two forms of one link, for two events, through two
// processes: the link has one answer, and both hear it.
func testOneLinkTwoEvents(e *env) {
	e.publish(pools(turnout.Unlimited)...)
	e.ok(e.SetLedger(e.ctx, turnout.Ledger{Org: acme, Event: picnic, Open: true, Pools: pools(turnout.Unlimited)}, e.now))
	stores := []Store{e.Store, e.again()}
	for n := range races {
		one, two := e.submission(pools(1)...), e.submission(pools(1)...)
		_, err := e.EnsureDataKeys(e.ctx, acme, []turnout.DataKey{one.DataKey, two.DataKey})
		e.ok(err)
		one.Link, two.Link, two.Event = link(n+1), link(n+1), picnic
		var got [2]turnout.Accepted
		var errs [2]error
		meet(
			func() { got[0], errs[0] = stores[0].Accept(e.ctx, one) },
			func() { got[1], errs[1] = stores[1].Accept(e.ctx, two) },
		)
		e.ok(errs[0])
		e.ok(errs[1])
		if got[0].Repeat == got[1].Repeat || got[0].Registration.Key != got[1].Registration.Key {
			e.Fatalf("P1: one link is answered with %s (repeat %v) and %s (repeat %v)", got[0].Registration.Key, got[0].Repeat, got[1].Registration.Key, got[1].Repeat)
		}
	}
}

// testOneKeyForEachPerson lets several who know nothing of each other make a key
// for the same new person: one is kept, and the others are told which.
func testOneKeyForEachPerson(e *env) {
	e.publish(pools(turnout.Unlimited)...)
	e.ok(e.SetLedger(e.ctx, turnout.Ledger{Org: acme, Event: picnic, Open: true, Pools: pools(turnout.Unlimited)}, e.now))
	stores := []Store{e.Store, e.again()}
	const together = 6
	for n := range races / together {
		who := person(1000 + n).Person
		var all []func()
		var kept sync.Map
		var first atomic.Int64
		for i := range together {
			a := e.submission(pools(1)...)
			a.DataKey = turnout.DataKey{Person: who, Wrapped: fmt.Appendf(nil, "key %d of %d", i, n)}
			if i%2 == 1 {
				a.Event = picnic
			}
			all = append(all, func() {
				got, err := stores[i%2].Accept(e.ctx, a)
				if err == nil && got.DataKey != nil {
					a.DataKey = *got.DataKey
					got, err = stores[i%2].Accept(e.ctx, a)
				} else {
					first.Add(1)
				}
				if err != nil || got.DataKey != nil || got.Repeat {
					e.Errorf("got %+v, %v", got, err)
				}
				kept.Store(string(a.DataKey.Wrapped), true)
			})
		}
		meet(all...)
		keys := 0
		kept.Range(func(any, any) bool { keys++; return true })
		if keys != 1 || first.Load() != 1 {
			e.Fatalf("P8: %d keys of one person are in use, %d callers made one", keys, first.Load())
		}
	}
}

// testTurnRace lets many ask for the same turn at once.
func testTurnRace(e *env) {
	stores := []Store{e.Store, e.again()}
	for n := range races / 10 {
		var won atomic.Int64
		var all []func()
		for i := range 8 {
			all = append(all, func() {
				got, err := stores[i%2].Turn(e.ctx, acme, fmt.Sprint("turn ", n), fmt.Sprint("owner ", i), e.now, time.Minute)
				if err != nil {
					e.Error(err)
				}
				if got {
					won.Add(1)
				}
			})
		}
		meet(all...)
		if won.Load() != 1 {
			e.Fatalf("%d have the turn", won.Load())
		}
	}
}

// testFeedSkipsNobody: nobody who reads the feed is ever shown a number before
// every smaller one.
func testFeedSkipsNobody(e *env) {
	stores := []Store{e.Store, e.again(), e.again()}
	const each = 60
	last, err := e.LastChange(e.ctx)
	e.ok(err)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, s := range stores {
		wg.Go(func() {
			for i := range each {
				if err := s.AppendChanges(e.ctx, []turnout.Change{{Kind: turnout.ChangeEvent, Org: acme, ID: fmt.Sprint(i), At: start}}); err != nil {
					e.Error(err)
				}
			}
		})
	}
	for after := last; after < last+int64(each*len(stores)) && !e.Failed(); {
		page, err := e.Changes(e.ctx, after, 1000)
		e.ok(err)
		for _, c := range page {
			if after++; c.Seq != after || c.Kind == "" {
				e.Fatalf("%+v where %d is next", c, after)
			}
		}
	}
}

package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/turnout-events/turnout"
)

func concurrentTests() map[string]func(*env) {
	return map[string]func(*env){
		"TestP2NeverOversoldOneProcess":   func(e *env) { testNeverOversold(e, e.Store) },
		"TestP2NeverOversoldTwoProcesses": func(e *env) { testNeverOversold(e, e.Store, e.again()) },
		"TestP1OneKeyFromManyCallers":     testOneKeyManyCallers,
		"TestP2TakingAndGivingBack":       testTakingAndGivingBack,
		"TestP8ForgetRacesARegistration":  testForgetRaces,
		"TestP1OneLinkAtTwoEvents":        testOneLinkTwoEvents,
		"TestP8OneKeyForEachPerson":       testOneKeyForEachPerson,
		"TestOneTurnForManyWhoAsk":        testTurnRace,
		"TestFeedSkipsNobody":             testFeedSkipsNobody,
	}
}

const (
	crowd       = 200  // goroutines
	submissions = 5000 // in all
	places      = 1000
)

// testNeverOversold lets a crowd want far more seats than there are.
func testNeverOversold(e *env, stores ...Store) {
	e.publish(pools(places)...)
	todo := make(chan turnout.Acceptance, submissions)
	for range submissions {
		todo <- e.submission(pools(1)...)
	}
	close(todo)
	var registered, full atomic.Int64
	var wg sync.WaitGroup
	for i := range crowd {
		store := stores[i%len(stores)]
		wg.Go(func() {
			for a := range todo {
				got, err := store.Accept(e.ctx, a)
				switch turnout.CodeOf(err) {
				case "":
					registered.Add(1)
					if got.Repeat || got.Registration.Key != a.Key {
						e.Errorf("%s is answered with %+v", a.Key, got)
					}
				case turnout.CodeFull:
					full.Add(1)
				default:
					e.Errorf("accept %s: %v", a.Key, err)
				}
			}
		})
	}
	wg.Wait()
	if registered.Load() != places || full.Load() != submissions-places {
		e.Errorf("%d registered and %d refused, want exactly %d and %d", registered.Load(), full.Load(), places, submissions-places)
	}
	e.stands(turnout.PoolEvent, places, 0)
	if got := e.lanesOf(summit); got != places {
		e.Errorf("%d are due for delivery, want %d", got, places)
	}
}

func (e *env) lanesOf(event turnout.EventID) int {
	e.Helper()
	all, err := e.Lanes(e.ctx, e.now, 1<<20)
	e.ok(err)
	for _, l := range all {
		if l.Event == event {
			return l.Waiting
		}
	}
	return 0
}

func testOneKeyManyCallers(e *env) {
	e.publish(pools(50)...)
	a := e.submission(pools(1)...)
	stores := []Store{e.Store, e.again()}
	var first atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			got, err := stores[i%2].Accept(e.ctx, a)
			if err != nil || got.Registration.Key != a.Key {
				e.Errorf("got %+v, %v", got, err)
			}
			if !got.Repeat {
				first.Add(1)
			}
		})
	}
	wg.Wait()
	if first.Load() != 1 {
		e.Errorf("%d callers were the first", first.Load())
	}
	e.stands(turnout.PoolEvent, 1, 0)
}

// testTakingAndGivingBack registers and cancels at once from two processes,
// with a waitlist, and counts in the end.
func testTakingAndGivingBack(e *env) {
	e.publish(pools(20)...)
	stores := []Store{e.Store, e.again()}
	var wg sync.WaitGroup
	for i := range 60 {
		store := stores[i%2]
		a := e.waits(pools(1 + i%3)...)
		a.Key = turnout.Key(fmt.Sprintf("give-%d", i))
		wg.Go(func() {
			got, err := store.Accept(e.ctx, a)
			if err != nil {
				e.Error(err)
				return
			}
			for i%2 == 0 { // whoever was promoted meanwhile is at another revision
				_, err = store.Revise(e.ctx, turnout.Revision{Org: acme, Key: a.Key, From: got.Registration.Revision,
					Status: turnout.StatusCancelled, Claims: a.Claims, At: a.At})
				if turnout.CodeOf(err) != turnout.CodeConflict {
					break
				}
				if got.Registration, err = store.Registration(e.ctx, acme, a.Key); err != nil {
					break
				}
			}
			if err != nil {
				e.Error(err)
			}
		})
	}
	wg.Wait()
	taken, waiting := 0, 0
	for i := range 60 {
		switch r := e.read(turnout.Key(fmt.Sprintf("give-%d", i))); r.Status {
		case turnout.StatusRegistered:
			taken += r.Claims[0].Seats
		case turnout.StatusWaitlisted:
			waiting += r.Claims[0].Seats
		}
	}
	s := e.seats()[turnout.PoolEvent]
	if s.Taken != taken || s.Waiting != waiting || taken > 20 || (waiting > 0 && taken < 18) {
		e.Errorf("%+v, and the registrations hold %d and wait for %d", s, taken, waiting)
	}
}

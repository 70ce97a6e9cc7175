package delivery

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

// start runs a delivery over q and s until the test ends.
func start(t *testing.T, q *queue, s *target, change ...func(*Options)) *Delivery {
	t.Helper()
	o := Options{
		Queue: q, Leases: q, Records: records{}, Owner: "test",
		Target: func(context.Context, turnout.OrgID) (Target, error) { return s, nil },
		Event:  func(turnout.OrgID, turnout.EventID) *turnout.Event { return nil },
	}
	for _, c := range change {
		c(&o)
	}
	d := New(o)
	ctx, cancel := context.WithCancel(t.Context())
	finished := make(chan struct{})
	go func() { defer close(finished); _ = d.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-finished })
	return d
}

func pass(d time.Duration) { <-time.After(d) }

func TestP4WhenABatchGoes(t *testing.T) {
	p := Policy{}.orDefault()
	for _, c := range []struct {
		waiting    int
		age, since time.Duration
		want       int
	}{
		{0, time.Hour, time.Hour, 0}, {1, 9 * time.Second, time.Hour, 0}, {1, 10 * time.Second, time.Hour, 1}, {4, 0, time.Hour, 0}, {4, 10 * time.Second, time.Hour, 4},
		{5, 0, time.Hour, 5}, {9, 0, time.Hour, 5}, {10, 0, time.Hour, 10}, {199, 0, time.Hour, 199}, {1000, 0, time.Hour, 200},
		{5, 0, time.Second, 0}, {5, 0, 2 * time.Second, 5}, {199, 0, time.Second, 0}, {199, 0, 2 * time.Second, 199}, {200, 0, 0, 200},
		{1, 10 * time.Second, 0, 1}, {199, 10 * time.Second, 0, 199},
	} {
		if got := p.Batch(c.waiting, c.age, c.since); got != c.want {
			t.Errorf("%d waiting for %v, %v after a call: %d, want %d", c.waiting, c.age, c.since, got, c.want)
		}
	}
}

// P4: a trickle goes out in batches of at most five, none later than ten
// seconds after its oldest.
func TestP4TrickleGoesInFivesWithinTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := newQueue(), &target{latency: 300 * time.Millisecond}
		d := start(t, q, s)
		for i := range 40 {
			q.add("e1", 1)
			d.Nudge()
			pass(time.Duration(400+i*150) * time.Millisecond)
		}
		pass(12 * time.Second)
		if n := q.count(delivered); n != 40 {
			t.Errorf("%d of 40 delivered", n)
		}
		if most := slices.Max(s.made()); most > 5 {
			t.Errorf("a batch of %d in a trickle", most)
		}
		if latest := slices.Max(s.waits); latest > 10*time.Second {
			t.Errorf("one waited %v before its call", latest)
		}
	})
}

// P4: a rush costs at most ten calls for 1,000, however fast calls are, and is in
// Salesforce within seconds; slower than that it is a trickle.
func TestP4ARushGathers(t *testing.T) {
	for _, perSecond := range []int{1000, 200, 100} {
		synctest.Test(t, func(t *testing.T) {
			q, s := newQueue(), &target{latency: 5 * time.Millisecond}
			d := start(t, q, s)
			all := 10 * perSecond
			for range all {
				q.add("gala", 1)
				d.Nudge()
				pass(time.Second / time.Duration(perSecond))
			}
			pass(10 * time.Second)
			if n := q.count(delivered); n != all {
				t.Errorf("%d of %d delivered", n, all)
			}
			if n := len(s.made()); n*1000 > 10*all {
				t.Errorf("at %d a second: %d calls for %d", perSecond, n, all)
			}
			if latest := slices.Max(s.waits); latest > 3*time.Second {
				t.Errorf("at %d a second one waited %v before its call", perSecond, latest)
			}
		})
	}
}

// P4: one that is refused again and again does not break up the batches of
// those that come after it.
func TestP4RetriesDoNotBreakUpBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := newQueue(), &target{latency: 150 * time.Millisecond}
		s.answer = func(_ int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
			out := done(batch)
			for i := range out {
				if out[i].Key == "e1-0" {
					out[i] = turnout.Receipt{Key: "e1-0", Code: turnout.CodeUnauthorized}
				}
			}
			return out, nil
		}
		d := start(t, q, s)
		for range 121 {
			q.add("e1", 1)
			d.Nudge()
			pass(500 * time.Millisecond)
		}
		pass(12 * time.Second)
		if n := q.count(delivered); n != 120 {
			t.Fatalf("%d of 120 delivered", n)
		}
		// 24 calls of five, the retries, and the rest of the last five.
		if n := len(s.made()); n > 24+8+2 {
			t.Errorf("%d calls: %v", n, s.made())
		}
	})
}

// P2, P8: of somebody who was forgotten the cancellation goes out, and nothing
// of them with it.
func TestP2ErasedIsDeliveredAsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := newQueue(), &target{}
		var sent []turnout.Dispatch
		s.answer = func(_ int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
			sent = append(sent, batch...)
			return done(batch), nil
		}
		q.add("e1", 2)
		q.rows[0].Person, q.rows[0].Sealed, q.rows[0].Status = turnout.PersonID{}, nil, turnout.StatusCancelled
		q.rows[1].Sealed = nil // unreadable, which is another matter
		start(t, q, s)
		pass(11 * time.Second)
		if len(sent) != 1 || sent[0].Key != "e1-0" || sent[0].Status != turnout.StatusCancelled {
			t.Errorf("sent %+v", sent)
		}
		if p := q.rows[1].Parked; p == nil || p.Code != unreadable {
			t.Errorf("the unreadable one is %+v", q.rows[1])
		}
	})
}

// P4: a backlog goes out in large batches, one call at a time under a parent,
// several parents at once.
func TestP4BacklogGoesInFewCallsAndOneLaneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := newQueue(), &target{latency: 150 * time.Millisecond}
		for _, e := range []turnout.EventID{"e1", "e2", "e3", "e4", "e5", "e6"} {
			q.add(e, 1000)
		}
		begin := time.Now()
		start(t, q, s)
		for q.count(delivered) < 6000 && time.Since(begin) < time.Minute {
			pass(50 * time.Millisecond)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if len(s.made()) > 60 {
			t.Errorf("%d calls for 6,000 registrations", len(s.made()))
		}
		if s.mostInOne != 1 {
			t.Errorf("%d calls at once under one parent", s.mostInOne)
		}
		if s.mostAtAll != 5 {
			t.Errorf("%d calls at once, want the org's five", s.mostAtAll)
		}
	})
}

// P1: rows that fail are sent again until they are through; rows that
// Salesforce refuses are parked with its own words, sealed, and hold nobody up.
func TestP1RowsAreRetriedOrParkedNeverDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		codes := []turnout.Code{turnout.CodeLocked, turnout.CodeUnavailable, turnout.CodeTooSlow, turnout.CodeThrottled, turnout.CodeExpired, turnout.CodeUnknown}
		q := newQueue()
		s := &target{latency: 100 * time.Millisecond}
		s.answer = func(call int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
			out := done(batch)
			for i := range out {
				switch {
				case out[i].Key == "e1-3":
					out[i] = turnout.Receipt{Key: out[i].Key, Code: turnout.CodeRefused, Status: "STRING_TOO_LONG", Message: "too long: secret"}
				case call < 12 && (call+i)%3 == 0:
					out[i] = turnout.Receipt{Key: out[i].Key, Code: codes[(call+i)%len(codes)]}
				}
			}
			return out, nil
		}
		q.add("e1", 30)
		start(t, q, s)
		pass(3 * time.Minute)
		if n := q.count(delivered); n != 29 {
			t.Errorf("%d of 29 delivered", n)
		}
		if n := q.count(parked); n != 1 {
			t.Fatalf("%d parked, want 1", n)
		}
		if p := q.rows[3].Parked; p.Code != "STRING_TOO_LONG" || string(p.Sealed) != "sealed:too long: secret" {
			t.Errorf("parked as %+v", p)
		}
	})
}

// P1: an outage of hours loses nothing, costs few calls, and everything goes
// out soon after it.
func TestP1OutageOpensTheCircuitAndEverythingGoesOutAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		over := time.Now().Add(time.Hour)
		s := &target{latency: 50 * time.Millisecond}
		s.answer = func(_ int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
			if time.Now().Before(over) {
				return nil, turnout.Errorf(turnout.CodeUnavailable, "call", "down")
			}
			return done(batch), nil
		}
		d := start(t, q, s)
		for _, e := range []turnout.EventID{"e1", "e2", "e3"} {
			q.add(e, 100)
		}
		pass(time.Hour)
		if n := len(s.made()); n > 600 {
			t.Errorf("%d calls in an hour of outage", n)
		}
		if h := d.Health()["acme"]; h.Failures < tripAfter || h.Cause != turnout.CodeUnavailable {
			t.Errorf("health %+v", h)
		}
		pass(longPause * 3)
		if n := q.count(delivered); n != 300 {
			t.Errorf("%d of 300 delivered after the outage", n)
		}
	})
}

func TestLocksHalveTheBatchAndSuccessGrowsItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		s := &target{latency: 10 * time.Millisecond}
		s.answer = func(_ int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
			if len(batch) > 25 {
				return nil, turnout.Errorf(turnout.CodeLocked, "call", "rows locked")
			}
			return done(batch), nil
		}
		q.add("e1", 1000)
		start(t, q, s)
		pass(10 * time.Minute)
		if n := q.count(delivered); n != 1000 {
			t.Errorf("%d of 1000 delivered", n)
		}
		if !slices.Contains(s.made(), 200) || !slices.Contains(s.made(), 25) {
			t.Errorf("batches %v", s.made()[:min(10, len(s.made()))])
		}
	})
}

// A registration that breaks every call it is in must not stop its lane.
func TestOneBadRegistrationDoesNotBlockItsLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		s := &target{latency: 10 * time.Millisecond}
		s.answer = func(_ int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
			for _, d := range batch {
				if d.Key == "e1-7" {
					return nil, turnout.Errorf(turnout.CodeRefused, "call", "no such column")
				}
			}
			return done(batch), nil
		}
		q.add("e1", 100)
		start(t, q, s)
		pass(time.Hour)
		if n := q.count(delivered); n != 99 {
			t.Errorf("%d of 99 delivered", n)
		}
		if n := q.count(parked); n != 1 {
			t.Errorf("%d parked", n)
		}
	})
}

// P4: the org's share of its daily API requests is kept, and used again when
// there is room.
func TestP4BudgetStopsCallsButNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		s := &target{latency: 10 * time.Millisecond, usage: turnout.Usage{Used: 850, Limit: 1000, At: time.Now()}}
		s.answer = func(_ int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
			s.use(turnout.Usage{Used: 850, Limit: 1000, At: time.Now()})
			return done(batch), nil
		}
		q.add("e1", 1000)
		start(t, q, s)
		pass(turnout.UsageAge - time.Second)
		// Usage is told by calls, so that the first one is made in any case.
		if n := len(s.made()); n > 1 {
			t.Fatalf("%d calls beyond the budget", n)
		}
		pass(time.Hour)
		if n := len(s.made()); n < 4 || n > 13 {
			t.Errorf("%d probes in an hour", n)
		}
	})
}

// A call that outlives its lease's renewals is given up, so that no second
// call runs beside it for long.
func TestLostLeaseEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		s := &target{latency: 30 * time.Second}
		q.add("e1", 5)
		start(t, q, s)
		pass(time.Second)
		q.mu.Lock()
		q.lanes["e1"].fence++ // another instance has taken over
		q.lanes["e1"].until = time.Now().Add(time.Hour)
		q.mu.Unlock()
		pass(5 * time.Second)
		s.mu.Lock()
		flying := s.flying["e1"]
		s.mu.Unlock()
		if flying != 0 {
			t.Error("the call goes on without a lease")
		}
		if n := q.count(delivered); n != 0 {
			t.Errorf("%d settled by a late holder", n)
		}
	})
}

func TestVerdicts(t *testing.T) {
	for code, want := range map[turnout.Code]turnout.Result{
		"": turnout.ResultDone, turnout.CodeRefused: turnout.ResultParked, turnout.CodeInvalid: turnout.ResultParked, turnout.CodeNotFound: turnout.ResultParked,
		turnout.CodeLocked: turnout.ResultRetry, turnout.CodeTooSlow: turnout.ResultRetry, turnout.CodeThrottled: turnout.ResultRetry,
		turnout.CodeUnavailable: turnout.ResultRetry, turnout.CodeUnknown: turnout.ResultRetry, turnout.CodeExpired: turnout.ResultRetry,
		turnout.CodeExhausted: turnout.ResultRetry, turnout.CodeMisconfigured: turnout.ResultRetry, turnout.CodeInternal: turnout.ResultRetry, turnout.CodeConflict: turnout.ResultRetry,
		turnout.CodeAutomation: turnout.ResultRetry, turnout.CodeStorage: turnout.ResultRetry,
	} {
		if got := RowVerdict(code).Result; got != want {
			t.Errorf("row %q: %s, want %s", code, got, want)
		}
		if got := CallVerdict(code, 2); got.Result != turnout.ResultRetry || !got.Blameless {
			t.Errorf("call of two %q: %+v, want a blameless retry", code, got)
		}
	}
	v := Verdict{After: time.Second, Longest: 10 * time.Second}
	for attempts, want := range map[int]time.Duration{0: time.Second, 1: 2 * time.Second, 2: 4 * time.Second, 9: 10 * time.Second, 99: 10 * time.Second} {
		if got := v.delay(attempts, 0.5); got != want {
			t.Errorf("after %d attempts: %v, want %v", attempts, got, want)
		}
	}
}

// A trigger or flow that fails is tried five times, alone or among others,
// and then a person looks.
func TestFailingAutomationIsTriedFiveTimesThenParked(t *testing.T) {
	for name, answer := range map[string]func(turnout.Dispatch) (turnout.Receipt, error){
		"row": func(d turnout.Dispatch) (turnout.Receipt, error) {
			return turnout.Receipt{Key: d.Key, Code: turnout.CodeAutomation, Status: "CANNOT_EXECUTE_FLOW_TRIGGER"}, nil
		},
		"call": func(turnout.Dispatch) (turnout.Receipt, error) {
			return turnout.Receipt{}, turnout.Errorf(turnout.CodeAutomation, "call", "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, tried := newQueue(), 0
				s := &target{latency: 10 * time.Millisecond}
				s.answer = func(_ int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
					tried++
					r, err := answer(batch[0])
					return []turnout.Receipt{r}, err
				}
				q.add("e1", 1)
				start(t, q, s)
				pass(8 * time.Hour)
				if tried != 5 || q.count(parked) != 1 {
					t.Errorf("tried %d times, %d parked", tried, q.count(parked))
				}
			})
		})
	}
}

// P1: an org that does not let us in (a secret that expired, a user that was
// deactivated) parks nobody, however long it lasts and however few wait.
func TestP1RefusedSignInParksNobody(t *testing.T) {
	for _, code := range []turnout.Code{turnout.CodeUnauthorized, turnout.CodeForbidden, turnout.CodeMisconfigured, turnout.CodeInternal} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			over := time.Now().Add(8 * time.Hour)
			s := &target{latency: 10 * time.Millisecond}
			s.answer = func(_ int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
				if time.Now().Before(over) {
					return nil, turnout.Errorf(code, "sign in", "")
				}
				return done(batch), nil
			}
			q.add("e1", 1)
			q.add("e2", 30)
			start(t, q, s)
			pass(8*time.Hour + 30*time.Minute)
			if n := q.count(parked); n != 0 {
				t.Errorf("%s: %d parked", code, n)
			}
			if n := q.count(delivered); n != 31 {
				t.Errorf("%s: %d of 31 delivered", code, n)
			}
		})
	}
}

// P1: an org that refuses row after row, since its storage is full or a right
// is missing, is as good as one that refuses the call: nobody is parked, few
// calls are made, and the operator sees why.
func TestP1AnOrgThatRefusesEveryRowParksNobody(t *testing.T) {
	for _, code := range []turnout.Code{turnout.CodeStorage, turnout.CodeMisconfigured, turnout.CodeForbidden} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			over := time.Now().Add(2 * time.Hour)
			s := &target{latency: 10 * time.Millisecond}
			s.answer = func(_ int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
				out := done(batch)
				for i := range out {
					if time.Now().Before(over) {
						out[i] = turnout.Receipt{Key: out[i].Key, Code: code, Status: "SOME_CODE"}
					}
				}
				return out, nil
			}
			q.add("e1", 1)
			q.add("e2", 400)
			d := start(t, q, s)
			pass(2 * time.Hour)
			if n := q.count(parked); n != 0 {
				t.Errorf("%s: %d parked", code, n)
			}
			if n := len(s.made()); n > 120 {
				t.Errorf("%s: %d calls in two hours", code, n)
			}
			if h := d.Health()["acme"]; h.Failures < tripAfter || h.Cause != code {
				t.Errorf("%s: health %+v", code, h)
			}
			pass(20 * time.Minute)
			if n := q.count(delivered); n != 401 {
				t.Errorf("%s: %d of 401 delivered", code, n)
			}
		})
	}
}

// A single registration that is refused for the org's sake opens the circuit as
// others do, and is parked only if the org takes others meanwhile.
func TestALoneRefusalIsTheOrgsUntilOthersGetThrough(t *testing.T) {
	for _, others := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			s := &target{latency: 10 * time.Millisecond}
			s.answer = func(_ int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
				out := done(batch)
				if batch[0].Event == "e1" {
					out[0] = turnout.Receipt{Key: out[0].Key, Code: turnout.CodeMisconfigured, Status: "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"}
				}
				return out, nil
			}
			q.add("e1", 1)
			d := start(t, q, s)
			pass(11 * time.Second)
			if h := d.Health()["acme"]; h.Failures != 1 || h.Cause != turnout.CodeMisconfigured {
				t.Errorf("after one call: %+v", h)
			}
			for range 90 {
				if others {
					q.add("e2", 1)
				}
				pass(time.Minute)
			}
			if want := map[bool]int{false: 0, true: 1}[others]; q.count(parked) != want {
				t.Errorf("others get through %v: %d parked, want %d", others, q.count(parked), want)
			}
			if n := q.count(delivered); others && n < 89 {
				t.Errorf("%d others delivered", n)
			}
		})
	}
}

// One failed call among several that a batch takes blames none of its records.
func TestP1ReceiptsOfAWholeCallParkNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		s := &target{latency: 10 * time.Millisecond}
		s.answer = func(call int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
			out := done(batch)
			for i := range out {
				if call == 1 && i > 0 {
					out[i] = turnout.Receipt{Key: out[i].Key, Code: turnout.CodeRefused, WholeCall: true}
				}
			}
			return out, nil
		}
		q.add("e1", 50)
		start(t, q, s)
		pass(time.Hour)
		if n := q.count(delivered); n != 50 {
			t.Errorf("%d of 50 delivered, %d parked", n, q.count(parked))
		}
	})
}

// sleepy opens the first batch so slowly that its lease runs out meanwhile.
type sleepy struct {
	records
	slept chan struct{}
}

func (r *sleepy) OpenDue(ctx context.Context, due *turnout.DueRegistration) (turnout.Details, error) {
	select {
	case <-r.slept:
	default:
		close(r.slept)
		pass(leaseTTL + time.Second)
	}
	return r.records.OpenDue(ctx, due)
}

// P1: a holder that was asleep past its lease sends nothing late.
func TestP1AStaleHolderSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		slow, quick := &target{latency: 10 * time.Millisecond}, &target{latency: 10 * time.Millisecond}
		start(t, q, slow, func(o *Options) { o.Records = &sleepy{slept: make(chan struct{})} })
		q.add("e1", 5)
		pass(time.Second)
		start(t, q, quick)
		pass(time.Minute)
		// Whoever claims the lane next makes the one call.
		if n := len(slow.made()) + len(quick.made()); n != 1 || q.count(delivered) != 5 {
			t.Errorf("%d calls, %d delivered", n, q.count(delivered))
		}
	})
}

// P1: registrations that cannot be opened do not hold up those behind them.
type locked struct{ records }

func (locked) OpenDue(_ context.Context, r *turnout.DueRegistration) (turnout.Details, error) {
	if r.Key < "e1-5" {
		return turnout.Details{}, turnout.Errorf(turnout.CodeForgotten, "open", "")
	}
	return turnout.Details{}, nil
}

func TestUnreadableOnesAreParkedAndHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := newQueue(), &target{latency: 10 * time.Millisecond}
		q.add("e1", 9)
		start(t, q, s, func(o *Options) { o.Records = locked{} })
		pass(time.Minute)
		if q.count(delivered) != 4 || q.count(parked) != 5 {
			t.Errorf("%d delivered, %d parked", q.count(delivered), q.count(parked))
		}
	})
}

// What waits for another try still counts as waiting.
func TestOldestIsToldThroughAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		s := &target{latency: 10 * time.Millisecond}
		s.answer = func(int, []turnout.Dispatch) ([]turnout.Receipt, error) {
			return nil, turnout.Errorf(turnout.CodeUnavailable, "call", "down")
		}
		q.add("e1", 5)
		d := start(t, q, s)
		began := time.Now()
		for range 60 {
			pass(5 * time.Second)
			if at, ok := d.Oldest()["acme"]; !ok || at.After(began) {
				t.Fatalf("after %v the oldest is %v, %v", time.Since(began), at, ok)
			}
		}
	})
}

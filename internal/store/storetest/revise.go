package storetest

import (
	"bytes"
	"cmp"
	"reflect"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

func reviseTests() map[string]func(*env) {
	return map[string]func(*env){
		"NothingToReviseIsNotFound":         testReviseNotFound,
		"AnotherRevisionIsAConflict":        testReviseConflict,
		"AnswersWithWhatRests":              testReviseReadsBack,
		"P2TakesMoreAndGivesBack":           testReviseSeats,
		"P2FullChangesNothing":              testReviseFull,
		"StalePoolsAreRefusedOnlyIfTakenUp": testReviseStale,
		"EditsWhileOthersWait":              testReviseWhileOthersWait,
		"CancelledStaysCancelled":           testReviseCancelled,
		"SalesforceCancels":                 testReviseSalesforceCancels,
		"SalesforceRegistersOverTheLimit":   testReviseSalesforceOverLimit,
		"SalesforceAfterAnotherThroughLink": testReviseSalesforceSecondOfLink,
		"SalesforceWhileOursIsOnItsWay":     testReviseSalesforceMeetsOurs,
		"P5ToldIsWhatSalesforceHas":         testTold,
		"StandingsAreThoseOfEach":           testStandings,
	}
}

// testStandings: many at once say what each says alone, and nothing of others.
func testStandings(e *env) {
	e.publish(pools(9)...)
	keys := []turnout.Key{"nothing", "it's \"odd\" \u2028 \\ key"}
	for range 4 {
		keys = append(keys, e.accept(e.submission(pools(1)...), turnout.StatusRegistered).Key)
	}
	e.deliverAll()
	e.cancel(keys[3])
	_, err := e.revise(keys[4], func(v *turnout.Revision) {
		v.Attendance, v.Source = turnout.AttendanceAttended, turnout.SourceSalesforce
	})
	e.ok(err)
	_, err = e.Forget(e.ctx, acme, e.read(keys[5]).Person, e.tick())
	e.ok(err)
	keys = append(keys, e.accept(e.submission(pools(1)...), turnout.StatusRegistered).Key)
	found, err := e.Standings(e.ctx, acme, keys)
	e.ok(err)
	slices.SortFunc(found, func(a, b turnout.Standing) int {
		return cmp.Compare(slices.Index(keys, a.Key), slices.Index(keys, b.Key))
	})
	want := []turnout.Standing{}
	for _, k := range keys[2:] {
		r := e.read(k)
		want = append(want, r.Standing())
	}
	if !reflect.DeepEqual(found, want) || !want[3].Forgotten || want[0].Record == "" {
		e.Errorf("they stand as %+v\nwant %+v", found, want)
	}
	for _, org := range []turnout.OrgID{"nobody", ""} {
		if found, err := e.Standings(e.ctx, org, keys); err != nil || len(found) != 0 {
			e.Errorf("of another org: %+v, %v", found, err)
		}
	}
}

func testReviseNotFound(e *env) {
	_, err := e.Revise(e.ctx, turnout.Revision{Org: acme, Key: "nothing", From: 1, Status: turnout.StatusCancelled})
	e.code(err, turnout.CodeNotFound)
}

func testReviseConflict(e *env) {
	e.publish(pools(5)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.cancel(r.Key)
	_, err := e.Revise(e.ctx, turnout.Revision{Org: acme, Key: r.Key, From: 1, Status: turnout.StatusRegistered, Claims: pools(3)})
	e.code(err, turnout.CodeConflict)
	e.stands(turnout.PoolEvent, 0, 0)
}

func testReviseReadsBack(e *env) {
	e.publish(pools(5)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	got, err := e.revise(r.Key, func(v *turnout.Revision) { v.Claims, v.Sealed = pools(2), []byte("sealed anew") })
	e.ok(err)
	if got.Revision != 2 || !bytes.Equal(got.Sealed, []byte("sealed anew")) || !got.Due.Equal(e.now) || !got.ChangedAt.Equal(e.now) {
		e.Errorf("got %+v", got)
	}
	if rests := e.read(r.Key); !reflect.DeepEqual(rests, got) {
		e.Errorf("answered %+v\nrests %+v", got, rests)
	}
	got, err = e.revise(r.Key, func(*turnout.Revision) {})
	if e.ok(err); !bytes.Equal(got.Sealed, []byte("sealed anew")) {
		e.Error("no new details, and the old ones are gone")
	}
}

func testReviseSeats(e *env) {
	e.publish(pools(5, ticket("a", 3), ticket("b", 3))...)
	r := e.accept(e.submission(pools(1, ticket("a", 1))...), turnout.StatusRegistered)
	to := func(claims []turnout.Claim) {
		e.Helper()
		_, err := e.revise(r.Key, func(v *turnout.Revision) { v.Claims = claims })
		e.ok(err)
	}
	to(pools(3, ticket("a", 3)))
	e.stands(turnout.PoolEvent, 3, 0)
	e.stands(turnout.PoolTicket("a"), 3, 0)
	to(pools(2, ticket("b", 2)))
	e.stands(turnout.PoolEvent, 2, 0)
	e.stands(turnout.PoolTicket("a"), 0, 0)
	e.stands(turnout.PoolTicket("b"), 2, 0)
	e.cancel(r.Key)
	e.stands(turnout.PoolEvent, 0, 0)
	e.stands(turnout.PoolTicket("b"), 0, 0)
}

func testReviseFull(e *env) {
	e.publish(pools(3, ticket("a", 3))...)
	r := e.accept(e.submission(pools(2, ticket("a", 2))...), turnout.StatusRegistered)
	_, err := e.revise(r.Key, func(v *turnout.Revision) { v.Claims = pools(4, ticket("a", 4)) })
	e.code(err, turnout.CodeFull)
	if got := e.read(r.Key); !reflect.DeepEqual(got, r) {
		e.Errorf("refused, and it is now %+v", got)
	}
	e.stands(turnout.PoolEvent, 2, 0)
}

func testReviseStale(e *env) {
	e.publish(pools(5, ticket("a", 5), ticket("b", 5))...)
	r := e.accept(e.submission(pools(1, ticket("a", 1))...), turnout.StatusRegistered)
	e.publish(pools(5, ticket("b", 5))...)
	_, err := e.revise(r.Key, func(v *turnout.Revision) { v.Sealed = []byte("other answers") })
	e.ok(err)
	_, err = e.revise(r.Key, func(v *turnout.Revision) { v.Claims = pools(2, ticket("a", 2)) })
	e.code(err, turnout.CodeStale)
	_, err = e.revise(r.Key, func(v *turnout.Revision) { v.Claims = pools(1, ticket("b", 1)) })
	e.ok(err)
}

func testReviseWhileOthersWait(e *env) {
	e.publish(pools(4)...)
	r := e.accept(e.submission(pools(3)...), turnout.StatusRegistered)
	large := e.accept(e.waits(pools(3)...), turnout.StatusWaitlisted)
	_, err := e.revise(r.Key, func(v *turnout.Revision) { v.Sealed = []byte("other answers") })
	e.ok(err)
	_, err = e.revise(r.Key, func(v *turnout.Revision) { v.Claims = pools(4) })
	e.code(err, turnout.CodeFull) // the last seat is the waitlist's
	_, err = e.revise(r.Key, func(v *turnout.Revision) { v.Claims = pools(2) })
	e.ok(err)
	e.status(large.Key, turnout.StatusWaitlisted)
	_, err = e.revise(r.Key, func(v *turnout.Revision) { v.Claims = pools(1) })
	e.ok(err)
	e.status(large.Key, turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 4, 0)
}

func testReviseCancelled(e *env) {
	e.publish(pools(4)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.cancel(r.Key)
	_, err := e.revise(r.Key, func(v *turnout.Revision) { v.Status = turnout.StatusRegistered })
	e.code(err, turnout.CodeClosed)
	e.status(r.Key, turnout.StatusCancelled)
	e.stands(turnout.PoolEvent, 0, 0)
}

func (e *env) fromSalesforce(key turnout.Key, status turnout.Status) turnout.Registration {
	e.Helper()
	r, err := e.revise(key, func(v *turnout.Revision) {
		v.Source, v.Status, v.Attendance = turnout.SourceSalesforce, status, turnout.AttendanceApproved
	})
	e.ok(err)
	if rests := e.read(key); !reflect.DeepEqual(rests, r) {
		e.Fatalf("answered %+v\nrests %+v", r, rests)
	}
	return r
}

func testReviseSalesforceCancels(e *env) {
	e.publish(pools(1)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.deliverAll()
	waiting := e.accept(e.waits(pools(1)...), turnout.StatusWaitlisted)
	got := e.fromSalesforce(r.Key, turnout.StatusCancelled)
	if got.Status != turnout.StatusCancelled || got.Revision != 1 || !got.Due.IsZero() || got.Attendance != turnout.AttendanceApproved {
		e.Errorf("got %+v, want it cancelled with nothing to deliver", got)
	}
	e.status(waiting.Key, turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 1, 0)
}

func testReviseSalesforceOverLimit(e *env) {
	e.publish(pools(1)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.cancel(r.Key)
	second := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	e.deliverAll()
	e.fromSalesforce(r.Key, turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 2, 0)
	e.refuse(e.submission(pools(1)...), turnout.CodeFull)
	e.cancel(second.Key)
	e.stands(turnout.PoolEvent, 1, 0)
	e.refuse(e.submission(pools(1)...), turnout.CodeFull)
	e.cancel(r.Key)
	e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
}

// The organiser may revive a registration whose owner has come back meanwhile.
func testReviseSalesforceSecondOfLink(e *env) {
	e.publish(pools(5)...)
	first, second := e.submission(pools(1)...), e.submission(pools(1)...)
	first.Link, second.Link = link(1), link(1)
	first.OncePerPerson, second.OncePerPerson = true, true
	second.DataKey = first.DataKey
	e.accept(first, turnout.StatusRegistered)
	e.cancel(first.Key)
	e.accept(second, turnout.StatusRegistered)
	e.deliverAll()
	e.fromSalesforce(first.Key, turnout.StatusRegistered)
	e.stands(turnout.PoolEvent, 2, 0)
}

// A delivery that is under way would undo the organiser's change, so both go
// out together afterwards.
func testReviseSalesforceMeetsOurs(e *env) {
	e.publish(pools(5)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	lease := e.claim("one")
	batch, err := e.Take(e.ctx, lease, 10, e.tick())
	if e.ok(err); len(batch) != 1 {
		e.Fatalf("took %d", len(batch))
	}
	e.fromSalesforce(r.Key, turnout.StatusCancelled)
	e.ok(e.Settle(e.ctx, lease, []turnout.Outcome{{Key: r.Key, Revision: 1, Result: turnout.ResultDone, Record: "a01"}}, time.Time{}))
	got := e.read(r.Key)
	if got.Status != turnout.StatusCancelled || got.Delivered != 1 || got.Revision != 2 || got.Due.IsZero() {
		e.Errorf("got %+v, want it cancelled and due again", got)
	}
}

// testTold follows the status that Salesforce has: delivered, taken over, and
// not known any more once a person or the mirror wants all of it sent again.
func testTold(e *env) {
	e.publish(pools(5)...)
	r := e.accept(e.submission(pools(1)...), turnout.StatusRegistered)
	told := func(want turnout.Status) {
		e.Helper()
		if got := e.read(r.Key); got.Told != want {
			e.Errorf("Salesforce was told %q, want %q (it is %q)", got.Told, want, got.Status)
		}
	}
	told("")
	e.deliverAll()
	told(turnout.StatusRegistered)
	e.fromSalesforce(r.Key, turnout.StatusCancelled)
	told(turnout.StatusCancelled)
	e.fromSalesforce(r.Key, turnout.StatusRegistered)
	e.cancel(r.Key)
	told(turnout.StatusRegistered)
	e.fromSalesforce(r.Key, turnout.StatusCancelled) // attended, say, while our cancel is on its way
	told(turnout.StatusRegistered)
	e.deliverAll()
	told(turnout.StatusCancelled)
	e.ok(e.Resend(e.ctx, acme, r.Key, e.tick()))
	told("")
}

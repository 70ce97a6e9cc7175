package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
)

const (
	acme   turnout.OrgID   = "acme"
	summit turnout.EventID = "701000000000001AAA"
	picnic turnout.EventID = "701000000000002AAA"
)

// start is when the tests' clock begins.
var start = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

// env is one test's store, with short ways to say what the tests say often.
type env struct {
	conformance.T
	Store
	ctx  context.Context
	now  time.Time
	keys int
	// again opens another handle on the same store.
	again func() Store
}

func newEnv(t conformance.T, open func(t conformance.T, dir string) Store) *env {
	dir := t.TempDir()
	handle := func() Store {
		s := open(t, dir)
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return s
	}
	e := &env{T: t, Store: handle(), ctx: t.Context(), now: start, again: handle}
	e.ok(e.SetOrg(e.ctx, turnout.Org{ID: acme, Name: "Acme", Mapping: "turnout"}, []byte("sealed secrets"), start))
	return e
}

func (e *env) ok(err error) {
	e.Helper()
	if err != nil {
		e.Fatalf("unexpected: %v", err)
	}
}

func (e *env) code(err error, want turnout.Code) {
	e.Helper()
	if got := turnout.CodeOf(err); got != want {
		e.Fatalf("got code %q (%v), want %q", got, err, want)
	}
}

// tick moves the clock by a second.
func (e *env) tick() time.Time {
	e.now = e.now.Add(time.Second)
	return e.now
}

// pools is "event" with a limit, and further pools.
func pools(seats int, more ...turnout.Claim) []turnout.Claim {
	return append([]turnout.Claim{{Pool: turnout.PoolEvent, Seats: seats}}, more...)
}

func ticket(id string, seats int) turnout.Claim {
	return turnout.Claim{Pool: turnout.PoolTicket(id), Seats: seats}
}

func agenda(id string, seats int) turnout.Claim {
	return turnout.Claim{Pool: turnout.PoolAgenda(id), Seats: seats}
}

// publish opens the summit with these pools.
func (e *env) publish(limits ...turnout.Claim) {
	e.Helper()
	e.ok(e.SetLedger(e.ctx, turnout.Ledger{Org: acme, Event: summit, Open: true, Pools: limits}, e.tick()))
}

// person is somebody's blind index and data key, made from a number.
func person(n int) turnout.DataKey {
	index := sha256.Sum256(fmt.Appendf(nil, "person %d", n))
	wrapped := sha256.Sum256(fmt.Appendf(nil, "key of person %d", n))
	return turnout.DataKey{Person: turnout.PersonID(index[:16]), Wrapped: append(wrapped[:], wrapped[:]...)}
}

func link(n int) turnout.LinkID {
	sum := sha256.Sum256(fmt.Appendf(nil, "link %d", n))
	return turnout.LinkID(sum[:16])
}

// submission is a new person's, for these seats of the summit.
func (e *env) submission(claims ...turnout.Claim) turnout.Acceptance {
	e.keys++
	return turnout.Acceptance{
		Org: acme, Event: summit, Key: turnout.Key(fmt.Sprintf("key-%04d", e.keys)),
		Fingerprint: turnout.Fingerprint{byte(e.keys), byte(e.keys >> 8), 1}, DataKey: person(e.keys),
		Status: turnout.StatusRegistered, Claims: claims, Sealed: fmt.Appendf(nil, "sealed %d", e.keys), At: e.tick(),
	}
}

// waits is a submission that agrees to wait.
func (e *env) waits(claims ...turnout.Claim) turnout.Acceptance {
	a := e.submission(claims...)
	a.Waitlist = true
	return a
}

// accept hands a submission in and expects a status.
func (e *env) accept(a turnout.Acceptance, want turnout.Status) turnout.Registration {
	e.Helper()
	got, err := e.Accept(e.ctx, a)
	e.ok(err)
	if got.Repeat || got.DataKey != nil || got.Registration.Status != want {
		e.Fatalf("accept %s: got %s, repeat %v, other data key %v; want a new one, %s", a.Key, got.Registration.Status, got.Repeat, got.DataKey != nil, want)
	}
	return got.Registration
}

// refuse hands a submission in and expects a refusal that changes nothing.
func (e *env) refuse(a turnout.Acceptance, want turnout.Code) {
	e.Helper()
	before := e.seats()
	got, err := e.Accept(e.ctx, a)
	e.code(err, want)
	if got.Registration.Key != "" || got.Registration.Sealed != nil || got.DataKey != nil {
		e.Fatalf("P8: refused with %s, and shows %+v", want, got)
	}
	if after := e.seats(); !maps.Equal(before, after) {
		e.Fatalf("refused with %s, and seats went from %v to %v", want, before, after)
	}
}

func (e *env) read(key turnout.Key) turnout.Registration {
	e.Helper()
	r, err := e.Registration(e.ctx, acme, key)
	e.ok(err)
	return r
}

func (e *env) status(key turnout.Key, want turnout.Status) {
	e.Helper()
	if got := e.read(key).Status; got != want {
		e.Fatalf("%s is %s, want %s", key, got, want)
	}
}

// revise changes a registration from the revision that rests.
func (e *env) revise(key turnout.Key, change func(*turnout.Revision)) (turnout.Registration, error) {
	r := e.read(key)
	v := turnout.Revision{Org: acme, Key: key, From: r.Revision, Status: r.Status, Claims: r.Claims, At: e.tick()}
	change(&v)
	return e.Revise(e.ctx, v)
}

func (e *env) cancel(key turnout.Key) {
	e.Helper()
	_, err := e.revise(key, func(v *turnout.Revision) { v.Status = turnout.StatusCancelled })
	e.ok(err)
}

// seats is how the summit's pools stand.
func (e *env) seats() turnout.Seatings {
	e.Helper()
	all, err := e.Seatings(e.ctx, acme)
	e.ok(err)
	return all[summit]
}

// stands expects a pool's numbers.
func (e *env) stands(pool turnout.Pool, taken, waiting int) {
	e.Helper()
	if s := e.seats()[pool]; s.Taken != taken || s.Waiting != waiting {
		e.Fatalf("%s: %d taken, %d waiting; want %d and %d", pool, s.Taken, s.Waiting, taken, waiting)
	}
}

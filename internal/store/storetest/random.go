package storetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/turnout-events/turnout"
)

func randomTests() map[string]func(*env) {
	return map[string]func(*env){
		"P2AgainstAModel": testRandom,
	}
}

// SeedVariable names the environment variable that repeats a run: the seed
// that a failure prints.
const SeedVariable = "TURNOUT_STORETEST_SEED"

const (
	randomSteps      = 2000
	randomStepsShort = 400
	randomPeople     = 40
)

// testRandom does random operations on a store and on the model, and holds
// them against each other after every one.
func testRandom(e *env) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(SeedVariable); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		e.ok(err)
	}
	e.Logf("%s=%d repeats this run", SeedVariable, seed)
	steps := randomSteps
	if e.Short() {
		steps = randomStepsShort
	}
	r := &random{env: e, m: newModel(), Rand: rand.New(rand.NewPCG(seed, 1)), handles: []Store{e.Store, e.again()}}
	for range steps {
		r.Store = r.handles[r.IntN(2)] // as two processes do
		r.tick()
		what := r.step()
		r.compare(what)
		r.log = append(r.log, what)
	}
}

type random struct {
	*env
	*rand.Rand
	m       *model
	handles []Store
	log     []string
}

func (r *random) fail(format string, args ...any) {
	r.Helper()
	last := r.log[max(0, len(r.log)-12):]
	r.Fatalf("step %d, after %v: %s", len(r.log), last, fmt.Sprintf(format, args...))
}

// step does one operation and says which.
func (r *random) step() string {
	switch n := r.IntN(100); {
	case n < 8 || len(r.m.events) == 0:
		return r.setLedger()
	case n < 55:
		return r.acceptSome()
	case n < 75:
		return r.reviseSome()
	case n < 78:
		return r.outside()
	case n < 81:
		return r.forgetSome()
	case n < 83:
		return r.unpark()
	default:
		return r.deliver()
	}
}

func (r *random) event() turnout.EventID { return []turnout.EventID{summit, picnic}[r.IntN(2)] }

func (r *random) limit() int {
	if r.IntN(6) == 0 {
		return turnout.Unlimited
	}
	return r.IntN(12)
}

func (r *random) setLedger() string {
	led := turnout.Ledger{Org: acme, Event: r.event(), Open: r.IntN(8) > 0}
	me := r.m.events[led.Event]
	if me == nil {
		me = &modelEvent{outside: map[turnout.Pool]int{}, waiting: map[turnout.Pool]int{}}
		r.m.events[led.Event] = me
	}
	if r.IntN(4) == 0 { // over, or about to be
		led.Ends = r.now.Add(time.Duration(r.IntN(40)-10) * time.Second)
	}
	me.open, me.ends, me.limits = led.Open, led.Ends, map[turnout.Pool]int{}
	for _, pool := range []turnout.Pool{turnout.PoolEvent, "ticket/a", "ticket/b", "agenda/x"} {
		if pool == turnout.PoolEvent || r.IntN(8) > 0 {
			c := turnout.Claim{Pool: pool, Seats: r.limit()}
			if pool == turnout.PoolEvent && c.Seats >= 0 {
				c.Seats *= 2
			}
			led.Pools = append(led.Pools, c)
			me.limits[pool] = c.Seats
		}
	}
	r.ok(r.SetLedger(r.ctx, led, r.now))
	r.m.promote(led.Event, r.now)
	return fmt.Sprintf("ledger %s open %v %v", led.Event, led.Open, led.Pools)
}

func (r *random) claims() []turnout.Claim {
	n := 1 + r.IntN(3)*r.IntN(2)
	claims := pools(n, turnout.Claim{Pool: []turnout.Pool{"ticket/a", "ticket/b"}[r.IntN(2)], Seats: n})
	if r.IntN(4) == 0 {
		claims = append(claims, turnout.Claim{Pool: "agenda/x", Seats: n})
	}
	return claims
}

func (r *random) acceptSome() string {
	a := r.submission(r.claims()...)
	a.At, a.Event, a.DataKey = r.now, r.event(), person(r.IntN(randomPeople))
	a.Waitlist, a.OncePerPerson = r.IntN(2) == 0, r.IntN(5) == 0
	switch n := r.IntN(20); {
	case n < 2:
		a.Status, a.Claims, a.Link = turnout.StatusDeclined, nil, link(r.IntN(30)+1)
	case n < 6:
		a.Link = link(r.IntN(30) + 1)
	case n < 8 && len(r.m.parties) > 0: // a key again, with the same or another submission
		old := r.m.parties[r.IntN(len(r.m.parties))]
		a.Key = old.key
		if r.IntN(3) > 0 {
			a.Fingerprint, a.Event, a.Link = old.fingerprint, old.event, old.link
		}
	}
	code, want, repeat := r.m.accept(a)
	got, err := r.Accept(r.ctx, a)
	if turnout.CodeOf(err) != code {
		r.fail("accept %+v: %v, want code %q", a, err, code)
	}
	if code == "" && (got.Repeat != repeat || got.Registration.Key != want.key || got.Registration.Status != want.status) {
		r.fail("accept %+v: got %+v, want %+v, repeat %v", a, got, want, repeat)
	}
	return fmt.Sprintf("accept %s %v: %q %v", a.Key, a.Claims, code, repeat)
}

func (r *random) reviseSome() string {
	if len(r.m.parties) == 0 {
		return "nothing"
	}
	p := r.m.parties[r.IntN(len(r.m.parties))]
	v := turnout.Revision{Org: acme, Key: p.key, From: p.revision, Status: p.status, Claims: p.claims, At: r.now}
	switch n := r.IntN(20); {
	case n < 8:
		v.Claims = r.claims()
	case n < 13:
		v.Status = turnout.StatusCancelled
	case n < 15:
		v.Status, v.Claims = turnout.StatusRegistered, r.claims()
	case n < 16:
		v.From--
	case n < 18:
		v.Source = turnout.SourceOperator
		if n == 17 && p.status.Holds() {
			v.Status = turnout.StatusCancelled
		}
	default:
		v.Source, v.Status = turnout.SourceSalesforce, []turnout.Status{turnout.StatusRegistered, turnout.StatusCancelled}[n%2]
	}
	code := r.m.revise(v)
	got, err := r.Revise(r.ctx, v)
	if turnout.CodeOf(err) != code {
		r.fail("revise %+v: %v, want code %q", v, err, code)
	}
	if code == "" && (got.Status != p.status || got.Revision != p.revision) {
		r.fail("revise %+v: answered %+v, want %+v", v, got, p)
	}
	return fmt.Sprintf("revise %s to %s %v by %v: %q", v.Key, v.Status, v.Claims, v.Source, code)
}

func (r *random) outside() string {
	event := r.event()
	me := r.m.events[event]
	if me == nil {
		return "nothing"
	}
	clear(me.outside)
	var counts []turnout.HandCount
	for pool := range me.limits {
		if n := r.IntN(3); n > 0 {
			counts = append(counts, turnout.HandCount{Event: event, Pool: pool, Seats: n})
			me.outside[pool] = n
		}
	}
	r.ok(r.SetOutside(r.ctx, acme, counts, []turnout.EventID{event}, r.now))
	r.m.promote(event, r.now)
	return fmt.Sprintf("outside %v", counts)
}

func (r *random) forgetSome() string {
	who := person(r.IntN(randomPeople))
	want := r.m.forget(who.Person, r.now)
	got, err := r.Forget(r.ctx, acme, who.Person, r.now)
	r.ok(err)
	want.Keys = got.Keys
	if got != want {
		r.fail("forget: got %+v, want %+v", got, want)
	}
	return "forget"
}

func (r *random) unpark() string {
	n := 0
	for _, p := range r.m.parties {
		if p.parked && !p.dismissed {
			p.parked, p.due = false, r.now
			n++
		}
	}
	if got, err := r.Unpark(r.ctx, acme, "", r.now); err != nil || got != n {
		r.fail("unpark: %d, %v; want %d", got, err, n)
	}
	return "unpark"
}

// deliver takes a batch, perhaps lets something change meanwhile, and settles.
func (r *random) deliver() string {
	lanes := r.lanes()
	if len(lanes) == 0 {
		return "nothing due"
	}
	lease, won, err := r.Claim(r.ctx, lanes[r.IntN(len(lanes))].Lane, "random", r.now, time.Minute)
	if r.ok(err); !won {
		r.fail("a free lane was not given")
	}
	batch, err := r.Take(r.ctx, lease, 1+r.IntN(8), r.now)
	r.ok(err)
	if r.IntN(3) == 0 {
		r.reviseSome()
	}
	var outcomes []turnout.Outcome
	for _, b := range batch {
		o := done(b.Registration)
		switch r.IntN(8) {
		case 0:
			o.Result, o.RetryAt = turnout.ResultRetry, r.now.Add(time.Duration(r.IntN(20))*time.Second)
		case 1:
			o.Result, o.Parked = turnout.ResultParked, &turnout.Parked{Code: "X", At: r.now}
		}
		outcomes = append(outcomes, o)
		r.m.settle(o)
	}
	r.ok(r.Settle(r.ctx, lease, outcomes, time.Time{}))
	return fmt.Sprintf("deliver %d", len(batch))
}

// compare holds everything that can be seen against the model.
func (r *random) compare(what string) {
	r.Helper()
	r.log = append(r.log, what)
	defer func() { r.log = r.log[:len(r.log)-1] }()
	all, err := r.Seatings(r.ctx, acme)
	r.ok(err)
	for event, me := range r.m.events {
		if len(all[event]) != len(me.limits) {
			r.fail("%s has pools %v, want %v", event, all[event], me.limits)
		}
		for pool, limit := range me.limits {
			want := turnout.Seating{Pool: pool, Limit: limit, Taken: r.m.taken(event, pool), Outside: me.outside[pool], Waiting: me.waiting[pool]}
			if got := all[event][pool]; got != want {
				r.fail("%s %s stands at %+v, want %+v", event, pool, got, want)
			}
		}
	}
	r.compareParties()
}

// compareParties looks at all now and then, and otherwise at a few.
func (r *random) compareParties() {
	r.Helper()
	some := r.m.parties
	if len(some) > 10 && len(r.log)%50 != 0 {
		i := r.IntN(len(some) - 5)
		some = slices.Concat(some[i:i+5], some[len(some)-5:])
	}
	for _, p := range some {
		got := r.read(p.key)
		same := got.Status == p.status && got.Revision == p.revision && got.Delivered == p.delivered && got.Due.Equal(p.due) &&
			(got.Parked != nil) == p.parked && !got.Dismissed.IsZero() == p.dismissed && (got.Sealed == nil) == p.erased && got.Link == p.link && slices.Equal(got.Claims, p.claims)
		if !same {
			r.fail("%s rests as %+v, want %+v", p.key, got, *p)
		}
	}
	waiting := map[turnout.EventID]int{}
	for _, p := range r.m.parties {
		if !p.due.IsZero() && !p.due.After(r.now) {
			waiting[p.event]++
		}
	}
	lanes, err := r.Lanes(r.ctx, r.now, 1<<20)
	r.ok(err)
	lanes = due(lanes)
	if len(lanes) != len(waiting) {
		r.fail("%d lanes are due, want %d", len(lanes), len(waiting))
	}
	for _, l := range lanes {
		if l.Waiting != waiting[l.Event] {
			r.fail("%d are due in %s, want %d", l.Waiting, l.Event, waiting[l.Event])
		}
	}
}

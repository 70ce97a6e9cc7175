//go:build e2e

package e2e

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// shoppers register, each submission until there is a clear answer: taken, or full.
type shoppers struct {
	t    *testing.T
	slug string
	send func(slug, key string) (reply, error)

	acknowledged          sync.Map
	accepted, full, again atomic.Int64
}

// shoppers of a fleet go to its instances in turn.
func (f *fleet) shoppers(slug string) *shoppers {
	return &shoppers{t: f.t, slug: slug, send: func(slug, key string) (reply, error) { return f.registerAt(f.next(), slug, key) }}
}

// comeUntil has n of them register again and again until stop is closed; what it
// returns waits for what they began.
func (s *shoppers) comeUntil(stop <-chan struct{}, n int) *sync.WaitGroup {
	var all sync.WaitGroup
	for c := range n {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					s.register(fmt.Sprintf("%s-%d-%d", s.slug, c, i))
				}
			}
		})
	}
	return &all
}

// register reports whether the submission was taken.
func (s *shoppers) register(key string) bool {
	for range 600 {
		r, err := s.send(s.slug, key)
		switch {
		case err == nil && (r.status == http.StatusCreated || r.status == http.StatusOK):
			s.acknowledged.Store(key, true)
			s.accepted.Add(1)
			return true
		case err == nil && r.status == http.StatusConflict:
			s.full.Add(1)
			return false
		case err == nil && r.status != http.StatusServiceUnavailable:
			s.t.Errorf("%s: %d %s", key, r.status, r.body)
			return false
		}
		s.again.Add(1)
		pass(100 * time.Millisecond)
	}
	s.t.Errorf("%s: no clear answer in a minute", key)
	return false
}

// P2: the on-sale of 5,000 submissions for 1,000 seats over three instances
// accepts exactly 1,000, and Salesforce gets each of them once.
func TestP2OnSaleOverThreeInstances(t *testing.T) {
	f := startFleet(t)
	id := f.event("onsale", 1000, nil)
	s := f.shoppers("onsale")
	work := make(chan int)
	var clients sync.WaitGroup
	for range 150 {
		clients.Go(func() {
			for i := range work {
				s.register(fmt.Sprintf("sale-%d", i))
			}
		})
	}
	for i := range 5000 {
		work <- i
	}
	close(work)
	clients.Wait()
	if s.accepted.Load() != 1000 || s.full.Load() != 4000 || s.again.Load() != 0 {
		t.Errorf("P2: %d accepted, %d told full, %d told to try again; want 1000, 4000, 0", s.accepted.Load(), s.full.Load(), s.again.Load())
	}
	f.allArrive(id, "onsale", &s.acknowledged, 1000)
	if n := f.stats().MaxInFlight; n != 1 {
		t.Errorf("P4: %d calls at once under one parent", n)
	}
}

// P1, P4: an instance that is killed while it delivers hands its lanes on to the
// others, who send what it had under way again: each is in Salesforce once.
func TestP1KilledInstanceHandsItsLanesOn(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	s, ids := map[string]*shoppers{}, map[string]string{}
	for i := range 6 {
		slug := fmt.Sprintf("lane-%d", i)
		ids[slug], s[slug] = f.event(slug, -1, nil), f.shoppers(slug)
	}
	f.sim(http.MethodPut, "/_sim/faults", `{"latency_ms": 2000}`, nil) // leases are held for long
	for slug, one := range s {
		for i := range 30 {
			one.register(fmt.Sprintf("%s-%d", slug, i))
		}
	}
	const held = `SELECT count(*) FROM lanes WHERE lease_until > 0 AND owner = $1`
	var victim *process
	f.within(30*time.Second, "an instance that delivers", func() bool {
		for _, p := range f.instances {
			var n int
			if f.query(&n, held, p.name); n > 0 {
				victim = p
				return true
			}
		}
		return false
	})
	f.kill(victim)
	// Instances and PostgreSQL have one clock here.
	const lasts = `SELECT coalesce(max(lease_until) - floor(extract(epoch FROM clock_timestamp()) * 1000), 0)::bigint FROM lanes WHERE lease_until > 0 AND owner = $1`
	var left, ms int
	if f.query(&left, held, victim.name); left == 0 {
		t.Log("it had just given its lanes back")
	}
	if f.query(&ms, lasts, victim.name); ms > 10_000 {
		t.Errorf("its leases last for %d ms after it", ms)
	}
	f.instances = without(f.instances, victim)
	f.sim(http.MethodPut, "/_sim/faults", `{}`, nil)
	for slug, one := range s {
		for i := range 5 {
			one.register(fmt.Sprintf("%s-late-%d", slug, i))
		}
	}
	for slug, one := range s {
		f.within(60*time.Second, "all of "+slug, func() bool { return len(f.arrived(ids[slug])) == int(one.accepted.Load()) })
	}
	if f.query(&left, held, victim.name); left != 0 {
		t.Errorf("%s still holds %d lanes", victim.name, left)
	}
	if s := f.stats(); s.Duplicates != 0 || s.MaxInFlight != 1 {
		t.Errorf("P1: Salesforce refused %d duplicates; P4: %d calls at once under one parent", s.Duplicates, s.MaxInFlight)
	}
}

func without(all []*process, gone *process) (rest []*process) {
	for _, p := range all {
		if p != gone {
			rest = append(rest, p)
		}
	}
	return rest
}

// P5: an Update in Salesforce shows on every instance, wherever its hook arrived.
func TestP5UpdateShowsOnEveryInstance(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	id := f.event("feed", 10, nil)
	for i := range 3 {
		pass(1100 * time.Millisecond) // the same hook twice in a second would be a replay
		title := fmt.Sprintf("Anew %d", i)
		f.salesforce(http.MethodPatch, "/sobjects/Turnout_Event__c/"+id, map[string]any{"Name": title})
		f.sim(http.MethodPost, "/_sim/events/"+id+"/update", "", nil)
		f.within(20*time.Second, title+" on every instance", func() bool {
			return f.everywhere("/events/feed", func(r reply) bool { return strings.Contains(r.body, title) })
		})
	}
}

// P1, P3: PostgreSQL is killed by kill -9 under load, twice. While it is away the
// pages go on from memory and a form answers "try again in a minute" with what was
// typed kept; the instances recover by themselves, and what was acknowledged is
// in Salesforce once.
func TestP1PostgreSQLKilledUnderLoad(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	id := f.event("away", -1, nil)
	s := f.shoppers("away")
	stop := make(chan struct{})
	clients := s.comeUntil(stop, 12)
	for range 2 {
		grow(f.demo, &s.accepted, 200)
		typed := f.form(f.instances[0], "away", url.Values{"ticket": {"std"}, "first_name": {"Odilia"}, "last_name": {"Quentbrook"}, "email": {"odilia@example.com"}})
		if err := f.server.Kill(); err != nil {
			t.Fatal(err)
		}
		grow(f.demo, &s.again, 12)
		f.goesOnWithoutStore(typed)
		if err := f.server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		grow(f.demo, &s.accepted, 100)
		for _, p := range f.instances { // each by itself; the same key is one registration
			f.within(30*time.Second, "the form at "+p.name, func() bool { return f.send(p, "away", typed).status == http.StatusSeeOther })
		}
		s.acknowledged.Store(typed.Get("key"), true)
	}
	close(stop)
	clients.Wait()
	t.Logf("%d acknowledged, %d told to try again", s.accepted.Load(), s.again.Load())
	f.allArrive(id, "away", &s.acknowledged, math.MaxInt)
}

// grow waits for a count to grow by n.
func grow(d *demo, count *atomic.Int64, n int64) {
	d.t.Helper()
	from := count.Load()
	d.within(60*time.Second, fmt.Sprintf("%d more", n), func() bool { return count.Load() >= from+n })
}

// goesOnWithoutStore looks at what visitors see while the store is away.
func (f *fleet) goesOnWithoutStore(typed url.Values) {
	f.t.Helper()
	for _, path := range []string{"/", "/events/away", "/events/away/register"} {
		if !f.served(path) {
			f.t.Errorf("%s is not served by every instance while the store is away", path)
		}
	}
	for _, p := range f.instances {
		r := f.send(p, "away", typed)
		if r.status != http.StatusServiceUnavailable || !strings.Contains(r.body, "Quentbrook") || !strings.Contains(r.body, "in a minute") || !strings.Contains(r.body, typed.Get("key")) {
			f.t.Errorf("%s answers a form with %d, and typed is kept: %v\n%s", p.name, r.status, strings.Contains(r.body, "Quentbrook"), r.body)
		}
		if api, err := f.registerAt(p, "away", "away-api"); err == nil && api.status < 500 {
			f.t.Errorf("%s answers the API with %d while the store is away", p.name, api.status)
		}
	}
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// P1, P2: kill -9 of an instance at random moments under load, 20 times.
// Every acknowledged registration is in Salesforce exactly once, none twice,
// no seat over. Clients are slow enough that seats last through all the kills,
// and hurry after the last one, so that the seats run out as well.
func TestP1KillNineTwentyTimes(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	d := startDemo(t)
	const seats, kills = 2500, 20
	id := d.event("kill", seats, nil)

	visitors := &registrants{d: d, slug: "kill", hurry: make(chan struct{})}
	var clients sync.WaitGroup
	for c := range 16 {
		clients.Go(func() { visitors.client(c) })
	}
	killed := map[int]bool{}
	for kill := range kills {
		pass(time.Duration(100+rng.IntN(700)) * time.Millisecond)
		d.killInstance(rng, killed)
		// Three of four kills are followed by something accepted, so that there is
		// something to lose; the fourth, that both instances may be down at once.
		if since := visitors.acknowledgements.Load(); kill%4 != 3 {
			d.within(20*time.Second, "a registration after a kill", func() bool {
				return visitors.acknowledgements.Load() > since || visitors.full.Load() > 0 // which is said below
			})
		}
	}
	pass(time.Second)
	during := visitors.acknowledgements.Load()
	if n := visitors.full.Load(); n != 0 {
		t.Errorf("%d were told full before the last kill: too few seats for the test to mean anything", n)
	}
	close(visitors.hurry)
	clients.Wait()
	t.Logf("%d acknowledged, %d of them in the middle of kills, %d told full, %d attempts without a clear answer",
		visitors.acknowledgements.Load(), during, visitors.full.Load(), visitors.unsure.Load())
	if len(killed) != kills {
		t.Errorf("%d processes were killed, want %d", len(killed), kills)
	}
	d.allArrive(id, "kill", &visitors.acknowledged, seats)
}

// registrants register for one event, each client one after the other.
type registrants struct {
	d    *demo
	slug string
	// hurry is closed when clients are to pause no more, and stop when told full.
	hurry chan struct{}

	acknowledged                   sync.Map
	acknowledgements, full, unsure atomic.Int64
}

// client registers every 200 ms or so, and without a pause in the end.
func (c *registrants) client(number int) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		taken := c.register(fmt.Sprintf("%s-%d-%d", c.slug, number, i))
		select {
		case <-c.d.t.Context().Done():
			return // the test has failed
		case <-c.hurry:
			if !taken {
				return
			}
		case <-tick.C:
		}
	}
}

// register sends one submission until there is a clear answer, as a browser's
// user does, and reports whether it was taken.
func (c *registrants) register(key string) bool {
	for range 100 {
		r, err := c.d.register(c.slug, key, nil)
		switch {
		case err == nil && r.status < 300:
			c.acknowledged.Store(key, true)
			c.acknowledgements.Add(1)
			return true
		case err == nil && r.status == http.StatusConflict:
			c.full.Add(1)
			return false
		}
		c.unsure.Add(1) // when they hurry, the edge asks them to wait
		if c.d.t.Context().Err() != nil {
			return false
		}
		pass(50 * time.Millisecond)
	}
	return false
}

// killInstance kills an instance that runs, other than those in killed, and
// adds it to them.
func (d *demo) killInstance(rng *rand.Rand, killed map[int]bool) {
	d.t.Helper()
	d.within(10*time.Second, "an instance to kill", func() bool {
		pids := d.serving()
		if len(pids) == 0 {
			return false
		}
		pid := pids[rng.IntN(len(pids))]
		if pid <= 0 || killed[pid] {
			return false // not started again yet, or the ready file still names it
		}
		err := syscall.Kill(pid, syscall.SIGKILL)
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			d.t.Fatal(err)
		}
		if err == nil {
			killed[pid] = true
		}
		return err == nil
	})
}

// allArrive waits until every acknowledged registration is in Salesforce and
// nothing more comes, and checks that each is there exactly once, that nobody is
// beyond the seats, and that both sides count the same where Turnout counts.
func (d *demo) allArrive(event, slug string, acknowledged *sync.Map, seats int) {
	d.t.Helper()
	arrived, missing := d.settled(event, acknowledged)
	if missing > 0 {
		d.t.Errorf("P1: %d acknowledged registrations are not in Salesforce", missing)
	}
	held := 0
	for _, r := range arrived {
		if r["Status__c"] == "Registered" {
			held++
		}
	}
	if held > seats {
		d.t.Errorf("P2: %d hold seats, there are %d", held, seats)
	}
	if left := d.seatsLeft(slug); left >= 0 && left != seats-held {
		d.t.Errorf("P2: %d of %d seats are held in Salesforce, and Turnout has %d left", held, seats, left)
	}
	if n := d.stats().Duplicates; n != 0 {
		d.t.Errorf("P1: Salesforce refused %d duplicates", n)
	}
}

// settled waits until nothing acknowledged is missing and the records have not
// become more for as long as any retry of a healthy org waits.
func (d *demo) settled(event string, acknowledged *sync.Map) (arrived map[string]map[string]any, missing int) {
	d.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	last, since := -1, time.Now()
	for time.Now().Before(deadline) {
		arrived, missing = d.arrived(event), 0
		acknowledged.Range(func(key, _ any) bool {
			if arrived[key.(string)] == nil {
				missing++
			}
			return true
		})
		if len(arrived) != last {
			last, since = len(arrived), time.Now()
		}
		if missing == 0 && time.Since(since) > 11*time.Second {
			break
		}
		pass(250 * time.Millisecond)
	}
	return arrived, missing
}

// seatsLeft is what Turnout says of the one ticket of an event, -1 for no limit.
func (d *demo) seatsLeft(slug string) int {
	d.t.Helper()
	var event struct {
		Tickets []struct {
			SeatsLeft *int `json:"seats_left"`
		}
	}
	if r := d.get("/api/v1/events/" + slug); json.Unmarshal([]byte(r.body), &event) != nil || len(event.Tickets) != 1 {
		d.t.Fatalf("%d %s", r.status, r.body)
	}
	if event.Tickets[0].SeatsLeft == nil {
		return -1
	}
	return *event.Tickets[0].SeatsLeft
}

// P2: an on-sale of 5,000 submissions for 1,000 seats from 200 clients accepts
// exactly 1,000.
func TestP2OnSaleAcceptsExactlyTheSeats(t *testing.T) {
	d := startDemo(t)
	id := d.event("onsale", 1000, nil)
	var acknowledged sync.Map
	var accepted, full, other atomic.Int64
	work := make(chan int)
	var clients sync.WaitGroup
	for range 200 {
		clients.Go(func() {
			for i := range work {
				key := fmt.Sprintf("sale-%d", i)
				r, err := d.register("onsale", key, nil)
				switch {
				case err == nil && r.status == http.StatusCreated:
					accepted.Add(1)
					acknowledged.Store(key, true)
				case err == nil && r.status == http.StatusConflict:
					full.Add(1)
				default:
					other.Add(1)
					t.Logf("%s: %d %s %v", key, r.status, r.body, err)
				}
			}
		})
	}
	begin := time.Now()
	for i := range 5000 {
		work <- i
	}
	close(work)
	clients.Wait()
	t.Logf("5,000 submissions answered in %v", time.Since(begin).Round(time.Millisecond))
	if accepted.Load() != 1000 || full.Load() != 4000 || other.Load() != 0 {
		t.Errorf("P2: %d accepted, %d told full, %d otherwise; want 1000, 4000, 0", accepted.Load(), full.Load(), other.Load())
	}
	d.allArrive(id, "onsale", &acknowledged, 1000)
	if s := d.stats(); s.MaxInFlight != 1 {
		t.Errorf("P4: %d calls at once under one parent", s.MaxInFlight)
	}
}

// P1: with Salesforce misbehaving in every way in turn, nothing is lost,
// nothing is twice, seats are exact, and the pages never notice. Seats last
// through all of it, so that there is something to deliver under each fault.
func TestP1FaultsInTurn(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	const seats = 3000 // for as long as it may take
	id := d.event("faults", seats, nil)
	var acknowledged sync.Map
	always := func(stats) bool { return true }
	n := 0
	for _, f := range []struct {
		fault string
		met   func(stats) bool // whether a delivery has met it
	}{
		{`{"outage_seconds": 5}`, func(s stats) bool { return s.Calls["refused_outage"] > 0 }},
		{`{"lose_reply_rate": 0.2}`, func(s stats) bool { return s.Lost > 0 }},
		{`{"lock_rate": 0.2}`, func(s stats) bool { return s.Locked > 0 }},
		{`{"expire_tokens": true}`, always},
		{`{"error_rate": 0.3, "latency_ms": 200}`, func(s stats) bool { return s.Calls["refused_error"] > 0 }},
	} {
		d.sim(http.MethodPut, "/_sim/faults", f.fault, nil)
		taken, begin := 0, time.Now()
		// By chance a rate may spare all the calls of six seconds, of which there are some
		// five, and of twenty.
		for since := time.Duration(0); since < 6*time.Second || since < 90*time.Second && !f.met(d.stats()); since = time.Since(begin) {
			key := fmt.Sprintf("fault-%d", n)
			n++
			if d.registerAndLook("faults", key, f.fault) {
				acknowledged.Store(key, true)
				taken++
			}
			pass(50 * time.Millisecond)
		}
		if taken == 0 || !f.met(d.stats()) {
			t.Errorf("with %s %d registrations were taken, and deliveries met it: %v", f.fault, taken, f.met(d.stats()))
		}
	}
	d.sim(http.MethodPut, "/_sim/faults", `{}`, nil)
	s := d.stats()
	t.Logf("%d submissions under faults, %d replies lost, %d lock refusals", n, s.Lost, s.Locked)
	d.allArrive(id, "faults", &acknowledged, seats)
}

// registerAndLook registers and opens the event's page, neither of which may
// notice a fault of Salesforce (P3), and reports whether there was a seat.
func (d *demo) registerAndLook(slug, key, fault string) bool {
	d.t.Helper()
	begin := time.Now()
	r, err := d.register(slug, key, nil)
	if err != nil || (r.status != http.StatusCreated && r.status != http.StatusConflict) {
		d.t.Fatalf("P3: with %s a registration got %d %s %v", fault, r.status, r.body, err)
	}
	if page := d.get("/events/" + slug); page.status != http.StatusOK {
		d.t.Fatalf("P3: with %s the page got %d", fault, page.status)
	}
	if took := time.Since(begin); took > 4*time.Second {
		d.t.Errorf("P3: with %s a registration and a page took %v", fault, took)
	}
	return r.status == http.StatusCreated
}

// P1: SIGTERM lets requests that are under way finish; nothing acknowledged is
// lost by stopping everything and starting it again on the same directory.
func TestP1StopAndStartAgain(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "turnout-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var acknowledged sync.Map
	var id string
	t.Run("before", func(t *testing.T) {
		d := startDemo(t, "--dir", dir)
		id = d.event("again", -1, nil)
		d.sim(http.MethodPut, "/_sim/faults", `{"outage_seconds": 3600}`, nil)
		for i := range 30 {
			key := fmt.Sprintf("again-%d", i)
			if r, err := d.register("again", key, nil); err == nil && r.status == http.StatusCreated {
				acknowledged.Store(key, true)
			}
		}
	})
	t.Run("after", func(t *testing.T) {
		d := startDemo(t, "--dir", dir)
		d.sim(http.MethodPut, "/_sim/faults", `{}`, nil)
		d.allArrive(id, "again", &acknowledged, 30)
	})
}

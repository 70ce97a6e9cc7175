//go:build e2e

package e2e

import (
	"encoding/json"
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
// no seat over.
func TestP1KillNineTwentyTimes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	d := startDemo(t)
	const seats = 900
	id := d.event("kill", seats, nil)

	var acknowledged sync.Map
	var count, full, unsure atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for c := range 16 {
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("kill-%d-%d", c, i)
				// A client that gets no answer sends the same again, as a browser's user does.
				for range 50 {
					r, err := d.register("kill", key, nil)
					if err == nil && r.status < 300 {
						acknowledged.Store(key, true)
						count.Add(1)
						break
					}
					if err == nil && r.status == http.StatusConflict {
						full.Add(1)
						break
					}
					unsure.Add(1)
					pass(50 * time.Millisecond)
				}
				pass(10 * time.Millisecond)
			}
		})
	}
	for range 20 {
		pass(time.Duration(100+rng.IntN(700)) * time.Millisecond)
		d.reload()
		pids := d.ready.PIDs["instance"]
		if pid := pids[rng.IntN(len(pids))]; pid > 0 {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	clients.Wait()
	t.Logf("%d acknowledged, %d told full, %d attempts without a clear answer", count.Load(), full.Load(), unsure.Load())
	if count.Load() == 0 {
		t.Fatal("nothing was accepted")
	}
	d.allArrive(id, "kill", &acknowledged, seats)
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
// nothing is twice, seats are exact, and the pages never notice.
func TestP1FaultsInTurn(t *testing.T) {
	d := startDemo(t)
	const seats = 400
	id := d.event("faults", seats, nil)
	var acknowledged sync.Map
	n := 0
	for _, fault := range []string{
		`{"outage_seconds": 5}`, `{"lose_reply_rate": 0.2}`, `{"lock_rate": 0.2}`, `{"expire_tokens": true}`, `{"error_rate": 0.3, "latency_ms": 200}`,
	} {
		d.sim(http.MethodPut, "/_sim/faults", fault, nil)
		end := time.Now().Add(6 * time.Second)
		for time.Now().Before(end) {
			key := fmt.Sprintf("fault-%d", n)
			n++
			begin := time.Now()
			r, err := d.register("faults", key, nil)
			if err != nil || (r.status != http.StatusCreated && r.status != http.StatusConflict) {
				t.Fatalf("P3: with %s a registration got %d %s %v", fault, r.status, r.body, err)
			}
			if r.status == http.StatusCreated {
				acknowledged.Store(key, true)
			}
			if page := d.get("/events/faults"); page.status != http.StatusOK {
				t.Fatalf("P3: with %s the page got %d", fault, page.status)
			}
			if took := time.Since(begin); took > 4*time.Second {
				t.Errorf("P3: with %s a registration and a page took %v", fault, took)
			}
			pass(50 * time.Millisecond)
		}
	}
	d.sim(http.MethodPut, "/_sim/faults", `{}`, nil)
	t.Logf("%d submissions under faults", n)
	d.allArrive(id, "faults", &acknowledged, seats)
}

// P1: SIGTERM lets requests that are under way finish; nothing acknowledged is
// lost by stopping everything and starting it again on the same directory.
func TestP1StopAndStartAgain(t *testing.T) {
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

package edge

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/limit"
)

// passing is somebody who waits at a turnstile.
type passing struct {
	cancel context.CancelFunc
	got    chan bool
}

func waitAt(t *testing.T, stile *turnstile, share *limit.Share, most int) *passing {
	ctx, cancel := context.WithCancel(t.Context())
	p := &passing{cancel: cancel, got: make(chan bool, 1)}
	go func() {
		p.got <- stile.pass(ctx, most, time.Second, func() bool { return share.Acquire(1, 1) })
	}()
	synctest.Wait() // so that the next one comes later
	return p
}

func TestP11PlacesGoByArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stile turnstile
		var share limit.Share
		share.Acquire(1, 1)
		free := func() { share.Release(); stile.call(); synctest.Wait() }
		first, gone, last := waitAt(t, &stile, &share, 3), waitAt(t, &stile, &share, 3), waitAt(t, &stile, &share, 3)
		if p := waitAt(t, &stile, &share, 3); <-p.got {
			t.Error("a fourth waits where three may")
		}
		free()
		if len(first.got) != 1 || len(last.got) != 0 {
			t.Fatal("the place did not go to who came first")
		}
		gone.cancel()
		synctest.Wait()
		free()
		if !<-first.got || <-gone.got || !<-last.got {
			t.Error("who hung up stands in the way, or was given a place")
		}
		late := waitAt(t, &stile, &share, 3)
		time.Sleep(time.Second) //nolint:forbidigo // the bubble's clock
		if <-late.got {
			t.Error("a place was given that nobody gave back")
		}
		if free(); !<-waitAt(t, &stile, &share, 3).got || stile.count.Load() != 0 {
			t.Error("the turnstile does not let through where nobody waits")
		}
	})
}

// A call is never lost: whoever waits gets the place that came free meanwhile.
func TestTurnstileUnderContention(t *testing.T) {
	var stile turnstile
	var share limit.Share
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				if !stile.pass(t.Context(), 100, time.Minute, func() bool { return share.Acquire(2, 1) }) {
					t.Error("nobody gave a place back for a minute")
					return
				}
				share.Release()
				stile.call()
			}
		})
	}
	all.Wait()
	if share.InUse() != 0 || stile.count.Load() != 0 || stile.waiting.Len() != 0 {
		t.Errorf("%d places, %d waiting are left", share.InUse(), stile.count.Load())
	}
}

// P11: what is sent at once beyond the org's places waits for them; nobody who
// filled in a form is told to do it again.
func TestP11ABurstWaitsForPlaces(t *testing.T) {
	plan := stacks()
	plan.Orgs[0].Placement.Allowance = turnout.Allowance{Share: 0.01}
	s := onStage(t, plan, func(o *Options) { o.Patience = time.Minute })
	arrived, held := make(chan struct{}, 1000), make(chan struct{})
	for _, in := range s.instances {
		in.answer = func(w http.ResponseWriter, _ *http.Request) {
			arrived <- struct{}{}
			<-held
			w.WriteHeader(http.StatusSeeOther)
		}
	}
	site := s.view.Load().sites["acme.example"]
	burst := 3 * site.part()
	codes := make(chan int, burst)
	for range burst {
		go func() {
			r := httptest.NewRequest(http.MethodPost, "http://acme.example/events/gala/register", strings.NewReader("key=k"))
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			codes <- w.Code
		}()
	}
	for range site.part() {
		<-arrived
	}
	close(held)
	got := map[int]int{}
	for range burst {
		got[<-codes]++
	}
	if got[http.StatusSeeOther] != burst {
		t.Errorf("%d submissions at %d places were answered %v", burst, site.part(), got)
	}
	if n := site.tenant.stile.count.Load(); n != 0 {
		t.Errorf("%d wait on", n)
	}
}

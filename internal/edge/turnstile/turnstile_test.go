package turnstile

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout/internal/limit"
)

// passing is somebody who waits at a turnstile.
type passing struct {
	cancel context.CancelFunc
	got    chan bool
}

func waitAt(t *testing.T, stile *Turnstile, share *limit.Share, most int) *passing {
	ctx, cancel := context.WithCancel(t.Context())
	p := &passing{cancel: cancel, got: make(chan bool, 1)}
	go func() {
		p.got <- stile.Pass(ctx, most, time.Second, func() bool { return share.Acquire(1, 1) })
	}()
	synctest.Wait() // so that the next one comes later
	return p
}

func TestP11PlacesGoByArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stile Turnstile
		var share limit.Share
		share.Acquire(1, 1)
		free := func() { share.Release(); stile.Call(); synctest.Wait() }
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
		if free(); !<-waitAt(t, &stile, &share, 3).got || stile.Waiting() != 0 {
			t.Error("the turnstile does not let through where nobody waits")
		}
	})
}

// A call is never lost: whoever waits gets the place that came free meanwhile.
func TestTurnstileUnderContention(t *testing.T) {
	var stile Turnstile
	var share limit.Share
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				if !stile.Pass(t.Context(), 100, time.Minute, func() bool { return share.Acquire(2, 1) }) {
					t.Error("nobody gave a place back for a minute")
					return
				}
				share.Release()
				stile.Call()
			}
		})
	}
	all.Wait()
	if share.InUse() != 0 || stile.Waiting() != 0 || stile.waiting.Len() != 0 {
		t.Errorf("%d places, %d waiting are left", share.InUse(), stile.Waiting())
	}
}

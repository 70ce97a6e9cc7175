package pace

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSmallHeapsGatherMore(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{0: 400, mib: 400, 10 * mib: 400, 20 * mib: 200, 32 * mib: 125, 33 * mib: 100, 64 * mib: 100, 500 * mib: 100, 1 << 40: 100} {
		if got := percent(live); got != want {
			t.Errorf("%d MiB in use: %d percent, want %d", live/mib, got, want)
		}
	}
}

func TestThePaceIsSetAndGivenBack(t *testing.T) {
	t.Setenv("GOGC", "")
	paced(t, 400)
}

// The stacks of many goroutines count, as they do where Go sets its goal.
func TestStacksCount(t *testing.T) {
	const many, deep = 500, 32 << 10
	look := scanned()
	runtime.GC()
	before := look()
	var ready, done sync.WaitGroup
	leave := make(chan struct{})
	for range many {
		ready.Add(1)
		done.Go(func() {
			var stack [deep]byte
			ready.Done()
			<-leave
			runtime.KeepAlive(&stack)
		})
	}
	ready.Wait()
	runtime.GC()
	after := look()
	close(leave)
	done.Wait()
	if after < before+many*deep {
		t.Errorf("%d goroutines with %d bytes of stack each count for %d", many, deep, after-before)
	}
}

func TestAnOperatorsPaceStands(t *testing.T) {
	t.Setenv("GOGC", "70")
	paced(t, 123)
}

func TestThePaceFollowsTheHeap(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(123))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var live atomic.Uint64
		done := make(chan struct{})
		go func() { follow(ctx, live.Load); close(done) }()
		for _, step := range []struct {
			live uint64
			want int
		}{{0, 400}, {300 << 20, 100}, {32 << 20, 125}, {33 << 20, 100}, {0, 400}} {
			live.Store(step.live)
			time.Sleep(every) //nolint:forbidigo // the bubble's clock
			synctest.Wait()
			got := debug.SetGCPercent(-1)
			debug.SetGCPercent(got)
			if got != step.want {
				t.Errorf("with %d bytes in use: %d percent, want %d", step.live, got, step.want)
			}
		}
		cancel()
		<-done
	})
}

// paced runs it in a process whose pace is 123 and wants one while it runs.
func paced(t *testing.T, want int) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(123))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- Run(ctx) }()
		time.Sleep(every + time.Millisecond) //nolint:forbidigo // the bubble's clock
		synctest.Wait()
		if got := debug.SetGCPercent(-1); got != want { // a test's heap is small
			t.Errorf("%d percent, want %d", got, want)
		}
		debug.SetGCPercent(want)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if got := debug.SetGCPercent(123); got != 123 {
		t.Errorf("%d percent afterwards", got)
	}
}

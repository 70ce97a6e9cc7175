package pace

import (
	"context"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

func TestSmallHeapsGatherMore(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{0: 400, mib: 400, 16 * mib: 400, 20 * mib: 300, 32 * mib: 200, 33 * mib: 175, 64 * mib: 100, 500 * mib: 100, 1 << 40: 100} {
		if got := percent(live); got != want {
			t.Errorf("%d MiB in use: %d percent, want %d", live/mib, got, want)
		}
	}
}

func TestThePaceIsSetAndGivenBack(t *testing.T) {
	t.Setenv("GOGC", "")
	paced(t, 400)
}

func TestAnOperatorsPaceStands(t *testing.T) {
	t.Setenv("GOGC", "70")
	paced(t, 123)
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

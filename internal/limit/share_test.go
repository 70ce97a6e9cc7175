package limit

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestP7ShareIsAPartOfTheCapacity(t *testing.T) {
	for _, c := range []struct {
		capacity int
		fraction float64
		want     int
	}{{100, 0.25, 25}, {10, 0.25, 2}, {3, 0.1, 1}, {0, 0.5, 1}, {-5, 0.5, 1}, {8, 2, 8}, {8, -1, 1}} {
		var s Share
		n := 0
		for s.Acquire(c.capacity, c.fraction) {
			n++
		}
		if n != c.want || s.InUse() != c.want {
			t.Errorf("%d × %v: %d places, want %d", c.capacity, c.fraction, n, c.want)
		}
		s.Release()
		if !s.Acquire(c.capacity, c.fraction) || s.Acquire(c.capacity, c.fraction) {
			t.Errorf("%d × %v: a place that was given back is one place", c.capacity, c.fraction)
		}
	}
}

func TestConcurrentShareNeverExceeds(t *testing.T) {
	var s Share
	var now, most atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				if !s.Acquire(12, 0.25) {
					continue
				}
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				now.Add(-1)
				s.Release()
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 || s.InUse() != 0 {
		t.Errorf("%d at once, %d left over", most.Load(), s.InUse())
	}
}

func TestReleaseWithoutAcquire(t *testing.T) {
	for name, release := range map[string]func(){
		"share":    func() { new(Share).Release() },
		"adaptive": func() { NewAdaptive(AdaptiveOptions{}).Release(1, Success) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("went unnoticed")
				}
			}()
			release()
		})
	}
}

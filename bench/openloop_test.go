package bench

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// kind is what a visitor did.
type kind int

const (
	aPage kind = iota
	aRegistration
)

// visits is how it went for visitors.
type visits struct {
	pages, registrations latencies
	failed               int
	last                 error
}

func (v visits) String() string {
	return fmt.Sprintf("pages %v; registrations %v; %d failed, the last with %v", v.pages, v.registrations, v.failed, v.last)
}

// latencies are in milliseconds, sorted.
type latencies []float64

func (l latencies) String() string {
	return fmt.Sprintf("%d: p50 %.1f ms, p99 %.1f ms, most %.1f ms", len(l), l.quantile(0.5), l.quantile(0.99), l.quantile(1))
}

func (l latencies) quantile(q float64) float64 {
	if len(l) == 0 {
		return 0
	}
	return l[min(len(l)-1, int(q*float64(len(l))))]
}

// openLoop starts visitors at a rate a second, whether earlier ones are done or
// not, while more says so; it is asked twice a second. A latency counts from when
// the visitor was to come.
func openLoop(rate float64, more func(elapsed time.Duration) bool, visit func(n int) (kind, error)) visits {
	var mu sync.Mutex
	var v visits
	var all sync.WaitGroup
	begin, going := time.Now(), make(chan struct{})
	go func() {
		defer close(going)
		tick := time.NewTicker(time.Second / 2)
		defer tick.Stop()
		for more(time.Since(begin)) {
			<-tick.C
		}
	}()
	for n := 0; ; n++ {
		due := begin.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		select {
		case <-going:
			all.Wait()
			slices.Sort(v.pages)
			slices.Sort(v.registrations)
			return v
		case <-time.After(time.Until(due)):
		}
		all.Go(func() {
			kind, err := visit(n)
			took := float64(time.Since(due).Microseconds()) / 1000
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				v.failed, v.last = v.failed+1, err
			case kind == aPage:
				v.pages = append(v.pages, took)
			default:
				v.registrations = append(v.registrations, took)
			}
		})
	}
}

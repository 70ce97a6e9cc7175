// Package pace has Go's collector work less often while the heap is small.
//
// An instance that takes ten thousand registrations a second has four megabytes in use
// and makes over a hundred a second, so that at Go's own pace it is collected thirty
// times a second, a tenth of all that it does. Some megabytes more buy most of that
// back: five times. A heap of hundreds, where as many percent would be memory that
// matters, keeps Go's own pace (docs/decisions/0027-collecting-less-often.md).
package pace

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// spare is how much garbage a small heap may gather until it is collected.
	spare = 40 << 20
	// least is Go's own pace, most what more is not worth: percent of what is scanned.
	least, most = 100, 400
	// step keeps small changes from being made: each stops all goroutines for a moment.
	step = 25
	// every is how often the heap is looked at: a heap that grows keeps the pace of a
	// small one for that long.
	every = 100 * time.Millisecond
)

// Run sets the pace until ctx ends, and then what it was before. An operator's own
// (GOGC) stands. The pace is the process's: run it once in each.
func Run(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		<-ctx.Done()
		return nil
	}
	follow(ctx, scanned())
	return nil
}

// scanned tells of how many bytes Go's percentage is: ten thousand connections have more
// in their goroutines' stacks than on the heap.
func scanned() func() uint64 {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	return func() (sum uint64) {
		metrics.Read(samples)
		for _, s := range samples {
			sum += s.Value.Uint64()
		}
		return sum
	}
}

// follow sets the pace for what is scanned, in bytes, until ctx ends.
func follow(ctx context.Context, scanned func() uint64) {
	now := percent(scanned())
	before := debug.SetGCPercent(now)
	defer debug.SetGCPercent(before)
	look := time.NewTicker(every)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if p := percent(scanned()); p != now {
			debug.SetGCPercent(p)
			now = p
		}
	}
}

// percent is the pace where so many bytes are scanned.
func percent(scanned uint64) int {
	p := min(most, spare*100/max(1, scanned))
	return int(max(least, p-p%step))
}

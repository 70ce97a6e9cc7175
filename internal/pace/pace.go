// Package pace has Go's collector work less often while the heap is small.
//
// A server keeps ten or twenty megabytes and makes hundreds a second, so that at Go's
// own pace it is collected dozens of times a second, a tenth of all that it does. Some
// tens of megabytes more buy most of that back; a heap of hundreds, where as many
// percent would be memory that matters, keeps Go's own pace.
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
	spare = 64 << 20
	// least is Go's own pace, most what more is not worth: percent of the live heap.
	least, most = 100, 400
	// step keeps small changes from being made: each stops all goroutines for a moment.
	step = 25
	// every is how often the heap is looked at, which grows by a good deal meanwhile
	// at most.
	every = time.Second
)

// Run sets the pace until ctx ends, and then what it was before. An operator's own
// (GOGC) stands. The pace is the process's: run it once in each.
func Run(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		<-ctx.Done()
		return nil
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	now := most
	before := debug.SetGCPercent(now)
	defer debug.SetGCPercent(before)
	look := time.NewTicker(every)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		metrics.Read(live)
		if p := percent(live[0].Value.Uint64()); p != now {
			debug.SetGCPercent(p)
			now = p
		}
	}
}

// percent is the pace for a heap of which so many bytes are in use.
func percent(live uint64) int {
	p := min(most, spare*100/max(1, live))
	return int(max(least, p-p%step))
}

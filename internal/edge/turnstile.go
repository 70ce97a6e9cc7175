package edge

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Requests that find no place wait for one, so that what comes in bursts is not
// refused for coming together, and whoever has filled in a form is not told to do
// it again. So many for each place of the org's, and never more than mostAtStile,
// wait at once, each for Options.Patience: behind an org that answers slowly none of
// them would get a place, and each holds a connection and its body.
const (
	waitForAPlace = 16
	mostAtStile   = 4096
)

// turnstile has an org's requests wait for places in the order in which they came.
// The zero value is ready.
type turnstile struct {
	count   atomic.Int64 // of waiting, so that nobody who need not wait takes the lock
	mu      sync.Mutex
	waiting list.List // of chan struct{}, each with room for one call
}

// pass takes a place by try, at once or when it is the caller's turn. It is false
// when as many as may wait do, after patience, and when ctx ends.
func (t *turnstile) pass(ctx context.Context, most int, patience time.Duration, try func() bool) bool {
	if t.count.Load() == 0 && try() {
		return true
	}
	me, first := t.enter(most)
	if me == nil {
		return false
	}
	defer t.leave(me)
	if first && try() { // a place may have come free before anybody could be called
		return true
	}
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		select {
		case <-me.Value.(chan struct{}): //nolint:forcetypeassert // the list has nothing else
			if try() {
				return true
			}
		case <-over.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (t *turnstile) enter(most int) (me *list.Element, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting.Len() >= min(most, mostAtStile) {
		return nil, false
	}
	t.count.Add(1)
	me = t.waiting.PushBack(make(chan struct{}, 1))
	return me, t.waiting.Front() == me
}

// leave ends the caller's waiting. There may be a place for the next one, too.
func (t *turnstile) leave(me *list.Element) {
	t.mu.Lock()
	t.waiting.Remove(me)
	t.count.Add(-1)
	t.mu.Unlock()
	t.call()
}

// call tells the first in line that a place may be free.
func (t *turnstile) call() {
	if t.count.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if first := t.waiting.Front(); first != nil {
		select {
		case first.Value.(chan struct{}) <- struct{}{}: //nolint:forcetypeassert // the list has nothing else
		default: // called already
		}
	}
}

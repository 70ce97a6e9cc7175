// Package turnstile has requests wait for a place in the order in which they came,
// for a bounded time and in bounded number (P7, P11).
package turnstile

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// most wait at once at one turnstile: each holds a connection and its body.
const most = 4096

// Turnstile is where the requests of one org wait. Safe for concurrent use; the zero
// value is ready.
type Turnstile struct {
	count   atomic.Int64 // of waiting, so that nobody who need not wait takes the lock
	mu      sync.Mutex
	waiting list.List // of chan struct{}, each with room for one call
}

// Pass takes a place by try, at once or when it is the caller's turn. It is false
// when as many as atOnce wait already, after patience, and when ctx ends.
func (t *Turnstile) Pass(ctx context.Context, atOnce int, patience time.Duration, try func() bool) bool {
	if t.count.Load() == 0 && try() {
		return true
	}
	me, first := t.enter(atOnce)
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

func (t *Turnstile) enter(atOnce int) (me *list.Element, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting.Len() >= min(atOnce, most) {
		return nil, false
	}
	t.count.Add(1)
	me = t.waiting.PushBack(make(chan struct{}, 1))
	return me, t.waiting.Front() == me
}

// leave ends the caller's waiting. There may be a place for the next one, too.
func (t *Turnstile) leave(me *list.Element) {
	t.mu.Lock()
	t.waiting.Remove(me)
	t.count.Add(-1)
	t.mu.Unlock()
	t.Call()
}

// Call is for whoever gave a place back: it tells the first in line that a place may be free.
func (t *Turnstile) Call() {
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

// Waiting is how many wait.
func (t *Turnstile) Waiting() int64 { return t.count.Load() }

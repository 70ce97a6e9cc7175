package sqlite

import (
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

func openTurns(t *testing.T, n int) []*turnLock {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lock")
	locks := make([]*turnLock, n)
	for i := range locks {
		l, err := openTurnLock(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.close() })
		locks[i] = l
	}
	return locks
}

// P7: a process that was stopped in its turn keeps nobody else for ever.
func TestP7WaitingForATurnEnds(t *testing.T) {
	locks := openTurns(t, 2)
	stopped, other := locks[0], locks[1]
	other.patience = 20 * time.Millisecond
	if err := stopped.lock(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := other.lock(); turnout.CodeOf(err) != turnout.CodeUnavailable {
			t.Fatalf("got %v", err)
		}
	}
	other.patience = time.Minute
	got := make(chan error)
	go func() { got <- other.lock() }()
	stopped.unlock() // it goes on
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	// What was given up before has not taken the turn from whoever has it now.
	stopped.patience = 20 * time.Millisecond
	if err := stopped.lock(); turnout.CodeOf(err) != turnout.CodeUnavailable {
		t.Errorf("two have the turn: %v", err)
	}
}

func TestTurnIsOnesAlone(t *testing.T) {
	locks := openTurns(t, 4)
	var inside atomic.Int32
	done := make(chan struct{})
	for _, l := range locks {
		l.patience = time.Minute
		go func() {
			defer func() { done <- struct{}{} }()
			for range 200 {
				if err := l.lock(); err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d have the turn", n)
				}
				inside.Add(-1)
				l.unlock()
			}
		}()
	}
	for range locks {
		<-done
	}
}

// P7: waiting in vain again and again costs no more than waiting once.
func TestP7WaitingInVainLeavesNothing(t *testing.T) {
	locks := openTurns(t, 2)
	stopped, other := locks[0], locks[1]
	other.patience = time.Millisecond
	if err := stopped.lock(); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range 100 {
		if err := other.lock(); turnout.CodeOf(err) != turnout.CodeUnavailable {
			t.Fatalf("got %v", err)
		}
	}
	if n := runtime.NumGoroutine() - before; n > 10 {
		t.Errorf("%d goroutines stand in line", n)
	}
	other.patience = time.Minute
	for range 100 { // the one in line takes the turn, or drops it
		stopped.unlock()
		if err := other.lock(); err != nil {
			t.Fatal(err)
		}
		other.unlock()
		stopped.patience = time.Minute
		if err := stopped.lock(); err != nil {
			t.Fatal(err)
		}
		other.patience = 0
		_ = other.lock()
		other.patience = time.Minute
	}
}

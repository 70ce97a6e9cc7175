package groupcommit

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestCallersShareACommitAndKeepTheirAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		gate := make(chan struct{})
		odd := errors.New("odd")
		w := New(func(jobs []int) []error {
			<-gate
			sizes = append(sizes, len(jobs))
			errs := make([]error, len(jobs))
			for i, j := range jobs {
				if j%2 == 1 {
					errs[i] = odd
				}
			}
			return errs
		}, Options{Cap: 8})
		go w.Run()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				err := w.Do(context.Background(), i)
				if want := i%2 == 1; errors.Is(err, odd) != want {
					t.Errorf("job %d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		close(gate)
		wg.Wait()
		w.Close()
		w.Close()
		if slices.Max(sizes) > 8 || len(sizes) > 5 {
			t.Errorf("batches of %v, want at most 8 each and few", sizes)
		}
		if err := w.Do(context.Background(), 1); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestAJobThatWasNotTakenDoesNothing(t *testing.T) {
	w := New(func([]int) []error { t.Error("committed"); return nil }, Options{Cap: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 4 * 1 { // fill the queue; nobody runs
		w.queue <- entry[int]{}
	}
	if err := w.Do(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Whoever hands in a job while the writer closes hears of it either way.
func TestClosingLeavesNobodyWaiting(t *testing.T) {
	for range 50 {
		var committed atomic.Int64
		w := New(func(jobs []int) []error {
			committed.Add(int64(len(jobs)))
			return nil
		}, Options{Cap: 4})
		go w.Run()
		var done atomic.Int64
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				switch err := w.Do(context.Background(), 1); {
				case err == nil:
					done.Add(1)
				case !errors.Is(err, ErrClosed):
					t.Error(err)
				}
			})
		}
		w.Close()
		wg.Wait()
		if committed.Load() != done.Load() {
			t.Fatalf("%d jobs committed, %d callers were told so", committed.Load(), done.Load())
		}
	}
}

// Whoever hands in a job while the writer waits for its turn is in the batch.
func TestABatchGathersUntilItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		var ended int
		gate := make(chan struct{})
		w := New(func(jobs []int) []error {
			sizes = append(sizes, len(jobs))
			return nil
		}, Options{Turn: func() (func(), error) { <-gate; return func() { ended++ }, nil }})
		go w.Run()
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() {
				if err := w.Do(t.Context(), 1); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		close(gate)
		callers.Wait()
		w.Close()
		if !slices.Equal(sizes, []int{3}) || ended != 1 {
			t.Errorf("batches of %v, %d turns ended", sizes, ended)
		}
	})
}

// Whoever is ready hands in before a batch begins, although the first of them woke the
// writer, which runs next on its processor.
func TestThoseWhoAreReadyAreInTheBatch(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const callers = 100
	batches := 0
	w := New(func([]int) []error { batches++; return nil }, Options{})
	go w.Run()
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			if err := w.Do(t.Context(), 1); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.Close()
	if batches > callers/4 {
		t.Errorf("%d callers who were ready took %d batches", callers, batches)
	}
}

// A turn that does not come is everybody's answer, and the next one is asked for anew.
func TestATurnThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := errors.New("another keeps it")
		gate := make(chan error)
		w := New(func([]int) []error { return nil }, Options{Turn: func() (func(), error) { return func() {}, <-gate }})
		go w.Run()
		defer w.Close()
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() {
				if err := w.Do(t.Context(), 1); !errors.Is(err, kept) {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		gate <- kept
		callers.Wait()
		callers.Go(func() {
			if err := w.Do(t.Context(), 1); err != nil {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		gate <- nil
		callers.Wait()
	})
}

// A context that ends while its job commits does not hide the outcome.
func TestATakenJobIsAnsweredWhateverTheContextSays(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := New(func([]int) []error { cancel(); return nil }, Options{Cap: 1})
	go w.Run()
	defer w.Close()
	if err := w.Do(ctx, 1); err != nil {
		t.Errorf("got %v", err)
	}
}

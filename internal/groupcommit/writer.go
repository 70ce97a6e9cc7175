// Package groupcommit turns concurrent callers into few transactions: one
// goroutine commits everything that waits, together, so that one fsync serves
// many callers. A caller returns when its job is on disk or has failed.
//
// There is no timer: while one batch commits, the next one gathers. A lone
// caller therefore waits for nobody, and under load batches grow by themselves
// up to a cap that bounds how long the last of them waits.
package groupcommit

import (
	"context"
	"errors"
	"runtime"
	"sync"
)

// ErrClosed answers jobs that were handed in after Close.
var ErrClosed = errors.New("writer is closed")

// Commit makes jobs durable in one transaction, in order, and returns nil or
// one error for each job. It is called from one goroutine at a time.
type Commit[J any] func(jobs []J) []error

// Writer hands jobs to a Commit. Safe for concurrent use.
type Writer[J any] struct {
	commit Commit[J]
	cap    int
	queue  chan entry[J]
	stop   chan struct{}
	once   sync.Once
	done   chan struct{}
}

type entry[J any] struct {
	job    J
	answer chan error
}

// DefaultCap is the largest batch where Options says nothing: at about 20 µs
// a job, the last of a batch waits some 5 ms for those before it.
const DefaultCap = 256

// New makes a writer whose batches hold at most cap jobs (0 means DefaultCap).
// It works only while Run does.
func New[J any](commit Commit[J], cap int) *Writer[J] {
	if cap <= 0 {
		cap = DefaultCap
	}
	return &Writer[J]{
		commit: commit, cap: cap,
		queue: make(chan entry[J], 4*cap),
		stop:  make(chan struct{}), done: make(chan struct{}),
	}
}

// Do hands in a job and waits for its answer. When ctx ends before the job was
// taken, nothing happens and the context's error is returned. Once it is taken
// the answer is awaited whatever ctx says, since it is about to be known.
func (w *Writer[J]) Do(ctx context.Context, job J) error {
	e := entry[J]{job: job, answer: make(chan error, 1)}
	select {
	case <-w.stop:
		return ErrClosed
	default:
	}
	select {
	case w.queue <- e:
	case <-w.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-e.answer:
		return err
	case <-w.done:
		select {
		case err := <-e.answer:
			return err
		default:
			return ErrClosed
		}
	}
}

// Waiting is the number of jobs that were handed in and not yet taken, for a
// metric of how busy the writer is.
func (w *Writer[J]) Waiting() int { return len(w.queue) }

// Run commits until Close is called and what was handed in before is done.
func (w *Writer[J]) Run() {
	defer close(w.done)
	entries := make([]entry[J], 0, w.cap)
	jobs := make([]J, 0, w.cap)
	for {
		select {
		case e := <-w.queue:
			// Whoever handed in e made this goroutine the next to run. Others who are
			// ready get their turn first: a batch of one costs as much as one of forty.
			runtime.Gosched()
			entries = w.gather(append(entries[:0], e))
		case <-w.stop:
			if entries = w.gather(entries[:0]); len(entries) == 0 {
				return
			}
		}
		jobs = jobs[:0]
		for _, e := range entries {
			jobs = append(jobs, e.job)
		}
		answer(entries, w.commit(jobs))
		clear(entries)
		clear(jobs)
	}
}

// gather adds what waits already, up to the cap.
func (w *Writer[J]) gather(entries []entry[J]) []entry[J] {
	for len(entries) < w.cap {
		select {
		case e := <-w.queue:
			entries = append(entries, e)
		default:
			return entries
		}
	}
	return entries
}

func answer[J any](entries []entry[J], errs []error) {
	for i, e := range entries {
		var err error
		if errs != nil {
			err = errs[i]
		}
		e.answer <- err
	}
}

// Close lets Run finish what was handed in and waits for it. It may be called twice.
func (w *Writer[J]) Close() {
	w.once.Do(func() { close(w.stop) })
	<-w.done
}

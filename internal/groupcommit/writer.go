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

// Options of a writer; the zero value will do.
type Options struct {
	// Cap is the largest batch; 0 means DefaultCap.
	Cap int
	// Turn waits until this process may commit, where several share what it commits
	// to. It is asked once something waits and before the batch is gathered, so that
	// whoever comes meanwhile is in it. done ends the turn; an error is everybody's
	// answer who waits then. Nil means that nobody else commits.
	Turn func() (done func(), err error)
}

// Writer hands jobs to a Commit. Safe for concurrent use.
type Writer[J any] struct {
	commit Commit[J]
	cap    int
	turn   func() (done func(), err error)
	queue  chan entry[J]
	stop   chan struct{}
	once   sync.Once
	done   chan struct{}
}

type entry[J any] struct {
	job    J
	answer chan error
}

// DefaultCap is the largest batch where Options say nothing: at about 20 µs
// a job, the last of a batch waits some 5 ms for those before it.
const DefaultCap = 256

// New makes a writer. It works only while Run does.
func New[J any](commit Commit[J], o Options) *Writer[J] {
	if o.Cap <= 0 {
		o.Cap = DefaultCap
	}
	if o.Turn == nil {
		o.Turn = func() (func(), error) { return func() {}, nil }
	}
	return &Writer[J]{
		commit: commit, cap: o.Cap, turn: o.Turn,
		queue: make(chan entry[J], 4*o.Cap),
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
		entries = entries[:0]
		select {
		case e := <-w.queue:
			entries = append(entries, e)
			// Whoever handed in e made this goroutine the next to run. Others who are
			// ready get their turn first: a batch of one costs as much as one of forty.
			runtime.Gosched()
		case <-w.stop:
			if entries = w.gather(entries); len(entries) == 0 {
				return
			}
		}
		done, err := w.turn()
		entries = w.gather(entries)
		if err != nil {
			answer(entries, func(int) error { return err })
		} else {
			jobs = jobs[:0]
			for _, e := range entries {
				jobs = append(jobs, e.job)
			}
			errs := w.commit(jobs)
			done()
			answer(entries, func(i int) error {
				if errs == nil {
					return nil
				}
				return errs[i]
			})
			clear(jobs)
		}
		clear(entries)
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

func answer[J any](entries []entry[J], err func(i int) error) {
	for i, e := range entries {
		e.answer <- err(i)
	}
}

// Close lets Run finish what was handed in and waits for it. It may be called twice.
func (w *Writer[J]) Close() {
	w.once.Do(func() { close(w.stop) })
	<-w.done
}

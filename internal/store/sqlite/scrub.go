package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

// Scrub empties the write-ahead log into the file, where deleted content is
// overwritten (secure_delete), so that a destroyed key is in no file any more.
// CodeUnavailable means that a reader still looks at the old content; the
// store then tries again by itself until it succeeds.
func (s *Store) Scrub(ctx context.Context) error {
	j := &job{apply: func(*tx) error { return nil }, scrub: true}
	if err := s.hand(ctx, "empty the write-ahead log", j); err != nil {
		return err
	}
	return wrap("empty the write-ahead log", j.scrubbed)
}

// scrubAfter empties the log when one of the jobs that were just committed
// asks for it. It runs within the writer's turn: outside of it, a checkpoint
// under load would wait for a moment without writers that never comes.
func (s *Store) scrubAfter(jobs []*job) {
	asked := false
	for _, j := range jobs {
		asked = asked || j.scrub
	}
	if !asked {
		return
	}
	err := s.session.scrub()
	s.step("scrubbed")
	s.scrubs.note(err)
	for _, j := range jobs {
		j.scrubbed = err
	}
}

// errReader says that somebody still reads what is to be overwritten.
var errReader = errors.New("a reader holds the write-ahead log")

// scrubWait is how long the writer waits for readers to end: everybody who
// registers waits with it.
const scrubWait = 50 * time.Millisecond

func (s *session) scrub() error {
	if err := s.busyTimeout(scrubWait); err != nil {
		return err
	}
	var busy, pages, moved int
	err := s.row("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	if err == nil && busy != 0 {
		err = turnout.Wrap(turnout.CodeUnavailable, "wait for readers", errReader)
	}
	return errors.Join(err, s.busyTimeout(busyTimeout))
}

func (s *session) busyTimeout(d time.Duration) error {
	var ms int
	return s.row(fmt.Sprintf("PRAGMA busy_timeout = %d", d.Milliseconds())).Scan(&ms)
}

// scrubber remembers that a scrub is still owed.
type scrubber struct {
	owed chan struct{}
	stop chan struct{}
	once *sync.Once
	done chan struct{}
}

func newScrubber() scrubber {
	return scrubber{owed: make(chan struct{}, 1), stop: make(chan struct{}), once: new(sync.Once), done: make(chan struct{})}
}

func (c *scrubber) note(err error) {
	if err == nil {
		return
	}
	select {
	case c.owed <- struct{}{}:
	default:
	}
}

func (c *scrubber) close() {
	c.once.Do(func() { close(c.stop) })
	<-c.done
}

// scrubAgain is the time between two attempts: "forget" promises a minute.
const scrubAgain = 2 * time.Second

// retryScrubs tries again what readers were in the way of. It begins with one
// scrub, since a process that was killed may have left one undone.
func (s *Store) retryScrubs() {
	defer close(s.scrubs.done)
	ctx := context.Background()
	if err := s.Scrub(ctx); err != nil {
		s.log.Debug("store: the write-ahead log is not empty yet", "cause", err)
	}
	for {
		select {
		case <-s.scrubs.stop:
			return
		case <-s.scrubs.owed:
		}
		wait := time.NewTimer(scrubAgain)
		select {
		case <-s.scrubs.stop:
			wait.Stop()
			return
		case <-wait.C:
		}
		if err := s.Scrub(ctx); err != nil {
			s.log.Info("store: a destroyed key may still be in the write-ahead log; trying again", "cause", err)
		}
	}
}

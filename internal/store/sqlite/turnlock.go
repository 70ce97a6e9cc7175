package sqlite

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/turnout-events/turnout"
)

// turnLock hands the writer's turn from process to process. SQLite's own lock
// is enough to be right, but whoever waits for it sleeps up to 100 ms between
// two looks; a file lock wakes the waiter at once.
type turnLock struct {
	file *os.File
	// patience is how long lock waits.
	patience time.Duration
	// held is the file that holds the turn, nil for none.
	held *os.File
	// line is who stands in line still, nil for nobody.
	line *inLine
}

func openTurnLock(path string) (*turnLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	return &turnLock{file: f, patience: busyTimeout}, nil
}

// lock takes the turn, or gives up with CodeUnavailable when another process
// keeps it for longer than patience: one that was stopped keeps it for ever.
// One goroutine calls lock and unlock.
func (l *turnLock) lock() error {
	err := flock(l.file, syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		l.held = l.file
		return nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return err
	}
	return l.wait()
}

// wait waits in line with a file of its own, so that an attempt that was given
// up takes nothing from a later one. Whoever still stands in line for an earlier
// attempt does so for this one: there is one at most, however long another process
// keeps the turn.
func (l *turnLock) wait() error {
	if l.line == nil || !l.line.want() {
		f, err := os.OpenFile(l.file.Name(), os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("open lock file: %w", err)
		}
		l.line = &inLine{file: f, wanted: true, got: make(chan error, 1)}
		go l.line.stand()
	}
	patience := time.NewTimer(l.patience)
	defer patience.Stop()
	select {
	case err := <-l.line.got:
		return l.take(err)
	case <-patience.C:
	}
	if l.line.leave() {
		return turnout.Errorf(turnout.CodeUnavailable, "take the writer's turn", "another process has kept it for %v", l.patience)
	}
	return l.take(<-l.line.got)
}

// take takes over what whoever stood in line got.
func (l *turnLock) take(err error) error {
	f := l.line.file
	l.line = nil
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.held = f
	return nil
}

// inLine stands in line for the turn, in a goroutine of its own.
type inLine struct {
	file *os.File
	got  chan error // once, if somebody wants it then

	mu           sync.Mutex
	wanted, done bool
}

// stand waits for the turn. If nobody wants it any more, closing the file drops it.
func (w *inLine) stand() {
	err := flock(w.file, syscall.LOCK_EX)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done = true; w.wanted {
		w.got <- err
	} else {
		_ = w.file.Close()
	}
}

// want asks for the turn again. It is false if it was dropped meanwhile.
func (w *inLine) want() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = !w.done
	return w.wanted
}

// leave gives the attempt up. It is false if the turn is there already.
func (w *inLine) leave() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = w.done
	return !w.done
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if err == nil {
			return nil
		}
		if err != syscall.EINTR {
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
	}
}

// unlock gives the turn back.
func (l *turnLock) unlock() {
	switch l.held {
	case nil:
	case l.file:
		_ = flock(l.file, syscall.LOCK_UN)
	default:
		_ = l.held.Close()
	}
	l.held = nil
}

func (l *turnLock) close() error {
	l.unlock()
	return l.file.Close()
}

package sqlite

import (
	"errors"
	"fmt"
	"os"
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
// up takes nothing from a later one: closing the file drops whatever it got.
func (l *turnLock) wait() error {
	f, err := os.OpenFile(l.file.Name(), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open lock file: %w", err)
	}
	got, gone := make(chan error), make(chan struct{})
	go func() {
		err := flock(f, syscall.LOCK_EX)
		select {
		case got <- err:
		case <-gone:
			_ = f.Close()
		}
	}()
	patience := time.NewTimer(l.patience)
	defer patience.Stop()
	select {
	case err := <-got:
		if err != nil {
			return errors.Join(err, f.Close())
		}
		l.held = f
		return nil
	case <-patience.C:
		close(gone)
		return turnout.Errorf(turnout.CodeUnavailable, "take the writer's turn", "another process has kept it for %v", l.patience)
	}
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

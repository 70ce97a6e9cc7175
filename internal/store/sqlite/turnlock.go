package sqlite

import (
	"fmt"
	"os"
	"syscall"
)

// turnLock hands the writer's turn from process to process. SQLite's own lock
// is enough to be right, but whoever waits for it sleeps up to 100 ms between
// two looks; a file lock wakes the waiter at once.
type turnLock struct{ file *os.File }

func openTurnLock(path string) (*turnLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	return &turnLock{f}, nil
}

func (l *turnLock) lock() error {
	for {
		err := syscall.Flock(int(l.file.Fd()), syscall.LOCK_EX)
		if err == nil {
			return nil
		}
		if err != syscall.EINTR {
			return fmt.Errorf("lock %s: %w", l.file.Name(), err)
		}
	}
}

func (l *turnLock) unlock() { _ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN) }

func (l *turnLock) close() error { return l.file.Close() }

package wiretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Pause stops a process as SIGSTOP does, so that its connections stay open and
// nobody answers, and returns once all of its threads stand still. The signal
// alone does not: on a busy machine a thread may answer for some time yet.
func Pause(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for !stopped(pid) {
		if err := syscall.Kill(pid, 0); err != nil {
			return err // it ended
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d does not stop", pid)
		case <-poll.C:
		}
	}
	return nil
}

// Resume ends a pause.
func Resume(pid int) error { return syscall.Kill(pid, syscall.SIGCONT) }

// stopped reports whether no thread of a process runs.
func stopped(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return false // an ended process is no stopped one
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it ended
		}
		// The state follows the name, which is in parentheses (proc(5)).
		_, rest, found := bytes.Cut(text[bytes.LastIndexByte(text, ')')+1:], []byte(" "))
		if err != nil || !found || !bytes.HasPrefix(rest, []byte("T")) && !bytes.HasPrefix(rest, []byte("Z")) {
			return false
		}
	}
	return true
}

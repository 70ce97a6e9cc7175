package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Ready is what a process writes into its ready file once it serves.
type Ready struct {
	PID int `json:"pid"`
	// URL is the origin of its public listener, Admin of its admin listener
	// where it has one.
	URL   string `json:"url"`
	Admin string `json:"admin,omitempty"`
}

// Modes of ready files: whoever waits for a process may be somebody else, but the
// demo's holds a hook secret.
const (
	publicMode os.FileMode = 0o644
	secretMode os.FileMode = 0o600
)

// WriteReady writes v as JSON at path, whole or not at all, for anybody to
// read. No path, no file.
func WriteReady(path string, v any) error { return writeReady(path, v, publicMode) }

func writeReady(path string, v any, mode os.FileMode) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write ready file: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".ready-*")
	if err != nil {
		return fmt.Errorf("write ready file: %w", err)
	}
	_, err = tmp.Write(append(text, '\n'))
	err = errors.Join(err, tmp.Chmod(mode), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write ready file: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// child is a process of the demo that is started again when it dies.
type child struct {
	role  string
	args  []string
	env   []string
	ready string // its ready file
	out   io.Writer
	log   *slog.Logger

	mu  sync.Mutex
	pid int
}

const (
	startPatience = 60 * time.Second
	stopPatience  = 15 * time.Second
	restartPause  = 200 * time.Millisecond
)

// run keeps the process running until ctx ends. started is told of every
// start, once the process serves.
func (c *child) run(ctx context.Context, started func(Ready)) error {
	// The kernel ends the child when the thread that made it ends, so that
	// thread has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for first := true; ; first = false {
		served, err := c.once(ctx, started)
		if ctx.Err() != nil {
			return nil
		}
		if first && !served {
			return err
		}
		c.log.Warn("demo: a process ended and is started again", "role", c.role, "cause", err)
		pause := time.NewTimer(restartPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil
		case <-pause.C:
		}
	}
}

// once runs the process once and tells how it ended, and whether it had served
// before.
func (c *child) once(ctx context.Context, started func(Ready)) (served bool, err error) {
	_ = os.Remove(c.ready)
	defer os.Remove(c.ready)
	self, err := os.Executable()
	if err != nil {
		return false, err
	}
	cmd := exec.Command(self, append(c.args, "--ready-file", c.ready)...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdout, cmd.Stderr = c.out, c.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("start %s: %w", c.role, err)
	}
	c.setPID(cmd.Process.Pid)
	exited := make(chan struct{})
	var ended error
	go func() {
		ended = cmd.Wait()
		close(exited)
	}()
	defer c.setPID(0)
	r, err := c.awaitReady(ctx, exited)
	if err != nil {
		_ = cmd.Process.Kill()
		return false, err
	}
	started(r)
	select {
	case <-exited:
		return true, ended
	case <-ctx.Done():
	}
	return true, stop(cmd.Process, exited)
}

func stop(p *os.Process, exited <-chan struct{}) error {
	_ = p.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopPatience)
	defer timer.Stop()
	select {
	case <-exited:
		return nil
	case <-timer.C:
		err := p.Kill()
		<-exited
		return errors.Join(errors.New("had to be killed"), err)
	}
}

func (c *child) awaitReady(ctx context.Context, exited <-chan struct{}) (Ready, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.NewTimer(startPatience)
	defer timeout.Stop()
	for {
		var r Ready
		if text, err := os.ReadFile(c.ready); err == nil {
			err := json.Unmarshal(text, &r)
			return r, err
		}
		select {
		case <-tick.C:
		case <-exited:
			return r, fmt.Errorf("%s ended before it was ready; see its log", c.role)
		case <-timeout.C:
			return r, fmt.Errorf("%s was not ready after %s", c.role, startPatience)
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

func (c *child) setPID(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid = pid
}

func (c *child) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

//go:build e2e

package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is one of the product's, which is killed, stopped and started again.
// Its methods may be called from any goroutine, one after the other.
type process struct {
	name      string
	args, env []string
	ready     string // its ready file
	log       string
	url       string // where it listens, known before it is started
	admin     string

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	// told says that its end is ours; unasked lists ends that are not.
	told    bool
	unasked []string
}

// starter starts processes from one thread that stays, with which they end:
// whatever becomes of the test, none is left behind.
type starter chan func()

func newStarter(t *testing.T) starter {
	s := make(starter)
	go func() {
		runtime.LockOSThread()
		for start := range s {
			start()
		}
	}()
	t.Cleanup(func() { close(s) })
	return s
}

func (s starter) start(cmd *exec.Cmd) (err error) {
	done := make(chan struct{})
	s <- func() { err = cmd.Start(); close(done) }
	<-done
	return err
}

// up starts the process until it serves: it may refuse to, and be started again,
// while what it needs is away.
func (p *process) up(ctx context.Context, s starter) error {
	for {
		err := p.once(ctx, s)
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// once starts it and waits until it serves or has ended.
func (p *process) once(ctx context.Context, s starter) error {
	_ = os.Remove(p.ready)
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(binary(), append(p.args, "--ready-file", p.ready)...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.start(cmd); err != nil {
		return err
	}
	exited := make(chan struct{})
	p.mu.Lock()
	p.cmd, p.exited, p.told = cmd, exited, false
	p.mu.Unlock()
	go p.await(cmd, exited)
	for {
		if _, err := os.Stat(p.ready); err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("%s ended before it served: see %s", p.name, p.log)
		case <-ctx.Done():
			p.kill()
			return fmt.Errorf("%s does not serve: %w", p.name, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// await notes how the process ended, where nobody told it to. One that never
// served has refused to start.
func (p *process) await(cmd *exec.Cmd, exited chan struct{}) {
	_ = cmd.Wait() // its state says how
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := os.Stat(p.ready); !p.told && (err == nil || cmd.ProcessState.ExitCode() == 2) {
		p.unasked = append(p.unasked, fmt.Sprintf("%s ended by itself: %v", p.name, cmd.ProcessState))
	}
	close(exited)
}

// signal sends a signal and reports whether the process was there to get it.
func (p *process) signal(s syscall.Signal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
	}
	if s == syscall.SIGKILL || s == syscall.SIGTERM || s == syscall.SIGQUIT {
		p.told = true
	}
	return p.cmd.Process.Signal(s) == nil
}

// kill ends it as kill -9 does, and waits for that.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	p.gone(time.Minute)
}

// end tells it to end, and kills it where it does not within limit; its log shows
// then what it was doing.
func (p *process) end(limit time.Duration) (orderly bool) {
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	if p.gone(limit) {
		return true
	}
	p.signal(syscall.SIGQUIT)
	p.gone(5 * time.Second)
	p.kill()
	return false
}

func (p *process) gone(limit time.Duration) bool {
	p.mu.Lock()
	exited := p.exited
	p.mu.Unlock()
	if exited == nil {
		return true
	}
	select {
	case <-exited:
		return true
	case <-time.After(limit):
		return false
	}
}

func (p *process) ends() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unasked
}

// binary is the program under test, as make built it.
func binary() string {
	path := os.Getenv("TURNOUT_BINARY")
	if path == "" {
		path = "../../bin/turnout"
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}

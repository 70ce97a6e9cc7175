// Package redistest starts a Redis server for tests: a process of its own on a
// loopback port, that keeps nothing on disk.
//
// Where it is not installed a test is skipped, but not in CI.
package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// Server is a server that can be ended and started again.
type Server struct {
	port    int
	flags   []string
	dir     string
	cmd     *exec.Cmd
	exited  chan struct{}
	address string
}

// ErrMissing says that Redis is not installed.
var ErrMissing = errors.New("redis-server is not installed: run e2e/prerequisites.sh")

// New is a server that runs until the test ends; flags are the server's own. The
// test is skipped where Redis is not installed.
func New(t testing.TB, flags ...string) *Server {
	t.Helper()
	s, err := Start(context.Background(), flags...)
	if missing(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// missing reports whether tests do without a server, since none is installed and
// this is not CI (TURNOUT_CI).
func missing(err error) bool {
	return errors.Is(err, ErrMissing) && os.Getenv("TURNOUT_CI") == ""
}

// Start makes and starts a server; ErrMissing where Redis is not installed.
func Start(ctx context.Context, flags ...string) (*Server, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, ErrMissing
	}
	dir, err := os.MkdirTemp("", "turnout-redis")
	if err != nil {
		return nil, err
	}
	s := &Server{flags: flags, dir: dir}
	for range 20 { // somebody may take a port between looking and listening
		if s.port, _, err = wiretest.Claim(); err != nil {
			break
		}
		s.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
		if err = s.Restart(ctx); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(dir))
}

// Restart starts the server, after Kill for instance, and waits until it answers.
func (s *Server) Restart(ctx context.Context) error {
	listen := []string{"--port", strconv.Itoa(s.port)}
	if s.tls() {
		listen = []string{"--port", "0", "--tls-port", strconv.Itoa(s.port)}
	}
	args := append(listen, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no")
	args = append(args, s.flags...)
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), "redis-server", args...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C ends the test first
	var said strings.Builder
	s.cmd.Stdout = &said
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.exited = make(chan struct{})
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait() // killed, most likely
	}()
	return s.await(ctx, &said)
}

func (s *Server) await(ctx context.Context, said *strings.Builder) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.exited:
			return fmt.Errorf("redis-server ended: %s", said)
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("redis-server does not answer: %s", said)
		case <-tick.C:
			if s.answers(ctx) {
				return nil
			}
		}
	}
}

// answers reports whether anything that speaks its protocol, or TLS, listens.
func (s *Server) answers(ctx context.Context) bool {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return false
	}
	defer c.Close()
	if s.tls() {
		return true
	}
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && (strings.HasPrefix(line, "+PONG") || strings.HasPrefix(line, "-NOAUTH"))
}

// tls reports whether the flags have the server listen for TLS alone.
func (s *Server) tls() bool {
	for _, f := range s.flags {
		if f == "--tls-cert-file" {
			return true
		}
	}
	return false
}

// Kill ends the server as kill -9 does, and waits until it has ended.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.exited
}

// Pause stops the process as SIGSTOP does: it listens and answers nothing.
// Resume lets it go on.
func (s *Server) Pause() error  { return wiretest.Pause(s.cmd.Process.Pid) }
func (s *Server) Resume() error { return wiretest.Resume(s.cmd.Process.Pid) }

// Stop ends the server and removes everything.
func (s *Server) Stop() {
	s.Kill()
	_ = os.RemoveAll(s.dir)
}

// Address is where it listens, as host:port.
func (s *Server) Address() string { return s.address }

// URL names it to what is under test.
func (s *Server) URL() string { return "redis://" + s.address }

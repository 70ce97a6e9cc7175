// Package mongotest gives tests a server that speaks MongoDB's protocol: the
// one that TURNOUT_TEST_MONGODB names, or else FerretDB on loopback with files
// that go away. FerretDB comes as source (tools/ferretdb) and is built first.
//
// Where it cannot be built a test is skipped, but not in CI.
package mongotest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// Variable names a server to tests, and to the processes that they start:
// mongodb://host:port/?options, without a database.
const Variable = "TURNOUT_TEST_MONGODB"

// ErrMissing says that there is no server, and none can be built.
var ErrMissing = errors.New("there is no MongoDB to test against: name one in " + Variable + ", or have tools/ferretdb built (make tools)")

// Server is a running FerretDB, or a MongoDB that somebody else runs.
type Server struct {
	dir, address string
	url          string // of somebody else's
	process      *os.Process
	alive        io.Closer // FerretDB ends when it closes
	ended        chan struct{}
}

// Start starts a server; ErrMissing where there is none.
func Start(ctx context.Context) (*Server, error) {
	if url := os.Getenv(Variable); url != "" {
		return &Server{url: url}, nil
	}
	return StartOwn(ctx)
}

// StartOwn starts a FerretDB that may be killed and started again, whatever
// Variable says.
func StartOwn(ctx context.Context) (*Server, error) {
	dir, err := os.MkdirTemp("", "turnout-mongo")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(ErrMissing, err, os.RemoveAll(dir))
	}
	port, _, err := wiretest.Claim()
	if s.address = fmt.Sprintf("127.0.0.1:%d", port); err == nil {
		err = os.Mkdir(s.data(), 0o700)
	}
	if err == nil {
		err = s.Restart(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *Server) data() string    { return filepath.Join(s.dir, "data") }
func (s *Server) program() string { return filepath.Join(s.dir, "ferretdb") }

// build builds FerretDB: seconds, or minutes for the first time.
func (s *Server) build(ctx context.Context) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", s.program(), ".")
	cmd.Dir = filepath.Join(root, "tools", "ferretdb")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build FerretDB: %w\n%s", err, out)
	}
	return nil
}

// moduleRoot is where the repository's go.mod lies: tests run in the directory
// of their package.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "tools", "ferretdb", "go.mod")); missing == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("tools/ferretdb is nowhere above this directory")
		}
		dir = parent
	}
	return "", err
}

// Restart starts the server, after Kill for instance, and waits until it listens.
func (s *Server) Restart(ctx context.Context) error {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), s.program(), "-listen", s.address, "-dir", s.data())
	var said strings.Builder
	cmd.Stderr = &said
	alive, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
		if err == nil {
			s.process, s.alive, s.ended = cmd.Process, alive, ended
			return conn.Close()
		}
		select {
		case <-ended:
			return fmt.Errorf("FerretDB ended: %s", said.String())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), cmd.Process.Kill())
		case <-poll.C:
		}
	}
}

// errOthers is what cannot be done with a server that was there before the tests.
var errOthers = errors.New("the server is somebody else's")

// Pause stops the server as SIGSTOP does: it listens and answers nothing. Resume
// lets it go on.
func (s *Server) Pause() error {
	if s.process == nil {
		return errOthers
	}
	return wiretest.Pause(s.process.Pid)
}

// Resume ends a pause.
func (s *Server) Resume() error {
	if s.process == nil {
		return errOthers
	}
	return wiretest.Resume(s.process.Pid)
}

// Kill ends the server as kill -9 does. Somebody else's is left alone.
func (s *Server) Kill() error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.ended
	_ = s.alive.Close()
	return nil
}

// Stop ends the server and removes everything.
func (s *Server) Stop() error {
	if s.process == nil {
		return nil
	}
	return errors.Join(s.Kill(), os.RemoveAll(s.dir))
}

// Database is the URL of one of a server's own databases.
func (s *Server) Database(name string) string { return "mongodb://" + s.address + "/" + name }

// URL names the server without a database.
func (s *Server) URL() string {
	if s.url != "" {
		return s.url
	}
	return "mongodb://" + s.address + "/"
}

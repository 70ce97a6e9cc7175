// Package pgtest starts PostgreSQL servers for tests: clusters of their own in a
// directory that goes away, on a Unix socket, with fsync on; with TLS on loopback
// and with a synchronous standby where a test asks for them.
//
// PostgreSQL refuses to run as root, so root's tests run it as Debian's user
// postgres. Where it is not installed a test is skipped, but not in CI.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// Cluster is a server.
type Cluster struct {
	dir, bin string
	owner    *syscall.Credential // nil: this process's own
	// settings are given to the server at each start.
	settings map[string]string
}

// ErrMissing says that PostgreSQL is not installed.
var ErrMissing = errors.New("PostgreSQL is not installed: run e2e/prerequisites.sh")

// programs finds the newest version that Debian installed.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", ErrMissing
	}
	return filepath.Dir(slices.Max(found)), nil
}

// Start makes and starts a cluster; ErrMissing where PostgreSQL is not installed.
func Start(ctx context.Context) (*Cluster, error) { return StartWith(ctx, nil) }

// StartWith starts one whose server has these settings.
func StartWith(ctx context.Context, settings map[string]string) (*Cluster, error) {
	c, err := prepare()
	if err != nil {
		return nil, err
	}
	maps.Copy(c.settings, settings)
	return c, c.make(ctx, func() error { return nil })
}

// make makes the cluster's data, completes them and starts the server. Before that
// nothing needs to be on the disk: no test cuts the power.
func (c *Cluster) make(ctx context.Context, complete func() error) error {
	if err := c.run(ctx, "initdb", "-D", c.data(), "-U", "turnout", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return errors.Join(err, os.RemoveAll(c.dir))
	}
	if err := complete(); err != nil {
		return errors.Join(err, os.RemoveAll(c.dir))
	}
	if err := c.Restart(ctx); err != nil {
		return errors.Join(err, os.RemoveAll(c.dir))
	}
	return nil
}

// prepare makes the directory of a cluster.
func prepare() (c *Cluster, err error) {
	c = &Cluster{}
	if c.bin, err = programs(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "turnout-pg"); err != nil {
		return nil, err
	}
	c.settings = map[string]string{"listen_addresses": "", "fsync": "on", "max_connections": "300", "port": "5432", "unix_socket_directories": c.dir}
	if err := c.own(c.dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	return c, nil
}

// own gives a file to who runs the server.
func (c *Cluster) own(path string) error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return err
	}
	c.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(path, int(uid), int(gid))
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, program), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner}
	cmd.Env = append(os.Environ(), "PGUSER=turnout", "PGDATABASE=postgres", "PGHOST="+c.dir, "PGPORT="+c.settings["port"])
	if program == "pg_ctl" { // the server inherits what is written to
		if err := cmd.Run(); err != nil {
			text, _ := os.ReadFile(filepath.Join(c.dir, "log"))
			return fmt.Errorf("%s: %w\n%s", program, err, text)
		}
		return nil
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

// SQL runs statements as the cluster's owner.
func (c *Cluster) SQL(ctx context.Context, text string) error {
	return c.run(ctx, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", text)
}

// Run runs one of PostgreSQL's programs in the cluster's directory, as its owner.
func (c *Cluster) Run(ctx context.Context, program string, args ...string) error {
	return c.run(ctx, program, args...)
}

// restarting bounds how long what a killed server left is waited for.
const restarting = 20 * time.Second

// Restart starts the server, after Kill for instance, and waits until it
// answers. Processes of one that was killed may still hold its memory for a
// moment: it is tried again.
func (c *Cluster) Restart(ctx context.Context) error {
	var options []string
	for _, name := range slices.Sorted(maps.Keys(c.settings)) {
		options = append(options, fmt.Sprintf("-c %s='%s'", name, c.settings[name]))
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; {
		err := c.run(ctx, "pg_ctl", "-D", c.data(), "-w", "-l", filepath.Join(c.dir, "log"), "-o", strings.Join(options, " "), "start")
		if err == nil || time.Since(began) > restarting {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// PID is the server's process.
func (c *Cluster) PID() (int, error) {
	text, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(first)
}

// Kill ends the server by kill -9 of its process, whose own processes end with
// it: nothing is written any more, and the next start recovers from the
// write-ahead log. It returns when they have ended: until they notice, one may
// still answer, a standby for instance that it has what it was just sent.
func (c *Cluster) Kill() error {
	pid, err := c.PID()
	if err != nil {
		return err
	}
	if err := wiretest.Pause(pid); err != nil { // it begins no more of them
		return err
	}
	all := processes(pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	return ended(all)
}

// Pause stops the server and all of its processes as SIGSTOP does: connections
// stay open, and nobody answers. Resume lets them go on.
func (c *Cluster) Pause() error { return c.each(wiretest.Pause) }

// Resume ends a pause.
func (c *Cluster) Resume() error { return c.each(wiretest.Resume) }

// each does something with the server's process, and then with each of its own.
func (c *Cluster) each(do func(pid int) error) error {
	pid, err := c.PID()
	if err != nil {
		return err
	}
	err = do(pid)
	for _, p := range processes(pid) {
		if !p.main {
			_ = do(p.pid) // it may have ended
		}
	}
	return err
}

// Stop ends the server, if it runs, and removes everything.
func (c *Cluster) Stop(ctx context.Context) error {
	err := c.run(ctx, "pg_ctl", "-D", c.data(), "-w", "-m", "immediate", "stop")
	if pid, pidErr := c.PID(); pidErr != nil || syscall.Kill(pid, 0) != nil {
		err = nil // it did not run any more
	}
	return errors.Join(err, os.RemoveAll(c.dir))
}

// URL names the cluster's database to the store.
func (c *Cluster) URL() string { return URL(c) }

// URL names clusters that hold the same to the store, which writes to the one
// that takes writes.
func URL(clusters ...*Cluster) string {
	var hosts []string
	for _, c := range clusters {
		hosts = append(hosts, c.dir)
	}
	return (&url.URL{Scheme: "postgres", Path: "/postgres", RawQuery: url.Values{
		"host": {strings.Join(hosts, ",")}, "user": {"turnout"}}.Encode()}).String()
}

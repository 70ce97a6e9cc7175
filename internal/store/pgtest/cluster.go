// Package pgtest starts a PostgreSQL server for tests: a cluster of its own in a
// directory that goes away, on a Unix socket, with fsync on.
//
// PostgreSQL refuses to run as root, so root's tests run it as Debian's user
// postgres. Where it is not installed a test is skipped, but not in CI.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// Cluster is a running server.
type Cluster struct {
	dir, bin string
	owner    *syscall.Credential // nil: this process's own
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
func Start(ctx context.Context) (c *Cluster, err error) {
	c = &Cluster{}
	if c.bin, err = programs(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "turnout-pg"); err != nil {
		return nil, err
	}
	if err := c.own(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	if err := c.run(ctx, "initdb", "-D", c.data(), "-U", "turnout", "-A", "trust", "-E", "UTF8", "--locale=C"); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	if err := c.Restart(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	return c, nil
}

// own gives the directory to who runs the server.
func (c *Cluster) own() error {
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
	return os.Chown(c.dir, int(uid), int(gid))
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, program), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner}
	cmd.Env = append(os.Environ(), "PGUSER=turnout", "PGDATABASE=postgres", "PGHOST="+c.dir)
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

// Restart starts the server, after Kill for instance, and waits until it answers.
func (c *Cluster) Restart(ctx context.Context) error {
	return c.run(ctx, "pg_ctl", "-D", c.data(), "-w", "-l", filepath.Join(c.dir, "log"),
		"-o", "-c listen_addresses='' -c fsync=on -c max_connections=300 -k "+c.dir, "start")
}

// Kill ends the server as kill -9 does: nothing is written any more, and the
// next start recovers from the write-ahead log.
func (c *Cluster) Kill(ctx context.Context) error {
	return c.run(ctx, "pg_ctl", "-D", c.data(), "-w", "-m", "immediate", "stop")
}

// Stop ends the server and removes everything.
func (c *Cluster) Stop(ctx context.Context) error {
	return errors.Join(c.Kill(ctx), os.RemoveAll(c.dir))
}

// URL names the cluster's database to the store.
func (c *Cluster) URL() string {
	return (&url.URL{Scheme: "postgres", Path: "/postgres", RawQuery: url.Values{"host": {c.dir}, "user": {"turnout"}}.Encode()}).String()
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/routing"
)

// CheckEdge reads what an edge with these settings would, makes nothing, and says
// what it comes to, or everything that is wrong with it.
func CheckEdge(ctx context.Context, cfg config.Config, log *slog.Logger) (summary string, err error) {
	table, err := checkCourses(ctx, cfg, log)
	faults := []error{err}
	if _, err := sessionKeys(cfg, affinity.ReadKeys); err != nil && !errors.Is(err, fs.ErrNotExist) {
		faults = append(faults, err)
	}
	if _, err := trustedRoots(cfg.Edge.Certificates.RootsFile); err != nil {
		faults = append(faults, err)
	}
	if err := canLog(cfg.Edge.AccessLog); err != nil {
		faults = append(faults, fmt.Errorf("edge.access_log: %w", err))
	}
	if err := errors.Join(faults...); err != nil {
		return "", err
	}
	return extent(table.Plan()), nil
}

// canLog reports whether an access log could be opened, and does not make it.
func canLog(name string) error {
	if name == "" || name == "-" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(filepath.Dir(name))
		return err
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// checkCourses reads routes. What is wrong with the file is told though there is no
// store, and what is wrong with an org of the store is a fault here.
func checkCourses(ctx context.Context, cfg config.Config, log *slog.Logger) (table *routing.Table, err error) {
	c, err := openCourses(ctx, cfg, log)
	if err != nil {
		return nil, errors.Join(err, cfg.Edge.CheckRoutes())
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.log = slog.New(slog.DiscardHandler) // it is all in the error
	if table, err = c.read(ctx); err != nil {
		return nil, err
	}
	return table, errors.Join(c.astray...)
}

// extent says how much there is to route. An org's own ID.localhost is no host of
// anybody's.
func extent(p routing.Plan) string {
	hosts, instances := 0, 0
	for _, o := range p.Orgs {
		hosts += len(o.Hosts)
	}
	for _, s := range p.Stacks {
		for _, pool := range s.Pools {
			instances += len(pool.Upstreams)
		}
	}
	return fmt.Sprintf("%s, %s, %s, %s", counted(len(p.Orgs), "org"), counted(hosts, "host"), counted(len(p.Stacks), "stack"), counted(instances, "instance"))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/edge"
	"github.com/turnout-events/turnout/internal/edge/routing"
)

// courses is where an edge's routes come from: stacks from a file, orgs from the
// store, or all from the file for an edge without one. Used by one goroutine.
type courses struct {
	path  string
	store orgFeed // nil without
	// engines are what the store belongs to, nil without.
	engines *Engines
	log     *slog.Logger
	// What the table that is in force was made of.
	file stamp
	seq  int64
	last *routing.Table // as it was read, whatever is in force
	// astray are the faults of orgs in the store, as it was read.
	astray []error
	// refused are the faults of what was refused last, so that they are told once.
	refused string
}

// orgFeed is the store as far as an edge reads it.
type orgFeed interface {
	Orgs(ctx context.Context) ([]turnout.Org, error)
	LastChange(ctx context.Context) (int64, error)
	Changes(ctx context.Context, after int64, limit int) ([]turnout.Change, error)
}

// stamp tells one state of a file from another.
type stamp struct {
	size    int64
	changed time.Time
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, fmt.Errorf("read routes: %w", err)
	}
	return stamp{info.Size(), info.ModTime()}, nil
}

func openCourses(ctx context.Context, cfg config.Config, log *slog.Logger) (*courses, error) {
	c := &courses{path: cfg.Edge.Routes, log: log}
	if !cfg.Edge.HasStore() {
		return c, nil
	}
	var err error
	if c.engines, err = OpenExisting(ctx, cfg, log); err != nil {
		return nil, err
	}
	c.store = c.engines.Store
	return c, nil
}

// Close closes the store.
func (c *courses) Close() error {
	if c.engines == nil {
		return nil
	}
	return c.engines.Close()
}

// read makes a table of what is there now.
func (c *courses) read(ctx context.Context) (*routing.Table, error) {
	at, err := stampOf(c.path)
	if err != nil {
		return nil, err
	}
	plan, fault := config.Routes(c.path, c.store != nil)
	seq := c.seq
	if c.store != nil {
		if seq, err = c.store.LastChange(ctx); err != nil {
			return nil, err
		}
		if plan.Orgs, err = c.orgs(ctx); err != nil {
			return nil, err
		}
	}
	table, err := c.table(plan, fault)
	if err != nil {
		return nil, err
	}
	c.file, c.seq, c.last = at, seq, table
	return table, nil
}

// table makes one of plan. A fault in the file refuses it whole, and what the
// file means is checked though some of it cannot be read, so that every fault is
// told at once. A fault of an org in the store is that org's alone.
func (c *courses) table(plan routing.Plan, fault error) (table *routing.Table, err error) {
	if fault != nil && len(plan.Stacks) == 0 {
		return nil, fmt.Errorf("%s:\n%w", c.path, fault) // that there is nothing follows from it
	}
	if c.store == nil {
		table, err = routing.New(plan)
	} else {
		table, c.astray, err = routing.Follow(plan, c.last)
	}
	if err = errors.Join(fault, err); err != nil {
		return nil, fmt.Errorf("%s:\n%w", c.path, err)
	}
	for _, o := range c.astray {
		c.log.Error("edge: an org is not routed as its settings say; it keeps its former routes, if it had any", "error", o)
	}
	return table, nil
}

func (c *courses) orgs(ctx context.Context) ([]routing.Org, error) {
	stored, err := c.store.Orgs(ctx)
	if err != nil {
		return nil, err
	}
	var all []routing.Org
	for _, o := range stored {
		all = append(all, routed(o, o.Placement.Stack))
	}
	return all, nil
}

// changed reports whether there is something to read.
func (c *courses) changed(ctx context.Context) (bool, error) {
	at, err := stampOf(c.path)
	if err != nil || at != c.file {
		return true, err
	}
	if c.store == nil {
		return false, nil
	}
	seq, err := c.store.LastChange(ctx)
	if err != nil || seq == c.seq {
		return false, err
	}
	return c.orgsChanged(ctx, seq)
}

// orgsChanged reads the feed up to seq for what concerns orgs. Most of it is
// about events and links, which are none of an edge's business.
func (c *courses) orgsChanged(ctx context.Context, seq int64) (bool, error) {
	for c.seq < seq {
		changes, err := c.store.Changes(ctx, c.seq, 1000)
		if err != nil {
			return false, err
		}
		if len(changes) == 0 {
			return false, nil // not visible yet
		}
		for _, change := range changes {
			if change.Kind == turnout.ChangeOrg || change.Kind == "" { // the latter: some were pruned
				return true, nil
			}
		}
		c.seq = changes[len(changes)-1].Seq
	}
	return c.seq > seq, nil // the store was restored from a backup
}

// followEvery is how often what routes are made of is looked at: four times a
// second, as the change feed.
const followEvery = 250 * time.Millisecond

// follow swaps e's table whenever something changed, until ctx ends. What
// cannot be read or is wrong leaves the old one in force.
func (c *courses) follow(ctx context.Context, e *edge.Edge) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := c.step(ctx, e)
		if ctx.Err() != nil {
			return nil
		}
		c.tell(err)
	}
}

// mostTold is how many orgs a line of the log names.
const mostTold = 10

// step swaps e's table if something changed.
func (c *courses) step(ctx context.Context, e *edge.Edge) error {
	changed, err := c.changed(ctx)
	if err != nil || !changed {
		return err
	}
	before := c.last
	table, err := c.read(ctx)
	if err != nil {
		return err
	}
	if table.Same(before) { // what an operator went back to stays in force
		return nil
	}
	e.Swap(table)
	orgs := table.Changed(before)
	c.log.Info("edge: routes changed", "now", extent(table.Plan()), "orgs", orgs[:min(len(orgs), mostTold)])
	return nil
}

// tell logs what is wrong once, until it changes, and that it is right again.
func (c *courses) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch text {
	case c.refused:
	case "":
		c.log.Info("edge: routes are right again")
	default:
		c.log.Error("edge: routes are refused; the old ones stay", "error", text)
	}
	c.refused = text
}

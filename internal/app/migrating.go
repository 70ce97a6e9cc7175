package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/edge"
	"github.com/turnout-events/turnout/internal/edge/routing"
	"github.com/turnout-events/turnout/internal/migration"
	"github.com/turnout-events/turnout/internal/run"
)

// migrationTurn is how long an edge keeps the turn to move orgs: when it dies another
// goes on after that.
const migrationTurn = time.Minute

// moving moves orgs in waves, and shows how that stands; nothing without a store.
func (c *courses) moving(cfg config.Config, e *edge.Edge) ([]run.Service, []prometheus.Collector) {
	if c.engines == nil {
		return nil, nil
	}
	m := c.migration(cfg, e)
	return []run.Service{{Name: "migration", Run: m.Run}}, migrationGauges(m)
}

// migration moves orgs in waves. An edge does it, and not an instance: it knows which
// stacks there are, and whether anybody of these is up. Of several edges one does.
func (c *courses) migration(cfg config.Config, e *edge.Edge) *migration.Migration {
	store, owner := c.engines.Store, cfg.Instance+"/"+rand.Text()
	return migration.New(migration.Options{
		Orgs: store, Now: store.Now, Logger: c.log,
		Turn: func(ctx context.Context, what string) (bool, error) {
			return store.Turn(ctx, "", "migration/"+what, owner, store.Now(), migrationTurn)
		},
		Looked: func(ctx context.Context) error { return store.PutFile(ctx, lookedFile, nil, store.Now()) },
		Ready:  func(o turnout.Org, stack string) error { return e.CanServe(routed(o, stack)) },
	})
}

// lookedFile is written whenever an edge looks after orgs that wait to be moved.
const lookedFile = "migration/looked"

// routed is an org as an edge routes it, on a stack.
func routed(o turnout.Org, stack string) routing.Org {
	o.Placement.Stack = stack
	return routing.Org{ID: o.ID, Name: o.Name, Language: o.Language, Hosts: o.Hosts, Placement: o.Placement}
}

// migrationGauges show how a migration stands, on each edge with a store: all of them
// the same.
func migrationGauges(m *migration.Migration) []prometheus.Collector {
	all := []prometheus.Collector{prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "turnout_migration_orgs_hindered", Help: "Orgs of a migration whose time has come, and that cannot be moved.",
	}, func() float64 { return float64(m.Standing().Hindered) })}
	for _, state := range migration.States() {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "turnout_migration_orgs", Help: "Orgs of a migration, by how far they are.",
			ConstLabels: prometheus.Labels{"state": strings.ReplaceAll(string(state), " ", "_")},
		}, func() float64 { return float64(m.Standing().States[state]) }))
	}
	return all
}

// Migration plans, starts and stops the moving of orgs, which edges do. Stacks are those
// of the file of routes, without which nobody plans: it says which there are.
func (e *Engines) Migration(cfg config.Config) (*migration.Migration, error) {
	if cfg.Edge.Routes == "" {
		return nil, turnout.Errorf(turnout.CodeMisconfigured, "look up stacks", "name the edges' file of routes, as edge.routes or TURNOUT_EDGE_ROUTES")
	}
	if !cfg.Edge.HasStore() {
		return nil, turnout.Errorf(turnout.CodeMisconfigured, "look up stacks", "edge.orgs: the edges read their orgs from the file of routes, so that nothing here moves them; change it there")
	}
	plan, err := config.Routes(cfg.Edge.Routes, true)
	if err != nil {
		return nil, fmt.Errorf("%s:\n%w", cfg.Edge.Routes, err)
	}
	table, err := routing.New(plan)
	if err != nil {
		return nil, fmt.Errorf("%s:\n%w", cfg.Edge.Routes, err)
	}
	return migration.New(migration.Options{
		Orgs: e.Store, Now: e.Store.Now, Logger: e.log, First: plan.Stacks[0].Name,
		Fits: func(o turnout.Org, stack string) error {
			_, err := table.Course(routed(o, stack))
			return err
		},
	}), nil
}

// MigrationLooked is when an edge looked last after orgs that wait to be moved; the zero
// time is never.
func (e *Engines) MigrationLooked(ctx context.Context) (time.Time, error) {
	_, at, err := e.Store.File(ctx, lookedFile)
	if turnout.CodeOf(err) == turnout.CodeNotFound {
		return time.Time{}, nil
	}
	return at, err
}

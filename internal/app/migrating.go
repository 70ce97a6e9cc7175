package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
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
		Turn: func(ctx context.Context) (bool, error) {
			return store.Turn(ctx, "", "migration", owner, store.Now(), migrationTurn)
		},
		Ready: func(o turnout.Org, stack string) error {
			o.Placement.Stack = stack
			return e.CanServe(routing.Org{ID: o.ID, Name: o.Name, Hosts: o.Hosts, Placement: o.Placement})
		},
	})
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

// Migration plans, starts and stops the moving of orgs, which edges do.
func (e *Engines) Migration(log *slog.Logger) *migration.Migration {
	return migration.New(migration.Options{Orgs: e.Store, Now: e.Store.Now, Logger: log})
}

// KnowsStack says whether the routes of this machine have a stack, as far as there are
// any: false and no error where none are named.
func KnowsStack(cfg config.Config, stack string) (known bool, err error) {
	if cfg.Edge.Routes == "" {
		return false, nil
	}
	plan, err := config.Routes(cfg.Edge.Routes, cfg.Edge.HasStore())
	if err != nil {
		return false, fmt.Errorf("edge.routes: %w", err)
	}
	var names []string
	for _, s := range plan.Stacks {
		if s.Name == stack {
			return true, nil
		}
		names = append(names, s.Name)
	}
	return false, turnout.Errorf(turnout.CodeInvalid, "plan migration", "to: the routes have no stack %s: use one of %q", stack, names)
}

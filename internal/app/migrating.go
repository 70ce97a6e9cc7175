package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/edge"
	"github.com/turnout-events/turnout/internal/edge/routing"
	"github.com/turnout-events/turnout/internal/migration"
)

// migrationTurn is how long an edge keeps the turn to move orgs: when it dies another
// goes on after that.
const migrationTurn = time.Minute

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

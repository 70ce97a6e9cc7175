package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/migration"
)

func migrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Move orgs to another stack in waves, each at its own night, and back",
		Long: `A migration moves orgs from the stacks that they live on to another one of the
same store: wave after wave, each org in a window of its own night, one flag at a
time. An edge does it, which looks four times a minute: new sessions of an org go to
the new stack, those that began on the old one end there. An org is not moved while
no instance of the new stack is up, and then nobody of a later wave is either.

It needs the edges' file of routes (edge.routes, or TURNOUT_EDGE_ROUTES), which says
which stacks there are.`,
	}
	return group(cmd, migratePlanCommand(), migrateStartCommand(), migrateStatusCommand(), migrateRollbackCommand(), migrateFinishCommand())
}

func migratePlanCommand() *cobra.Command {
	var s settings
	var file string
	cmd := &cobra.Command{
		Use:   "plan -f FILE",
		Short: "Keep a plan of waves, and show it",
		Long: `Plan keeps the waves of a YAML file in place of those that were planned before, and
shows them. Nothing moves until turnout migrate start. Who was moved by an earlier
plan and is not in this one keeps the way back, and the new waves come after those.

  to: green              # the stack, as the edge's routes name it
  window: 01:00-05:00    # of the org's own night (its zone); this is the default
  pause: 12h             # between the last org of a wave and the next wave; the default
  waves:
  - orgs: [acme]         # these
  - count: 10            # ten that no wave names, in order of their ids
  - all: true            # all that are left`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return errors.New("say which file has the waves: -f FILE")
			}
			text, err := readFile(cmd, file)
			if err != nil {
				return err
			}
			plan, err := config.Waves(text)
			if err != nil {
				return fmt.Errorf("%s:\n%w", file, err)
			}
			return s.migrating(cmd, func(w *waves) error {
				if err := w.Plan(cmd.Context(), plan); err != nil {
					return err
				}
				if err := w.show(cmd); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "\nNothing moves until turnout migrate start.")
				return nil
			})
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "YAML file, - for standard input")
	return cmd
}

func migrateStartCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Begin what was planned, or go on after a rollback",
		Long: `Start lets the orgs that are planned or held move as their time comes, which an edge
with a store sees to. Those that were rolled back stay where they are: plan again
to have them moved.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.migrating(cmd, func(w *waves) error {
				n, err := w.Start(cmd.Context())
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s to be moved\n\n", orgs(n, "waits", "wait"))
				return w.show(cmd)
			})
		},
	}
	s.flags(cmd)
	return cmd
}

func migrateStatusCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show which org is where, and who moves when",
		Long: `Status shows the orgs of the migration by wave, each as one of
  planned      in a plan that was not started
  waiting      it is moved in its night, once the waves before are through; or it says
               what is in the way
  held         it waited, and a rollback stopped that: until turnout migrate start
  moved        new sessions are on the new stack
  rolled back  they are on the old one again: until another plan`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.migrating(cmd, func(w *waves) error { return w.show(cmd) })
		},
	}
	s.flags(cmd)
	return cmd
}

func migrateRollbackCommand() *cobra.Command {
	var s settings
	var org string
	var all, force bool
	cmd := &cobra.Command{
		Use:   "rollback [--org ORG | --all]",
		Short: "Stop, and take the last wave back at once; or one org, or everything",
		Long: `Rollback stops the migration and puts the orgs of the last wave that moved, or the
one that --org names, or all of them, back on the stack that they came from: at
once, whatever the time. Sessions that began on the new stack end there. Who waited
is held until turnout migrate start. Once more takes the wave before it back.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("org") && org == "" {
				return errors.New("name an org with --org; without it the last wave goes back")
			}
			return s.migrating(cmd, func(w *waves) error {
				back, held, err := w.Rollback(cmd.Context(), migration.Scope{Org: turnout.OrgID(org), All: all, Force: force})
				for _, id := range back {
					fmt.Fprintf(cmd.OutOrStdout(), "%s is back\n", id)
				}
				if len(back)+len(held) > 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "%s back; %s\n", orgs(len(back), "went", "went"), orgs(len(held), "that waited is held", "that waited are held"))
				}
				return err
			})
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&org, "org", "", "one org alone goes back")
	cmd.Flags().BoolVar(&all, "all", false, "every org goes back that was moved")
	cmd.Flags().BoolVar(&force, "force", false, "also to a stack or region that the routes do not have")
	cmd.MarkFlagsMutuallyExclusive("org", "all")
	return cmd
}

func migrateFinishCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "finish",
		Short: "Forget the plan and the way back; orgs stay where they are",
		Long: `Finish forgets the migration, once nobody is to go back any more: nobody can be rolled
back then, and turnout org apply decides on stacks again. So write the new stack into
the files of orgs before, or make it the first one of the routes. A plan that was not
started is thrown away by it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.migrating(cmd, func(w *waves) error {
				n, err := w.Finish(cmd.Context())
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s where they are\n", orgs(n, "stays", "stay"))
				return nil
			})
		},
	}
	s.flags(cmd)
	return cmd
}

// orgs counts them before a verb.
func orgs(n int, one, many string) string {
	if n == 1 {
		return "1 org " + one
	}
	return fmt.Sprintf("%d orgs %s", n, many)
}

// waves is a migration as these commands work with it.
type waves struct {
	*migration.Migration
	engines *app.Engines
	all     []turnout.Org
	now     time.Time
}

// migrating opens the store and does something to its migration.
func (s *settings) migrating(cmd *cobra.Command, do func(w *waves) error) error {
	e, err := s.existing(cmd)
	if err != nil {
		return err
	}
	defer e.Close()
	cfg, err := s.load()
	if err != nil {
		return err
	}
	m, err := e.Migration(cfg)
	if err != nil {
		return err
	}
	return do(&waves{Migration: m, engines: e})
}

// show prints who moves when.
func (w *waves) show(cmd *cobra.Command) (err error) {
	if w.all, err = w.Orgs(cmd.Context()); err != nil {
		return err
	}
	w.now = w.engines.Store.Now()
	out := cmd.OutOrStdout()
	if len(w.all) == 0 {
		fmt.Fprintln(out, "No migration is planned; begin with turnout migrate plan.")
		return nil
	}
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "WAVE\tORG\tFROM\tTO\tSTATE\tWHEN")
	for _, o := range w.all {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", o.Move.Wave, o.ID, o.Move.From, o.Move.To, o.Move.State, migration.When(w.all, o, w.now))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	looked, err := w.looked(cmd)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s%s\n", migration.Summary(w.all), looked)
	return nil
}

// looked says whether an edge looks after those who wait.
func (w *waves) looked(cmd *cobra.Command) (string, error) {
	at, err := w.engines.MigrationLooked(cmd.Context())
	if says := migration.Attended(w.all, at, w.now); err == nil && says != "" {
		return "; " + says, nil
	}
	return "", err
}

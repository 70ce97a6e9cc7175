package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
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
time. An edge does it: new sessions of an org go to the new stack, those that began
on the old one end there. An org is not moved while no instance of the new stack is
up, and then nobody of a later wave is either.`,
	}
	return group(cmd, migratePlanCommand(), migrateStartCommand(), migrateStatusCommand(), migrateRollbackCommand())
}

func migratePlanCommand() *cobra.Command {
	var s settings
	var file string
	cmd := &cobra.Command{
		Use:   "plan -f FILE",
		Short: "Keep a plan of waves, and show when each org would move",
		Long: `Plan keeps the waves of a YAML file in place of those that were planned before, and
shows them. Nothing moves until turnout migrate start.

  to: green              # the stack, as the edge's routes name it
  window: 01:00-05:00    # of the org's own night (its zone); this is the default
  pause: 12h             # between the last org of a wave and the next wave; the default
  waves:
  - orgs: [acme]         # these
  - count: 10            # ten that no wave names, in order of their ids
  - all: true            # all that are left`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := readFile(cmd, file)
			if err != nil {
				return err
			}
			plan, err := config.Waves(text)
			if err != nil {
				return fmt.Errorf("%s:\n%w", file, err)
			}
			if err := s.knowsStack(cmd, plan.To); err != nil {
				return err
			}
			return s.migrating(cmd, func(m *migration.Migration, now time.Time) error {
				if err := m.Plan(cmd.Context(), plan); err != nil {
					return err
				}
				if err := show(cmd, m, now); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "\nNothing moves until turnout migrate start.")
				return nil
			})
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "YAML file, - for standard input")
	_ = cmd.MarkFlagRequired("file")
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
			return s.migrating(cmd, func(m *migration.Migration, now time.Time) error {
				n, err := m.Start(cmd.Context())
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s to be moved\n\n", orgs(n, "waits", "wait"))
				return show(cmd, m, now)
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
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.migrating(cmd, func(m *migration.Migration, now time.Time) error { return show(cmd, m, now) })
		},
	}
	s.flags(cmd)
	return cmd
}

func migrateRollbackCommand() *cobra.Command {
	var s settings
	var org string
	var all bool
	cmd := &cobra.Command{
		Use:   "rollback [--org ORG | --all]",
		Short: "Stop, and take the last wave back at once; or one org, or everything",
		Long: `Rollback stops the migration and puts the orgs of the last wave that moved, or the
one that --org names, or all of them, back on the stack that they came from: at
once, whatever the time. Sessions that began on the new stack end there. Who waited
is held until turnout migrate start. Once more takes the wave before it back.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if all && org != "" {
				return errors.New("use --org ORG or --all, not both")
			}
			return s.migrating(cmd, func(m *migration.Migration, _ time.Time) error {
				back, held, err := m.Rollback(cmd.Context(), migration.Scope{Org: turnout.OrgID(org), All: all})
				for _, id := range back {
					fmt.Fprintf(cmd.OutOrStdout(), "%s is back\n", id)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s back; %s\n", orgs(len(back), "went", "went"), orgs(held, "that waited is held", "that waited are held"))
				return nil
			})
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&org, "org", "", "one org alone")
	cmd.Flags().BoolVar(&all, "all", false, "every org that was moved")
	return cmd
}

// orgs counts them before a verb.
func orgs(n int, one, many string) string {
	if n == 1 {
		return "1 org " + one
	}
	return fmt.Sprintf("%d orgs %s", n, many)
}

// migrating opens the store and does something to its migration.
func (s *settings) migrating(cmd *cobra.Command, do func(m *migration.Migration, now time.Time) error) error {
	e, err := s.existing(cmd)
	if err != nil {
		return err
	}
	defer e.Close()
	return do(e.Migration(slog.New(slog.DiscardHandler)), e.Store.Now())
}

// knowsStack refuses a stack that the routes of this machine do not have.
func (s *settings) knowsStack(cmd *cobra.Command, stack string) error {
	cfg, err := s.load()
	if err != nil {
		return err
	}
	known, err := app.KnowsStack(cfg, stack)
	if err == nil && !known {
		fmt.Fprintf(cmd.ErrOrStderr(), "Whether there is a stack %s is not known here: the configuration names no edge.routes.\n", stack)
	}
	return err
}

// show prints who moves when.
func show(cmd *cobra.Command, m *migration.Migration, now time.Time) error {
	all, err := m.Orgs(cmd.Context())
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if len(all) == 0 {
		fmt.Fprintln(out, "No migration is planned; begin with turnout migrate plan.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "WAVE\tORG\tFROM\tTO\tSTATE\tWHEN")
	for _, o := range all {
		from := o.Move.From
		if from == "" {
			from = "-" // as turnout org list has it
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", o.Move.Wave, o.ID, from, o.Move.To, o.Move.State, when(all, o, now))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var parts []string
	standing := migration.Count(all)
	for _, s := range migration.States() {
		if n := standing.States[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	fmt.Fprintf(out, "\n%s\n", strings.Join(parts, ", "))
	return nil
}

// when says when an org moves, or since when it is as it is, by its own clock.
func when(all []turnout.Org, o turnout.Org, now time.Time) string {
	at := func(t time.Time) string { return t.In(migration.Zone(o)).Format("2006-01-02 15:04 MST") }
	window, _ := o.Move.Window.MarshalText()
	switch o.Move.State {
	case turnout.MovePlanned, turnout.MoveHeld:
		opens, _ := o.Move.Window.Next(now, migration.Zone(o))
		return fmt.Sprintf("in the night, %s; the next is that of %s", window, at(opens))
	case turnout.MoveWaiting:
		expected, ok := migration.Expected(all, o, now)
		switch {
		case !ok:
			return fmt.Sprintf("after wave %d, %s", before(all, o), window)
		case expected.After(now) && o.Move.Obstacle != "":
			return fmt.Sprintf("from %s; not the night before, since %s", at(expected), o.Move.Obstacle)
		case expected.After(now):
			return "from " + at(expected)
		case o.Move.Obstacle != "":
			return "as soon as it can; " + o.Move.Obstacle
		}
		return "now"
	}
	return "since " + at(o.Move.At)
}

// before is the wave that an org waits for: the one before its own, of those that there are.
func before(all []turnout.Org, o turnout.Org) int {
	i := slices.IndexFunc(all, func(other turnout.Org) bool { return other.Move.Wave == o.Move.Wave })
	return all[i-1].Move.Wave
}

package main

import (
	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout/internal/app"
)

func edgeCommand() *cobra.Command {
	var s settings
	var ready string
	cmd := &cobra.Command{
		Use:   "edge",
		Short: "Spread visitors over instances and regions",
		Long: `Routes each host to its org's stack and region, keeps every session on one
instance, tries another one when that fails, holds orgs and clients to their
allowances, and lets visitors wait in line when there are too many. Stacks and
instances are named in a file (edge.routes, or TURNOUT_EDGE_ROUTES), which is read
again when it changes; orgs come from the store or from the same file (edge.orgs).
How it goes is at /edge/status on edge.admin_listen. See docs/edge.md, which has
settings to begin with.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.loadEdge()
			if err != nil {
				return err
			}
			log := logger(cmd.ErrOrStderr(), cfg.Log.Format, cfg.Log.Level).With("edge", cfg.Instance)
			warnUnknown(log)
			return app.Edge(cmd.Context(), cfg, log, ready)
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&ready, "ready-file", "", "file that is written once it serves: pid, url and admin, as JSON")
	return cmd
}

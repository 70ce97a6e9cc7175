package main

import (
	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout/internal/app"
)

func serveCommand() *cobra.Command {
	var s settings
	var ready string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "One app instance: pages, API, deliveries, mirror",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			log := logger(cmd.ErrOrStderr(), cfg.Log.Format, cfg.Log.Level).With("instance", cfg.Instance)
			warnUnknown(log)
			return app.Serve(cmd.Context(), cfg, log, ready)
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&ready, "ready-file", "", "file that is written once it serves: pid, url and admin, as JSON")
	return cmd
}

package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout/internal/app"
)

func demoCommand() *cobra.Command {
	var o app.DemoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Everything on one machine, with sample data; Ctrl-C ends all of it",
		Long: `Runs a simulated Salesforce with two organisations' events, instances, and an edge
before them, each a process of its own that is started again when it ends: end one
with kill -9, and see what visitors notice. Their process ids and addresses are in
DIR/*.ready.json, their logs in DIR/*.log. Prints the addresses to open.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Instances < 1 || o.Instances > 16 {
				return errors.New("--instances: use 1 to 16")
			}
			if o.Allowance < 0 || o.Allowance > 1_000_000 {
				return errors.New("--allowance: use 0 to 1000000")
			}
			if err := o.Check(); err != nil {
				return err
			}
			o.Out, o.Logger = cmd.OutOrStdout(), logger(cmd.ErrOrStderr(), "text", "warn")
			return app.Demo(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Dir, "dir", "", "directory for everything that is stored; empty uses a temporary one, which is removed at the end")
	f.StringVar(&o.Public, "public", "127.0.0.1:8080", "address of the public pages")
	f.StringVar(&o.Admin, "admin", "127.0.0.1:9090", "address of the operator's console")
	f.StringVar(&o.Simulator, "simulator", "127.0.0.1:8180", "address of the simulated Salesforce")
	f.IntVar(&o.Instances, "instances", 2, "how many instances serve")
	f.IntVar(&o.Allowance, "allowance", 0, "requests a second that the second org, mending, may have; 0 for no limit")
	f.BoolVar(&o.Pictures, "pictures", true, "events have pictures, which the simulated Salesforce draws and instances fetch")
	f.StringVar(&o.ReadyFile, "ready-file", "", "file that is written once everything serves")
	return cmd
}

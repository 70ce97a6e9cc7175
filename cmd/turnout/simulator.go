package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/simulator"
)

func simulatorCommand() *cobra.Command {
	var o app.SimulatorOptions
	var schema string
	var urls, secrets []string
	cmd := &cobra.Command{
		Use:   "simulator",
		Short: "A Salesforce API to develop and test against",
		Long: `Simulator answers like a Salesforce org: OAuth, REST, sObject Collections, SOQL,
Bulk API 2.0, limits and errors. Client id and secret are "demo". A page to look
at its records and to press Publish is at /, the control port for tests under /_sim/.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(urls) != len(secrets) {
				return errors.New("give one --hook-secret for each --hook-url")
			}
			for i := range urls {
				o.Hooks = append(o.Hooks, simulator.Hook{URL: urls[i], Secret: secrets[i]})
			}
			if schema != "" {
				text, err := os.ReadFile(schema)
				if err != nil {
					return fmt.Errorf("read schema: %w", err)
				}
				o.Schema = text
			}
			o.Logger = logger(cmd.ErrOrStderr(), "text", "info")
			return app.Simulator(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8180", "address to listen on")
	f.StringVar(&o.Dir, "dir", "", "directory that keeps the records; empty keeps them in memory only")
	f.StringVar(&schema, "schema", "", "YAML file that adds objects and fields")
	f.StringArrayVar(&urls, "hook-url", nil, "where Publish, Update and Unpublish send their hook (may be repeated)")
	f.StringArrayVar(&secrets, "hook-secret", nil, "the secret that signs it, one for each --hook-url")
	f.BoolVar(&o.Sample, "sample", false, "load sample events, people and links into an empty org")
	f.StringVar(&o.ReadyFile, "ready-file", "", "file that is written once it serves")
	return cmd
}

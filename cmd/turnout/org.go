package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/config"
)

func orgCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "org", Short: "Orgs: the customers, each of them one Salesforce org"}
	return group(cmd, orgApplyCommand(), orgListCommand(), orgEndSessionsCommand())
}

func orgApplyCommand() *cobra.Command {
	var s settings
	var file string
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Set orgs up or change them, as a YAML file says",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := readFile(cmd, file)
			if err != nil {
				return err
			}
			orgs, err := config.Orgs(text)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			e, err := s.engines(cmd)
			if err != nil {
				return err
			}
			defer e.Close()
			if err := e.Apply(cmd.Context(), orgs); err != nil {
				return err
			}
			for _, o := range orgs {
				fmt.Fprintf(cmd.OutOrStdout(), "%s applied\n", o.ID)
			}
			return nil
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "YAML file, - for standard input")
	_ = cmd.MarkFlagRequired("file")
	return cmd
}

func readFile(cmd *cobra.Command, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(path)
}

func orgListCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List orgs",
		Long: `Lists orgs, with the stack that serves each, a hyphen for the first one of the
routes, and their hosts.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			orgs, err := listOrgs(cmd, &s)
			if nothing := (app.NothingSetUp{}); errors.As(err, &nothing) {
				fmt.Fprintln(cmd.ErrOrStderr(), nothing) // an empty list is no failure
			} else if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "ORG\tNAME\tMAPPING\tSALESFORCE\tSTACK\tHOSTS")
			for _, o := range orgs {
				hosts := append([]string{string(o.ID) + ".localhost"}, o.Hosts...)
				stack := cmp.Or(o.Placement.Stack, "-")
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", o.ID, o.Name, o.Mapping, o.Salesforce.LoginURL, stack, strings.Join(hosts, " "))
			}
			return w.Flush()
		},
	}
	s.flags(cmd)
	return cmd
}

func orgEndSessionsCommand() *cobra.Command {
	var s settings
	var org string
	cmd := &cobra.Command{
		Use:   "end-sessions --org ORG",
		Short: "End all sessions of an org's visitors",
		Long: `End-sessions makes every browser forget the personal link that it opened. The
links themselves go on working. It works with instances running, which notice
within a second, or not, and may be repeated.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := s.desk(cmd)
			if err != nil {
				return err
			}
			defer d.Close()
			if err := d.EndSessions(cmd.Context(), turnout.OrgID(org)); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "sessions of %s ended\n", org)
			return nil
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&org, "org", "", "the org")
	_ = cmd.MarkFlagRequired("org")
	return cmd
}

func listOrgs(cmd *cobra.Command, s *settings) ([]turnout.Org, error) {
	e, err := s.existing(cmd)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	return e.Store.Orgs(cmd.Context())
}

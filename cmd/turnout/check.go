package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/app"
)

const (
	configurationOK = "configuration  ok"
	noOrgs          = "orgs           none yet; set one up with turnout org apply"
)

func checkCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check configuration, keys and each org's Salesforce connection and field mapping",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			d, err := s.desk(cmd)
			if nothing := (app.NothingSetUp{}); errors.As(err, &nothing) {
				if err := s.canSetUp(cmd); err != nil {
					return err
				}
				fmt.Fprintf(out, "%s\n%s (there is no store in %s)\n", configurationOK, noOrgs, nothing.Where)
				faults, err := s.checkRoutes(cmd, out)
				return failed(faults, err)
			}
			if err != nil {
				return err
			}
			defer d.Close()
			orgs, err := d.Store.Orgs(cmd.Context())
			if err == nil && len(orgs) == 0 {
				err = s.canSetUp(cmd)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(out, configurationOK)
			if kind := d.Kind(); kind != app.Embedded {
				fmt.Fprintf(out, "%-14s %s answers\n", "store", kind)
			}
			if len(orgs) == 0 {
				fmt.Fprintln(out, noOrgs)
			}
			faults, err := s.checkRoutes(cmd, out)
			if err != nil {
				return err
			}
			for _, o := range orgs {
				faults += checkOrg(cmd, out, d, o)
			}
			return failed(faults, nil)
		},
	}
	s.flags(cmd)
	return cmd
}

func failed(faults int, err error) error {
	if err == nil && faults > 0 {
		err = errors.New("some checks failed")
	}
	return err
}

// checkRoutes prints how it stands with an edge's settings and routes, where
// there are any, and tells how many faults there were.
func (s *settings) checkRoutes(cmd *cobra.Command, out io.Writer) (faults int, err error) {
	cfg, err := s.load()
	if err != nil || cfg.Edge.Routes == "" {
		return 0, err
	}
	summary, err := app.CheckRoutes(cmd.Context(), cfg, logger(cmd.ErrOrStderr(), "text", "warn"))
	if err = errors.Join(append(cfg.Edge.Faults(), err)...); err != nil {
		fmt.Fprintf(out, "%-14s %v\n", "edge", err)
		return 1, nil
	}
	fmt.Fprintf(out, "%-14s ok: %s\n", "edge", summary)
	return 0, nil
}

// checkOrg prints how it stands with one org, and tells how many faults there were.
func checkOrg(cmd *cobra.Command, out io.Writer, d *app.Desk, o turnout.Org) int {
	if _, err := d.Keyring.Ring(cmd.Context(), string(o.ID)); err != nil {
		fmt.Fprintf(out, "%-14s keys: %v\n", o.ID, err)
		return 1
	}
	findings, err := d.CheckOrg(cmd.Context(), o)
	if err != nil {
		fmt.Fprintf(out, "%-14s Salesforce: %v\n", o.ID, err)
		return 1
	}
	if len(findings) == 0 {
		fmt.Fprintf(out, "%-14s ok: keys open, Salesforce answers, the mapping %q fits\n", o.ID, o.Mapping)
		return 0
	}
	for _, f := range findings {
		fmt.Fprintf(out, "%-14s %s\n", o.ID, f)
	}
	return len(findings)
}

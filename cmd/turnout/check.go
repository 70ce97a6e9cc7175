package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/config"
)

const (
	configurationOK = "configuration  ok"
	noOrgs          = "orgs           none yet; set one up with turnout org apply"
)

func checkCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check configuration, keys, an edge's routes, and each org's Salesforce connection and field mapping",
		Long: `Reads the configuration and, where an edge's settings are given, its routes and
keys; opens the store's keys; signs in to each org's Salesforce and compares its
fields with the mapping. Prints a line for each, every fault included, and ends
with status 1 if there was any. What only limits something is a warning, and so are
variables of the environment that begin with TURNOUT_ and that nothing reads. What
runs does not notice.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return check(cmd, &s) },
	}
	s.flags(cmd)
	return cmd
}

// checkCache prints how it stands with a cache engine, where there is one, and tells
// how many faults there were.
func checkCache(out io.Writer, d *app.Desk) (faults int) {
	kind, err := d.CacheKind()
	switch {
	case err != nil:
		fmt.Fprintf(out, "%-14s %v\n", "cache", err)
		return 1
	case kind != app.Embedded:
		fmt.Fprintf(out, "%-14s %s answers\n", "cache", kind)
	}
	return 0
}

// checkRedis prints how it stands with the Redis servers of the settings, and tells
// how many faults there were.
func checkRedis(cmd *cobra.Command, cfg config.Config) (faults int) {
	answer, err := app.CheckRedis(cmd.Context(), cfg, logger(cmd.ErrOrStderr(), "text", "warn"))
	for _, line := range answer {
		fmt.Fprintf(cmd.OutOrStdout(), "%-14s %s\n", "redis", line)
	}
	if err == nil {
		return 0
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(cmd.OutOrStdout(), "%-14s %s\n", "redis", line)
		faults++
	}
	return faults
}

// check prints how it all stands. That the configuration is right is said once
// everything that belongs to it was looked at.
func check(cmd *cobra.Command, s *settings) error {
	out := cmd.OutOrStdout()
	for _, v := range config.Unknown(os.Environ()) {
		fmt.Fprintf(out, "%-14s %s\n", "environment", v)
	}
	cfg, err := s.loadAll()
	if err != nil {
		return err
	}
	d, orgs, err := s.setUp(cmd)
	if d != nil {
		defer d.Close()
	}
	edge, faults := checkEdge(cmd, cfg)
	if err == nil && faults == 0 {
		fmt.Fprintln(out, configurationOK)
	}
	fmt.Fprint(out, edge)
	switch {
	case err != nil:
		return err
	case d == nil && cfg.Edge.Given() && !cfg.Edge.HasStore(): // an edge alone has its orgs from its routes
	case d == nil:
		fmt.Fprintf(out, "%s (there is no store in %s)\n", noOrgs, cfg.Data)
	case len(orgs) == 0:
		fmt.Fprintln(out, noOrgs)
	}
	if d != nil && d.Kind() != app.Embedded {
		fmt.Fprintf(out, "%-14s %s answers\n", "store", d.Kind())
	}
	if d != nil {
		faults += checkCache(out, d)
	}
	faults += checkRedis(cmd, cfg)
	for _, o := range orgs {
		faults += checkOrg(cmd, out, d, o)
	}
	if faults > 0 {
		return errors.New("some checks failed")
	}
	return nil
}

// setUp opens what is set up, and lists its orgs: no desk where nothing is, and an
// error if something would keep the first org from being set up.
func (s *settings) setUp(cmd *cobra.Command) (*app.Desk, []turnout.Org, error) {
	d, err := s.desk(cmd)
	if nothing := (app.NothingSetUp{}); errors.As(err, &nothing) {
		return nil, nil, s.canSetUp(cmd)
	}
	if err != nil {
		return nil, nil, err
	}
	orgs, err := d.Store.Orgs(cmd.Context())
	if err == nil && len(orgs) == 0 {
		err = s.canSetUp(cmd)
	}
	return d, orgs, err
}

// checkEdge says how it stands with an edge's settings and routes, where there are
// any, a line for each fault, and tells how many faults there were.
func checkEdge(cmd *cobra.Command, cfg config.Config) (text string, faults int) {
	if !cfg.Edge.Given() {
		return "", 0
	}
	summary, err := app.CheckEdge(cmd.Context(), cfg, logger(cmd.ErrOrStderr(), "text", "warn"))
	if err == nil {
		return fmt.Sprintf("%-14s ok: %s\n", "edge", summary), 0
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		text += fmt.Sprintf("%-14s %s\n", "edge", line)
		faults++
	}
	return text, faults
}

// checkOrg prints how it stands with one org, and tells how many faults there were.
func checkOrg(cmd *cobra.Command, out io.Writer, d *app.Desk, o turnout.Org) int {
	if _, err := d.Keyring.Ring(cmd.Context(), string(o.ID)); err != nil {
		fmt.Fprintf(out, "%-14s keys: %v\n", o.ID, err)
		return 1
	}
	faults, warnings, err := d.CheckOrg(cmd.Context(), o)
	if err != nil {
		fmt.Fprintf(out, "%-14s Salesforce: %v\n", o.ID, err)
		return 1
	}
	if len(faults) == 0 {
		fmt.Fprintf(out, "%-14s ok: keys open, Salesforce answers, the mapping %q fits\n", o.ID, o.Mapping)
	}
	for _, f := range faults {
		fmt.Fprintf(out, "%-14s %s\n", o.ID, f)
	}
	for _, w := range warnings {
		fmt.Fprintf(out, "%-14s warning: %s\n", o.ID, w)
	}
	return len(faults)
}

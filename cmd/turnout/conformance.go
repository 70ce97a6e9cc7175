package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/conformance"
)

// runVariable names the run to the processes that it starts and kills, suiteVariable
// the suite that they are part of.
const (
	runVariable   = "TURNOUT_CONFORMANCE_RUN"
	suiteVariable = "TURNOUT_CONFORMANCE_SUITE"
)

// engines are those that a conformance run is given, by URL, and what of the
// suites it is to run; empty for all.
type engines struct{ store, cache, sessions, part string }

func conformanceCommand() *cobra.Command {
	var urls engines
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "Check your own PostgreSQL, MongoDB or Redis against what Turnout asks of them",
		Long: `Runs the suites that Turnout's engines pass in its own tests against yours:
every promise about order, seats, repeats and forgetting, with processes killed
in between. It takes minutes. It works in schemas and databases of its own,
named turnout_conformance_…, which it makes and drops, and in Redis under keys that
nobody else can have and that are gone after a day; nothing else is touched. The
user needs the right to make schemas and databases.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return urls.conform(cmd) },
	}
	cmd.Flags().StringVar(&urls.store, "store", "", "a PostgreSQL database: postgres://user@host/database?sslmode=verify-full")
	cmd.Flags().StringVar(&urls.cache, "cache", "", "a MongoDB server: mongodb://user@host/?tls=true")
	cmd.Flags().StringVar(&urls.sessions, "sessions", "", "a Redis server: rediss://user:password@host/0")
	cmd.Flags().StringVar(&urls.part, "part", "", "only the part of this name, such as one that failed")
	return cmd
}

func (urls engines) conform(cmd *cobra.Command) error {
	run := os.Getenv(runVariable)
	if run == "" {
		run = fmt.Sprintf("%08x", rand.Uint32())
	}
	suites, err := urls.suites(run)
	if err != nil {
		return err
	}
	if len(suites) == 0 {
		return errors.New("name what to check with --store, --cache or --sessions")
	}
	if only := os.Getenv(suiteVariable); only != "" {
		return beKilled(cmd.Context(), suites, only)
	}
	out, failed := cmd.OutOrStdout(), 0
	for _, s := range suites {
		failed += urls.conformTo(cmd.Context(), out, s, run)
	}
	if failed > 0 {
		return errors.New("not everything passed")
	}
	return nil
}

func (urls engines) suites(run string) (suites []app.Suite, err error) {
	for _, e := range []struct {
		flag, url string
		suite     func(url, run string) (app.Suite, error)
	}{
		{"store", urls.store, app.StoreSuite},
		{"cache", urls.cache, app.CacheSuite},
		{"sessions", urls.sessions, app.SessionSuite},
	} {
		if e.url == "" {
			continue
		}
		s, err := e.suite(e.url, run)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", e.flag, err)
		}
		suites = append(suites, s)
	}
	return suites, nil
}

// conformTo runs one suite, says in plain words what passed, and tells how much failed.
func (urls engines) conformTo(ctx context.Context, out io.Writer, s app.Suite, run string) (failed int) {
	if err := s.Reach(ctx); err != nil {
		fmt.Fprintf(out, "%s: it cannot be used: %v\n", s.Name, err)
		return 1
	}
	if s.Name != "sessions" {
		fmt.Fprintf(out, "%s: working in %s_…, which is dropped afterwards\n", s.Name, app.ScratchNames(run))
	}
	r := conformance.Runner{
		Again:  func(ctx context.Context) *exec.Cmd { return again(ctx, s.Name, run) },
		Passed: func(part string) { fmt.Fprintf(out, "%s: passed %s\n", s.Name, part) },
		Failed: func(part string, said []string) {
			fmt.Fprintf(out, "%s: FAILED %s\n    %s\n", s.Name, part, strings.Join(said, "\n    "))
		},
	}
	if urls.part != "" {
		r.Only = func(part string) bool { return part == urls.part }
	}
	passed, failed := r.Run(ctx, s.Name, s.Run)
	switch {
	case failed > 0:
		fmt.Fprintf(out, "%s: %d parts passed and %d failed; do not use this engine\n", s.Name, passed, failed)
	case urls.part == "":
		fmt.Fprintf(out, "%s: all %d parts passed; this engine keeps what Turnout asks of it\n", s.Name, passed)
	case passed == 0:
		fmt.Fprintf(out, "%s: it has no part of that name\n", s.Name)
		failed = 1
	}
	return failed
}

// again starts this program once more, as part of the same run. The URLs are
// where this process has them.
func again(ctx context.Context, suite, run string) *exec.Cmd {
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	cmd := exec.CommandContext(ctx, program, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), runVariable+"="+run, suiteVariable+"="+suite)
	return cmd
}

// beKilled works for a suite in another process until that kills this one.
func beKilled(ctx context.Context, suites []app.Suite, only string) error {
	for _, s := range suites {
		if s.Name != only {
			continue
		}
		r := conformance.Runner{Failed: func(part string, said []string) {
			fmt.Fprintln(os.Stderr, "turnout:", part, strings.Join(said, "\n"))
		}}
		if _, failed := r.Run(ctx, s.Name, s.Run); failed > 0 {
			return errors.New("the suite failed in another process")
		}
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout/internal/app/loading"
	"github.com/turnout-events/turnout/internal/load"
	"github.com/turnout-events/turnout/internal/load/live"
	"github.com/turnout-events/turnout/internal/load/report"
	"github.com/turnout-events/turnout/internal/load/result"
	"github.com/turnout-events/turnout/internal/load/scenario"
)

// loadFlags are those of `turnout load` besides what a run is made of.
type loadFlags struct {
	loading.Options
	html, json, samples string
}

func loadCommand() *cobra.Command {
	var f loadFlags
	cmd := &cobra.Command{
		Use:   "load SCENARIO --target URL",
		Short: "Stress and smoke runs against a target, and what they show",
		Long: `Runs a scenario against a target: visitors who come when a seed has decided,
whatever the target does, so that a slow one cannot hide (open loop; latencies count
from when a request was meant to be sent).

  smoke         every public page once, in seconds; safe on a platform in use
  invite-storm  personal links clicked in a rush that decays, mail scanners among them
  onsale        everybody at once for few seats; nothing may be oversold or lost
  pentest       one org hammered at 50 times its allowance, while others work
  soak          mixed traffic for hours; what the processes hold over time
  FILE          a scenario of your own; --samples DIR writes three to begin with

Against a demo its ready file says all that is needed:

  turnout demo --ready-file ready.json
  turnout load invite-storm --demo ready.json --report storm.html

Elsewhere --target is enough for smoke; --links and --event say what may be answered
and registered for. Only this machine is loaded, unless its host is named twice, in
--target and in --i-own-this-host. Progress is on standard error. Ctrl-C ends the run
with what there is by then, and a second one at once. Exit status: 0 if all
thresholds are met, 1 if one is missed, 2 if nothing was run.`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.define(cmd)
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return status{2, err} })
	return cmd
}

func (f *loadFlags) define(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringVar(&f.Target, "target", "", "URL of the org whose visitors these are, such as http://127.0.0.1:8080")
	s.StringVar(&f.Demo, "demo", "", "ready file of a running demo; it says target, simulator, metrics, and whom to attack")
	s.Float64Var(&f.Rate, "rate", 0, "visitors a second at the busiest time; the scenario's if unsaid")
	s.IntVar(&f.Sessions, "sessions", 0, "visitors who come in all or, where they stay, who are there at any time; the scenario's if unsaid")
	s.DurationVar(&f.Duration, "duration", 0, "for how long visitors come; the scenario's if unsaid")
	s.Uint64Var(&f.Seed, "seed", 0, "decides who comes when and does what; drawn, and shown, if unsaid")
	s.StringVar(&f.Links, "links", "", "file of unanswered personal links, one a line; made for the run where the simulator is known")
	s.StringVar(&f.Event, "event", "", "slug of a test event to register for; made for the run where the simulator is known")
	s.StringVar(&f.Attack, "attack", "", "URL of another org, which is attacked (pentest)")
	s.Float64Var(&f.Allowance, "allowance", 0, "what that org is allowed, in requests a second")
	s.StringVar(&f.Simulator, "simulator", "", "URL of the target's simulated Salesforce, to make events and links and to prove what arrived")
	s.StringArrayVar(&f.Metrics, "metrics", nil, "URL of the metrics of one of the target's processes, or NAME=URL; may be repeated")
	s.StringArrayVar(&f.Owned, "i-own-this-host", nil, "a host of the URLs above that is not this machine and is yours; may be repeated")
	s.StringVar(&f.html, "report", "", "file for the report with plots (HTML)")
	s.StringVar(&f.json, "json", "", "file for all figures (JSON)")
	s.StringVar(&f.samples, "samples", "", "directory to write three commented scenarios to, instead of a run")
}

func (f *loadFlags) run(cmd *cobra.Command, args []string) error {
	if f.samples != "" {
		if err := writeSamples(cmd.OutOrStdout(), f.samples); err != nil {
			return status{2, err}
		}
		return nil
	}
	if err := f.check(args); err != nil {
		return status{2, err}
	}
	f.Scenario = args[0]
	ctx := cmd.Context()
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) }) // the second one ends at once
	told := cmd.ErrOrStderr()
	line := &live.Line{Out: told, Terminal: isTerminal(told)}
	f.Version = shortVersion()
	f.Say = func(format string, args ...any) {
		line.Done()
		fmt.Fprintf(told, format+"\n", args...)
	}
	f.Progress = func(p load.Progress) { line.Show(p) }
	run, err := loading.Run(ctx, f.Options)
	line.Done()
	if errors.Is(err, loading.ErrUse) {
		return status{2, err}
	}
	if err != nil {
		return err
	}
	return f.tell(cmd.OutOrStdout(), run)
}

// check finds what is wrong with the flags before anything is asked for.
func (f *loadFlags) check(args []string) error {
	switch {
	case len(args) == 0:
		return errors.New("name a scenario: smoke, invite-storm, onsale, pentest, soak, or the path of a file")
	case len(args) > 1:
		return fmt.Errorf("one scenario at a time: %q is a second one", args[1])
	case !(f.Rate >= 0 && f.Rate <= 1e6):
		return errors.New("--rate: use a number from 0 to 1000000")
	case f.Sessions < 0 || f.Sessions > 1_000_000:
		return errors.New("--sessions: use 0 to 1000000")
	case f.Duration != 0 && f.Duration < time.Second || f.Duration > 7*24*time.Hour:
		return errors.New("--duration: use a time from 1s to 168h")
	case !(f.Allowance >= 0 && f.Allowance <= 1e6):
		return errors.New("--allowance: use a number from 0 to 1000000")
	case args[0] == "smoke" && (f.Rate > 0 || f.Sessions > 0 || f.Duration > 0):
		return errors.New("smoke asks for each page once: --rate, --sessions and --duration are for the other scenarios")
	}
	var err error
	if f.html, err = writable("--report", f.html); err != nil {
		return err
	}
	if f.json, err = writable("--json", f.json); err != nil {
		return err
	}
	if f.html != "" && f.html == f.json {
		return errors.New("--report and --json are the same file: name two")
	}
	return nil
}

// writable is the path of the file that a flag names, past symbolic links, once it is
// certain that a file can be written there: after hours of a run is too late to find out.
func writable(flag, said string) (string, error) {
	if said == "" {
		return "", nil
	}
	path, err := filepath.Abs(said)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s %s: this is no file that can be replaced; name another", flag, said)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return "", fmt.Errorf("there is no directory for %s", said)
	}
	f, err := os.CreateTemp(filepath.Dir(path), unfinished)
	if err != nil {
		return "", fmt.Errorf("%s %s: no file can be made there (%w)", flag, said, errors.Unwrap(err))
	}
	return path, errors.Join(f.Close(), os.Remove(f.Name()))
}

// unfinished is how a file is called while it is written.
const unfinished = ".turnout-load-*"

// tell writes what a run shows, to the terminal and to the files that are wanted.
func (f *loadFlags) tell(out io.Writer, run *result.Run) error {
	errs := []error{report.Summary(out, run, width())}
	errs = append(errs, write(f.html, func(w io.Writer) error { return report.HTML(w, run) }))
	errs = append(errs, write(f.json, func(w io.Writer) error { return report.JSON(w, run) }))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	switch {
	case run.Interrupted:
		return errors.New("the run was interrupted")
	case !run.Passed():
		return errors.New("the run did not pass")
	}
	return nil
}

// write writes a file whole or leaves it as it was; "" is no file.
func write(path string, fill func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), unfinished)
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	if err := errors.Join(fill(temporary), temporary.Chmod(0o644), temporary.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(temporary.Name(), path)
}

// writeSamples writes the samples, and no file over one that is there.
func writeSamples(out io.Writer, dir string) error {
	all, err := scenario.Samples()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		path, text := filepath.Join(dir, name), all[name]
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.Write(text)
			err = errors.Join(err, f.Close())
		}
		if errs = append(errs, err); err == nil {
			fmt.Fprintln(out, path)
		}
	}
	return errors.Join(errs...)
}

// isTerminal reports whether what is written goes to somebody's terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// width is the terminal's, in characters, as far as it says.
func width() int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n >= 40 {
		return min(n, 200)
	}
	return 100
}

// Package loading joins what `turnout load` needs: it reads the operator's words,
// finds what is behind a target, makes events and links where Salesforce is
// simulated, runs the scenario, and proves what can be proven.
package loading

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/turnout-events/turnout/internal/load"
	"github.com/turnout-events/turnout/internal/load/browse"
	"github.com/turnout-events/turnout/internal/load/result"
	"github.com/turnout-events/turnout/internal/load/scenario"
	"github.com/turnout-events/turnout/internal/load/simulated"
	"github.com/turnout-events/turnout/internal/load/watch"
)

// Options are the operator's words: the flags of `turnout load`.
type Options struct {
	// Scenario is the name of one that is built in, or the path of a file.
	Scenario string
	// Target is the URL of the org whose visitors these are; Demo the ready file of a
	// demo, which says this and most of what follows.
	Target, Demo string
	Rate         float64
	Sessions     int
	Duration     time.Duration
	Seed         uint64 // 0 is drawn
	// Links is a file of personal links, one a line; Event a slug.
	Links, Event string
	// Attack is the URL of the org that is attacked, Allowance what it may have, in
	// requests a second.
	Attack    string
	Allowance float64
	// Simulator is the URL of the simulated Salesforce, Metrics those of processes'
	// metrics, with NAME= before them or without.
	Simulator string
	Metrics   []string
	// Owned are hosts besides this machine that the operator says are their own.
	Owned   []string
	Version string
	// Say tells the operator what is being done before and after the run; Progress
	// how it goes. Neither may be nil.
	Say      func(format string, args ...any)
	Progress func(load.Progress)
}

// ErrUse is wrapped by errors about the operator's words: nothing was run.
var ErrUse = errors.New("nothing was run")

// bad is an error about the operator's words.
type bad struct{ error }

func (bad) Is(target error) bool { return target == ErrUse }
func (b bad) Unwrap() error      { return b.error }

func badly(format string, args ...any) error { return bad{fmt.Errorf(format, args...)} }

// Run runs a scenario. An error that is ErrUse says that nothing was run; a run that
// was interrupted by ctx gives what there was by then.
func Run(ctx context.Context, o Options) (*result.Run, error) {
	p, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	defer p.close()
	var run *result.Run
	if p.scenario == nil {
		run, err = p.smoke(ctx)
	} else {
		run, err = p.run(ctx)
	}
	if run != nil {
		run.Version, run.Seed = o.Version, p.o.Seed
	}
	return run, err
}

// party is everything that a run works with.
type party struct {
	o              Options
	scenario       *scenario.Scenario // nil for smoke
	guard          browse.Guard
	target, attack *browse.Site
	simulator      *simulated.Client // nil where Salesforce is not simulated
	watch          *watch.Watcher    // nil where nothing shows metrics
	links          []string
	stamp          string
	allowance      float64 // of the attacked org, as far as is known
	// made is what was made for the run, and is taken off the pages afterwards. Where
	// it is spent, nothing waits to be written to it, and it is removed.
	made  []simulated.Event
	spent bool
}

// stay is how long what was made may take to be taken away, whatever has ended.
const stay = 20 * time.Second

// close takes away what was made and drops connections.
func (p *party) close() {
	if len(p.made) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), stay)
		defer cancel()
		err := p.simulator.Close(ctx, p.made)
		if err == nil && p.spent {
			err = p.simulator.Remove(ctx, p.made)
		}
		switch {
		case err != nil:
			p.o.Say("The events of the run could not be taken away: %v", err)
		case p.scenario == nil && !p.spent:
			p.o.Say("The event of the run is off the pages and still in the simulator: something may wait to be written to it.")
		}
	}
	for _, s := range []*browse.Site{p.target, p.attack} {
		if s != nil {
			s.Close()
		}
	}
}

// site is one that may be loaded.
func (p *party) site(ctx context.Context, flag, raw string) (*browse.Site, error) {
	u, err := p.guard.Check(ctx, raw)
	if err != nil {
		return nil, badly("%s: %w", flag, err)
	}
	if u.Path != "" && u.Path != "/" {
		return nil, badly("%s %s: give the URL of a site, without a path", flag, raw)
	}
	return browse.NewSite(u, p.guard, "turnout-load/"+p.o.Version), nil
}

// reached fails unless somebody answers at a site, and the way an org's site does.
func reached(ctx context.Context, flag string, s *browse.Site) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	page, err := s.New().Get(ctx, "/", false)
	switch {
	case errors.Is(err, context.Canceled):
		return badly("interrupted before the run")
	case browse.Kind(err) == browse.NoTLS:
		return badly("%s %s: somebody answers there, but not by TLS that is trusted here; is it http, or its certificate not for this name?", flag, s.URL)
	case err != nil:
		return badly("%s %s: nobody answers there (%s); is it running?", flag, s.URL, browse.Kind(err))
	case page.Status != 200 && page.Status != 429:
		return badly("%s %s: it answers %d to /; is this the host of an org?", flag, s.URL, page.Status)
	}
	return nil
}

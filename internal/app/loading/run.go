package loading

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/turnout-events/turnout/internal/load"
	"github.com/turnout-events/turnout/internal/load/browse"
	"github.com/turnout-events/turnout/internal/load/form"
	"github.com/turnout-events/turnout/internal/load/result"
	"github.com/turnout-events/turnout/internal/load/simulated"
	"github.com/turnout-events/turnout/internal/load/smoke"
)

// collector is what asks for metrics.
func (p *party) collector() http.RoundTripper {
	return &http.Transport{DialContext: p.guard.Dial, MaxIdleConnsPerHost: 2}
}

// smoke asks for every page once, with an event of its own where that can be made.
func (p *party) smoke(ctx context.Context) (*result.Run, error) {
	if err := p.known(ctx); err != nil {
		return nil, err
	}
	o := smoke.Options{Target: p.target, Event: p.o.Event, Stamp: p.stamp}
	if len(p.links) > 0 {
		o.Link = p.links[0]
	}
	if p.simulator != nil && p.o.Event == "" {
		made, err := p.make(ctx, 1, 1, 0, false)
		if err != nil {
			return nil, err
		}
		o.Event = made.Events[0].Slug
		if o.Link == "" {
			o.Link, o.Answer = "/l/"+made.Tokens[0], true
		}
	}
	run, n := smoke.Run(ctx, o)
	if len(p.made) > 0 && !run.Interrupted {
		verdict := p.spend(ctx, n)
		if p.spent = verdict.Met; !p.spent && ctx.Err() != nil {
			run.Interrupted = true
		} else {
			run.Verdicts = append(run.Verdicts, verdict)
		}
	}
	return run, nil
}

// spend waits until all that a smoke run registered is in Salesforce, cancelled or
// declined: an event that is removed earlier leaves registrations that nobody can
// deliver.
func (p *party) spend(ctx context.Context, n int) result.Verdict {
	p.o.Say("waiting until what was registered is in the simulator")
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, spendPatience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	v := result.Verdict{Threshold: "what was registered is in Salesforce, and taken back"}
	for {
		there := 0
		for r, err := range p.simulator.Registrations(limited, &p.made[0]) {
			if err == nil && r.Holds() == 0 {
				there++
			}
		}
		v.Met, v.Measured = there == n, fmt.Sprintf("%d of %d after %.0f s", there, n, time.Since(began).Seconds())
		if v.Met {
			return v
		}
		select {
		case <-tick.C:
		case <-limited.Done():
			return v
		}
	}
}

// spendPatience is for what is written every ten seconds (DESIGN.md), and for one
// attempt after a failure.
const spendPatience = 30 * time.Second

// known fails where the operator names an event that the target does not have.
func (p *party) known(ctx context.Context) error {
	if p.o.Event == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if page, err := p.target.New().Get(ctx, "/api/v1/events/"+url.PathEscape(p.o.Event), false); err == nil && page.Status == http.StatusNotFound {
		return badly("--event %s: the target has no such event; its slug is the end of the address of its page", p.o.Event)
	}
	return nil
}

// run runs the scenario, and proves what can be proven when it is over.
func (p *party) run(ctx context.Context) (*result.Run, error) {
	s := p.scenario
	o := load.Options{
		Scenario: s, Target: p.target, Attack: p.attack, Seed: p.o.Seed, Links: p.links, Stamp: p.stamp, Progress: p.o.Progress,
	}
	if p.watch != nil {
		o.Watch = p.watch
	}
	if err := p.known(ctx); err != nil {
		return nil, err
	}
	events, err := p.stage(ctx, &o)
	if err != nil {
		return nil, err
	}
	var before simulated.Stats
	if p.simulator != nil {
		if before, err = p.simulator.Stats(ctx); err != nil {
			return nil, err
		}
	}
	p.o.Say("%s against %s, seed %d, for %v", s.Name, p.target.URL, p.o.Seed, s.Duration)
	out := load.Run(ctx, o)
	run := out.Run
	if p.watch != nil {
		run.Usage = p.watch.Usage()
	}
	p.warn(run)
	if !run.Interrupted && ctx.Err() == nil {
		p.prove(ctx, out, before, events)
	}
	if ctx.Err() != nil { // what was not waited for is no proof of anything
		run.Interrupted, run.Seats = true, nil
	}
	load.Judge(run, s)
	return run, nil
}

// stage finds, or makes, what visitors go to.
func (p *party) stage(ctx context.Context, o *load.Options) ([]simulated.Event, error) {
	s := p.scenario
	needed := s.AskedLinks()
	if needed > 0 && len(p.links) == 0 && p.simulator == nil {
		return nil, badly("%s needs personal links: name a file of them (--links), the target's simulator (--simulator), or its demo (--demo)", s.Name)
	}
	if !s.Events() {
		return nil, nil
	}
	switch {
	case p.o.Event != "":
		o.Events = []string{p.o.Event}
	case needed > 0 && len(p.links) > 0:
	case p.simulator == nil:
		return nil, badly("%s registers people: name a test event (--event), the target's simulator (--simulator), or its demo (--demo)", s.Name)
	default:
		if len(p.links) > 0 {
			needed = 0
		}
		if needed > mostMade {
			return nil, badly("%s needs up to %d personal links, and at most %d are made for a run: make them beforehand and name a file of them (--links)", s.Name, needed, mostMade)
		}
		made, err := p.make(ctx, max(1, s.Event.Make), needed, s.Event.Seats, s.Event.Waitlist)
		if err != nil {
			return nil, err
		}
		for _, e := range made.Events {
			o.Events = append(o.Events, e.Slug)
		}
		for _, token := range made.Tokens {
			o.Links = append(o.Links, "/l/"+token)
		}
		return made.Events, nil
	}
	return nil, nil
}

// mostMade is how many links are made for a run: a target hears of some thousands at
// once, and reads the rest within a minute or two.
const mostMade = 50_000

// make makes events and links, and waits until the target serves them.
func (p *party) make(ctx context.Context, events, links, seats int, waitlist bool) (simulated.Made, error) {
	p.o.Say("making what visitors go to in the simulator: events, %d; personal links, %d", events, links)
	made, err := p.simulator.Make(ctx, events, links, seats, waitlist)
	p.made = append(p.made, made.Events...)
	if err != nil {
		return made, err
	}
	return made, p.served(ctx, made, seats)
}

// Patience with a target that has to hear of what was made. Events come with a hook;
// of links some thousands do, and the others with the poll after.
const (
	makePatience = 150 * time.Second
	// everywhere is how long the other instances may take once one of them knows (P5
	// promises a second).
	everywhere = 1500 * time.Millisecond
)

// served waits until the target serves what was made.
func (p *party) served(ctx context.Context, made simulated.Made, seats int) error {
	limited, cancel := context.WithTimeout(ctx, makePatience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var pages []page
	for _, e := range made.Events {
		pages = append(pages, page{"/api/v1/events/" + e.Slug, hasSeats(seats)})
	}
	for i := 0; i < len(made.Tokens); i += max(1, len(made.Tokens)/20) {
		pages = append(pages, page{"/l/" + made.Tokens[i], isThere})
	}
	if n := len(made.Tokens); n > 0 {
		pages = append(pages, page{"/l/" + made.Tokens[n-1], isThere})
	}
	browser := p.target.New()
	for len(pages) > 0 {
		shown, err := browser.Get(limited, pages[0].path, true)
		if err == nil && pages[0].right(shown) {
			pages = pages[1:]
			continue
		}
		select {
		case <-tick.C:
		case <-limited.Done():
			if ctx.Err() != nil {
				return badly("interrupted before the run")
			}
			return badly("the target does not serve what was made in the simulator within %v: do they belong together?", makePatience)
		}
	}
	wait := time.NewTimer(everywhere)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return badly("interrupted before the run")
	}
}

// page is one that is to be served, and how it is right.
type page struct {
	path  string
	right func(browse.Page) bool
}

func isThere(p browse.Page) bool {
	_, open := form.Cut(p.Body)
	return p.Status == http.StatusOK && (open || p.Refresh != "")
}

var errNoEvent = errors.New("the simulator does not know the event")

// Package load runs scenarios of load against a target and measures what becomes of
// them. Visitors come when a seed has decided, whatever the target does (arrival);
// each works through a journey with pauses, and every request's latency counts from
// when it was meant to be sent: its visitor's arrival, or the end of the pause after
// the answer before. What was seen becomes a result.Run.
package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout/internal/load/browse"
	"github.com/turnout-events/turnout/internal/load/measure"
	"github.com/turnout-events/turnout/internal/load/result"
	"github.com/turnout-events/turnout/internal/load/scenario"
)

// Options of a run.
type Options struct {
	Scenario *scenario.Scenario
	// Target is the site of the org whose visitors these are; Attack that of the org
	// that is attacked, nil where the scenario attacks none.
	Target, Attack *browse.Site
	// Seed decides arrivals, journeys, pauses and choices.
	Seed uint64
	// Links are paths of unanswered personal links, each for one visitor; Events are
	// slugs that visitors go to.
	Links, Events []string
	// Stamp stands in the addresses of people who are made up, so that those of two
	// runs are not the same.
	Stamp string
	// MostVisitors bounds how many are there at once; 0 means DefaultMost.
	MostVisitors int64
	// Watch is asked once a second; nil where nothing is known of the target but its
	// answers.
	Watch Watch
	// Progress is called once a second; nil means nobody looks.
	Progress func(Progress)
}

// DefaultMost visitors take about half a gigabyte.
const DefaultMost = 20_000

// Watch looks at what the target does besides answering.
type Watch interface {
	// Look is called once a second, and again while the queue to Salesforce empties.
	Look(ctx context.Context, second int) measure.Seen
}

// Progress is how a run goes.
type Progress struct {
	measure.Live
	Elapsed, Duration time.Duration
	// Calls to Salesforce since the beginning, and the age of the oldest registration
	// that waits for it; Watched is false where they are not known.
	Calls   int64
	Oldest  time.Duration
	Watched bool
	// Draining: all visitors are gone, and the queue to Salesforce empties.
	Draining bool
}

// An Outcome is what a run leaves behind.
type Outcome struct {
	Run *result.Run
	// Acknowledged are the registrations that visitors were told are theirs.
	Acknowledged *Ledger
	// Scanned are links that were opened by crowds that change nothing, some of them.
	Scanned []string
}

// engine is one run.
type engine struct {
	Options
	rec     *measure.Recorder
	began   time.Time
	steps   map[stepKey]int
	ledger  *Ledger
	links   atomic.Int64 // how many were taken
	missed  atomic.Int64 // visitors who would have needed one more
	people  atomic.Int64
	present atomic.Int64
	all     sync.WaitGroup
	calls   int64   // to Salesforce, as far as was seen
	busy    float64 // processors that the generator itself used

	mu      sync.Mutex
	scanned []string
}

// stepKey names a step's numbers in the recorder.
type stepKey struct {
	crowd, name string
	noisy       bool
}

// Run runs a scenario until its visitors are gone, or until ctx ends: then everybody
// leaves at once, and the result is what there is. Thresholds and proofs are not in it.
func Run(ctx context.Context, o Options) *Outcome {
	if o.MostVisitors == 0 {
		o.MostVisitors = DefaultMost
	}
	e := &engine{Options: o, rec: measure.New(), began: time.Now(), steps: map[stepKey]int{}, ledger: newLedger()}
	used := processorTime()
	for _, c := range o.Scenario.Crowds {
		e.name(c)
	}
	ticking, stop := context.WithCancel(ctx)
	var clock sync.WaitGroup
	clock.Go(func() { e.tick(ticking) })
	for i := range o.Scenario.Crowds {
		e.all.Go(func() { e.gather(ctx, i) })
	}
	e.all.Wait()
	interrupted := ctx.Err() != nil
	e.busy = float64(processorTime()-used) / float64(max(1, e.now()))
	stop()
	clock.Wait()
	run := &result.Run{
		Scenario: o.Scenario.Name, About: o.Scenario.About, Target: o.Target.URL.String(), Seed: o.Seed,
		Began: e.began, Interrupted: interrupted,
	}
	if !interrupted {
		e.drain(ctx)
	}
	e.rec.Into(run)
	e.notes(run)
	return &Outcome{Run: run, Acknowledged: e.ledger, Scanned: e.scanned}
}

func (e *engine) now() time.Duration { return time.Since(e.began) }

// name gives all steps of a crowd their numbers, in the scenario's order.
func (e *engine) name(c scenario.Crowd) {
	periods := []bool{false}
	if e.Scenario.Alternate > 0 && !c.Noisy {
		periods = []bool{false, true}
	}
	submits := false
	for _, noisy := range periods {
		group := c.Name
		if len(periods) > 1 {
			group += map[bool]string{false: ", quiet", true: ", noisy"}[noisy]
		}
		for _, j := range c.Journeys {
			for _, s := range j.Steps {
				e.steps[stepKey{c.Name, s.Name, noisy}] = e.rec.Step(s.Name, group)
				submits = submits || s.Submit != ""
			}
		}
		if submits {
			e.steps[stepKey{c.Name, scenario.See, noisy}] = e.rec.Step(scenario.See, group)
		}
		e.steps[stepKey{c.Name, waiting, noisy}] = e.rec.Step(waiting, group)
	}
}

// waiting is the step of looking at one's place in line.
const waiting = "wait in line"

// step is the number of a crowd's step at a time.
func (e *engine) step(crowd, name string, at time.Duration) int {
	if n, ok := e.steps[stepKey{crowd, name, e.Scenario.Noisy(at)}]; ok {
		return n
	}
	return e.steps[stepKey{crowd, name, false}] // of a noisy crowd, whose names are one
}

// gather lets the visitors of a crowd come when they are due. One who comes late,
// since this machine was busy, is late: the time of the arrival stays.
func (e *engine) gather(ctx context.Context, crowd int) {
	c := e.Scenario.Crowds[crowd]
	rng := rand.New(rand.NewPCG(e.Seed, uint64(crowd)<<32))
	number := uint64(0)
	for at := range e.Scenario.Plan(c).Times(rng) {
		number++
		if c.Noisy && !e.Scenario.Noisy(at) {
			continue
		}
		if !e.until(ctx, at) {
			return
		}
		if e.present.Load() >= e.MostVisitors {
			e.rec.Never(e.step(c.Name, c.Journeys[0].Steps[0].Name, at), at, noRoom)
			continue
		}
		v := &visitor{engine: e, crowd: &e.Scenario.Crowds[crowd], rng: rand.New(rand.NewPCG(e.Seed, uint64(crowd)<<32|number))}
		e.present.Add(1)
		e.rec.Visitors(1)
		e.all.Go(func() {
			defer e.present.Add(-1)
			defer e.rec.Visitors(-1)
			v.visit(ctx, at)
		})
	}
}

// noRoom is the fault of a visitor who was not let come.
const noRoom = "not sent: too many visitors at once for the generator"

// until waits for a time of the run, and reports whether it came.
func (e *engine) until(ctx context.Context, at time.Duration) bool {
	left := at - e.now()
	if left <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

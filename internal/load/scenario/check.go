package scenario

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/load/arrival"
)

// A Fault is something wrong in a scenario. Path is where, as in a file:
// "crowds[0].arrive.rate".
type Fault struct {
	Path, Says string
	// Missing: nothing stands there, as far as could be read.
	Missing bool
}

func (f Fault) Error() string {
	if f.Path == "" {
		return f.Says
	}
	return f.Path + ": " + f.Says
}

// checker gathers all faults of a scenario.
type checker struct{ faults []Fault }

func (c *checker) fault(path, says string, args ...any) {
	c.faults = append(c.faults, Fault{Path: path, Says: fmt.Sprintf(says, args...)})
}

// Bounds of what a scenario may say.
const (
	longestRun  = 7 * 24 * time.Hour
	mostAtOnce  = 1_000_000
	fastestRate = 1_000_000
)

// Faults are everything that is wrong with a scenario.
func (s *Scenario) Faults() []Fault {
	var c checker
	if s.Name == "" {
		c.fault("", "name: say what the scenario is called")
	}
	c.time("duration", s.Duration, true)
	c.time("patience", s.Patience, false)
	c.time("alternate", s.Alternate, false)
	if s.Alternate > 0 && s.Duration < 2*s.Alternate {
		c.fault("alternate", "the run is shorter than a quiet and a noisy period")
	}
	c.count("event.make", s.Event.Make, 100)
	c.count("event.seats", s.Event.Seats, mostAtOnce)
	if len(s.Crowds) == 0 {
		c.fault("", "crowds: say who comes")
	}
	names := map[string]bool{}
	for i, crowd := range s.Crowds {
		at := fmt.Sprintf("crowds[%d]", i)
		if names[crowd.Name] {
			c.fault(at+".name", "two crowds have the name %q", crowd.Name)
		}
		names[crowd.Name] = true
		c.crowd(at, s, crowd)
	}
	c.thresholds(s)
	return c.faults
}

func (c *checker) time(path string, d time.Duration, needed bool) {
	switch {
	case d < 0 || d > longestRun:
		c.fault(path, "use a time from 0s to 168h")
	case needed && d == 0:
		c.faults = append(c.faults, Fault{Path: path, Says: "say how long, such as 60s", Missing: true})
	}
}

func (c *checker) count(path string, n, most int) {
	if n < 0 || n > most {
		c.fault(path, "use 0 to %d", most)
	}
}

func (c *checker) number(path string, x, most float64) {
	if !(x >= 0 && x <= most) { // NaN too
		c.fault(path, "use a number from 0 to %g", most)
	}
}

func (c *checker) crowd(at string, s *Scenario, crowd Crowd) {
	if crowd.Name == "" {
		c.fault(at, "name: say what the crowd is called")
	}
	c.count(at+".visitors", crowd.Visitors, mostAtOnce)
	c.arrive(at, crowd)
	if crowd.Stay && crowd.Visitors == 0 {
		c.fault(at, "visitors: say how many stay")
	}
	if crowd.Noisy && s.Alternate == 0 {
		c.fault(at+".noisy", "there are no noisy periods: say how long they are with alternate")
	}
	if len(crowd.Journeys) == 0 {
		c.fault(at, "journeys: say what they do")
	}
	for i, j := range crowd.Journeys {
		in := fmt.Sprintf("%s.journeys[%d]", at, i)
		c.count(in+".weight", j.Weight, 1000)
		if len(j.Steps) == 0 {
			c.fault(in, "steps: there is none")
		}
		c.steps(in, j)
	}
}

func (c *checker) arrive(at string, crowd Crowd) {
	a, in := crowd.Arrive, at+".arrive"
	c.number(in+".rate", a.Rate, fastestRate)
	c.number(in+".to", a.To, fastestRate)
	c.number(in+".allowances", a.Allowances, 1000)
	c.time(in+".half_life", a.HalfLife, false)
	c.time(in+".within", a.Within, false)
	if !slices.Contains([]arrival.Shape{arrival.Even, arrival.Ramp, arrival.Rush, arrival.AtOnce}, a.How) {
		c.fault(in, "how: use even, ramp, rush or at-once")
		return
	}
	rate := a.Rate + a.To + a.Allowances
	switch {
	case a.How == arrival.AtOnce && crowd.Visitors == 0:
		c.fault(at, "visitors: say how many come at once")
	case a.How == arrival.Rush && a.HalfLife == 0:
		c.fault(in, "half_life: say after how long half as many come")
	case a.How == arrival.Ramp && a.Rate+a.To == 0:
		c.fault(in, "rate, to: say from what rate to what rate")
	case a.How != arrival.AtOnce && crowd.Visitors == 0 && rate == 0:
		c.fault(in, "rate: say how many come in a second, or visitors how many come")
	case a.Allowances > 0 && (a.Rate > 0 || a.How != arrival.Even):
		c.fault(in+".allowances", "it stands for the rate of an even arrival")
	}
}

func (c *checker) steps(at string, j Journey) {
	page, registered := false, false
	for i, step := range j.Steps {
		in := fmt.Sprintf("%s.steps[%d]", at, i)
		c.step(in, step)
		for _, path := range []string{step.Open, step.Scan} {
			if has(path, registrationMark) && !registered {
				c.fault(in, "nothing was registered before {registration}")
			}
		}
		if step.Submit != "" && !page {
			c.fault(in+".submit", "no page was opened before")
		}
		page = page || step.Open != "" || step.Scan != ""
		registered = registered || step.Submit != ""
	}
}

func (c *checker) step(in string, step Step) {
	if step.Name == "" {
		c.fault(in, "name: say what the step is called in results")
	}
	kinds := 0
	for _, said := range []bool{step.Open != "", step.Submit != "", step.Scan != "", step.Odd} {
		if said {
			kinds++
		}
	}
	if kinds != 1 {
		c.fault(in, "say one of open, submit, scan and odd")
	}
	for key, path := range map[string]string{"open": step.Open, "scan": step.Scan} {
		if says := pathFault(path); path != "" && says != "" {
			c.fault(in+"."+key, "%s", says)
		}
	}
	if step.Submit != "" && step.Submit != "form" && step.Submit != "decline" {
		c.fault(in+".submit", "use form or decline")
	}
	if step.Submit == "" && (len(step.Fill) > 0 || step.Waitlist > 0) {
		c.fault(in, "fill and waitlist belong to submit")
	}
	c.time(in+".think", step.Think, false)
	c.number(in+".share", step.Share, 1)
	c.number(in+".waitlist", step.Waitlist, 1)
	for i, status := range step.Expect {
		if status < 100 || status > 599 {
			c.fault(fmt.Sprintf("%s.expect[%d]", in, i), "use a status from 100 to 599")
		}
	}
}

func (c *checker) thresholds(s *Scenario) {
	names := s.StepNames()
	for i, t := range s.Thresholds {
		at := fmt.Sprintf("thresholds[%d]", i)
		if t.Of != "" && !slices.Contains(names, t.Of) {
			c.fault(at+".of", "no step has this name: use one of %s", strings.Join(names, ", "))
		}
		for key, d := range map[string]time.Duration{"p50": t.P50, "p90": t.P90, "p99": t.P99, "p999": t.P999, "max": t.Max, "noisy_more": t.NoisyMore, "oldest": t.Oldest} {
			c.time(at+"."+key, d, false)
		}
		for key, x := range map[string]float64{"noisy_times": t.NoisyTimes, "calls_a_thousand": t.CallsAThousand, "growth": t.Growth} {
			c.number(at+"."+key, x, 1e6)
		}
		if _, err := Percent(t.Errors); err != nil {
			c.fault(at+".errors", "use a percentage such as 0.1%%")
		}
		switch {
		case t.NoisyTimes > 0 && (s.Alternate == 0 || t.Of == ""):
			c.fault(at+".noisy_times", "it compares a step (of) in quiet and noisy periods (alternate)")
		case t.nothing():
			c.fault(at, "it asks for nothing")
		}
	}
}

func (t Threshold) nothing() bool {
	return t.P50+t.P90+t.P99+t.P999+t.Max+t.Oldest == 0 && t.Errors == "" && t.NoisyTimes == 0 && t.CallsAThousand == 0 && t.Growth == 0
}

// See is the name of the step that every submission ends with: looking at the page
// that it leads to.
const See = "see the registration"

// StepNames are those of all steps, each once, in order.
func (s *Scenario) StepNames() []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	submits := false
	for _, crowd := range s.Crowds {
		for _, j := range crowd.Journeys {
			for _, step := range j.Steps {
				add(step.Name)
				submits = submits || step.Submit != ""
			}
		}
	}
	if submits {
		add(See)
	}
	return names
}

// Percent reads a share such as "0.1%"; "" is none, -1.
func Percent(text string) (float64, error) {
	if text == "" {
		return -1, nil
	}
	number, ok := strings.CutSuffix(strings.TrimSpace(text), "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !ok || math.IsNaN(x) || x < 0 || x > 100 {
		return 0, fmt.Errorf("%q is no percentage", text)
	}
	return x / 100, nil
}

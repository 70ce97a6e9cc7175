// Package scenario is what a run of load does, as data: which visitors come, when,
// what each of them does, and what must hold. Those that are built in are files of
// the same form as operators' own (docs/load.md).
package scenario

import (
	"time"

	"github.com/turnout-events/turnout/internal/load/arrival"
)

// A Scenario is a whole run. Its file is read by config.Scenario.
type Scenario struct {
	Name string `yaml:"name"`
	// About says in one sentence what it does.
	About string `yaml:"about"`
	// Duration is for how long visitors come. Those who are there then finish.
	Duration time.Duration `yaml:"duration"`
	// Patience is how long a visitor waits for an answer; 30 s where it is 0.
	Patience time.Duration `yaml:"patience"`
	// Alternate makes quiet and noisy periods of this length take turns, a quiet one
	// first; 0 for none. Results tell them apart.
	Alternate time.Duration `yaml:"alternate"`
	// Event is made for the run where the target's Salesforce is simulated.
	Event Event `yaml:"event"`
	// Crowds come beside each other.
	Crowds     []Crowd     `yaml:"crowds"`
	Thresholds []Threshold `yaml:"thresholds"`
}

// Event says what visitors register for. Where the simulator is known it is made for
// the run and taken away afterwards; else --event names one.
type Event struct {
	// Make is how many events there are; 0 means 1 where anybody goes to one.
	Make int `yaml:"make"`
	// Seats of each, 0 for no limit.
	Seats int `yaml:"seats"`
	// Waitlist offers one when the seats are gone.
	Waitlist bool `yaml:"waitlist"`
}

// Crowd is visitors of one kind.
type Crowd struct {
	Name string `yaml:"name"`
	// Visitors is how many come; 0 for as many as Arrive's rate gives.
	Visitors int    `yaml:"visitors"`
	Arrive   Arrive `yaml:"arrive"`
	// Stay makes each of them begin anew, as somebody else, until the run is over:
	// Visitors is then how many are there at any time.
	Stay bool `yaml:"stay"`
	// Noisy makes them come in noisy periods only.
	Noisy bool `yaml:"noisy"`
	// Attack sends them to the org that is attacked, and not to the target.
	Attack bool `yaml:"attack"`
	// ChangesNothing is checked when the run is over: what they opened is as it was.
	ChangesNothing bool      `yaml:"changes_nothing"`
	Journeys       []Journey `yaml:"journeys"`
}

// Arrive says when the visitors of a crowd come.
type Arrive struct {
	How arrival.Shape `yaml:"how"`
	// Rate is visitors a second; To that at the end of a ramp.
	Rate float64 `yaml:"rate"`
	To   float64 `yaml:"to"`
	// Allowances is the rate as a multiple of what the attacked org is allowed.
	Allowances float64 `yaml:"allowances"`
	// HalfLife is of a rush: after it half as many come.
	HalfLife time.Duration `yaml:"half_life"`
	// Within is the time in which they come; the run's duration where it is 0.
	Within time.Duration `yaml:"within"`
}

// Journey is what a visitor does, step by step.
type Journey struct {
	Name string `yaml:"name"`
	// Weight is its part among the journeys of its crowd; 1 where it is 0.
	Weight int    `yaml:"weight"`
	Steps  []Step `yaml:"steps"`
}

// Step is one thing that a visitor does. One of Open, Submit, Scan and Odd is set.
type Step struct {
	// Name is how results call it.
	Name string `yaml:"name"`
	// Open asks for a page. {link} is the path of the visitor's personal link,
	// {event} an event's slug, {registration} the page of what was registered.
	Open string `yaml:"open"`
	// Submit sends the form of the last page: "form" with its plain button, or
	// "decline" with the one for not coming.
	Submit string `yaml:"submit"`
	// Scan opens a page like Open, and then all it leads to, as mail scanners do.
	Scan string `yaml:"scan"`
	// Odd sends one of the requests that no browser sends.
	Odd bool `yaml:"odd"`
	// Think is how long the visitor takes before it, on average: each between half
	// and one and a half of it.
	Think time.Duration `yaml:"think"`
	// Share of the visitors go on to it (0 to 1); the others leave. 0 means all.
	Share float64 `yaml:"share"`
	// Fill gives answers by the names of fields.
	Fill map[string]string `yaml:"fill"`
	// Waitlist is the share of those who are told that it is full and join the
	// waitlist where there is one.
	Waitlist float64 `yaml:"waitlist"`
	// Expect are the statuses that are right; 200 for Open where it is empty.
	Expect []int `yaml:"expect"`
}

// Threshold is one thing that must hold, or the run fails. Zero values ask nothing.
type Threshold struct {
	// Of is the name of the step that it is about, of all its groups; "" is the run.
	Of   string        `yaml:"of"`
	P50  time.Duration `yaml:"p50"`
	P90  time.Duration `yaml:"p90"`
	P99  time.Duration `yaml:"p99"`
	P999 time.Duration `yaml:"p999"`
	Max  time.Duration `yaml:"max"`
	// Errors is the share of requests that may fail, such as 0.1%.
	Errors string `yaml:"errors"`
	// NoisyTimes is how many times the p99 of the quiet periods that of the noisy ones
	// may be, and NoisyMore how much longer it may take in any case.
	NoisyTimes float64       `yaml:"noisy_times"`
	NoisyMore  time.Duration `yaml:"noisy_more"`
	// CallsAThousand are Salesforce calls for each 1,000 registrations.
	CallsAThousand float64 `yaml:"calls_a_thousand"`
	// Oldest is how long a registration may have waited for Salesforce.
	Oldest time.Duration `yaml:"oldest"`
	// Growth is how many times what they held in the run's second quarter the
	// processes' memory, goroutines and files may be in its last quarter.
	Growth float64 `yaml:"growth"`
}

// Links reports whether visitors come with personal links.
func (s *Scenario) Links() bool { return s.any(func(p string) bool { return has(p, linkMark) }) }

// Events reports whether visitors go to events.
func (s *Scenario) Events() bool {
	return s.Links() || s.any(func(p string) bool { return has(p, eventMark) })
}

// Attacks reports whether another org is attacked.
func (s *Scenario) Attacks() bool {
	for _, c := range s.Crowds {
		if c.Attack {
			return true
		}
	}
	return false
}

func (s *Scenario) any(of func(path string) bool) bool {
	for _, c := range s.Crowds {
		if c.any(of) {
			return true
		}
	}
	return false
}

// Links reports whether visitors of this crowd come with personal links.
func (c Crowd) Links() bool { return c.any(func(p string) bool { return has(p, linkMark) }) }

func (c Crowd) any(of func(path string) bool) bool {
	for _, j := range c.Journeys {
		for _, step := range j.Steps {
			if of(step.Open) || of(step.Scan) {
				return true
			}
		}
	}
	return false
}

package turnout

import (
	"errors"
	"fmt"
	"strings"
)

// Placement says where an org's visitors are served and how much of it is
// theirs. The tags name its keys in the store and in an operator's file.
type Placement struct {
	// Stack is the group of instances that the org lives on; empty means the
	// first one that the edge knows.
	Stack string `json:"stack,omitempty" yaml:"stack"`
	// Previous is the stack that it lived on before: sessions that began there
	// end there. Empty means none. It is set when Stack is changed in the store.
	Previous string `json:"previous,omitempty" yaml:"previous"`
	// Home is the region that serves the org; empty means the first of its stack.
	Home string `json:"home,omitempty" yaml:"home"`
	// Failover are the regions that take over, in this order; empty means all
	// others of its stack in theirs.
	Failover []string `json:"failover,omitempty" yaml:"failover"`
	// Nearest serves new sessions from whichever of these regions answers
	// fastest, and not from Home while it works.
	Nearest bool `json:"nearest,omitempty" yaml:"nearest"`
	// Allowance is the org's; zero fields mean the edge's own defaults.
	Allowance Allowance `json:"allowance,omitzero" yaml:"allowance"`
	// Events are those with a limit of their own.
	Events []EventAllowance `json:"events,omitempty" yaml:"events"`
	// Domain is the rate of each of its hosts, where it differs from the org's.
	Domain Rate `json:"domain,omitzero" yaml:"domain"`
}

// FirstStack stands for the first stack that an edge knows, where an org that
// named none has left it.
const FirstStack = "*"

// MovedFrom is p with the stack that was left, if before names another one.
func (p Placement) MovedFrom(before Placement) Placement {
	switch {
	case p.Previous != "":
	case p.Stack == before.Stack:
		p.Previous = before.Previous
	case before.Stack == "":
		p.Previous = FirstStack
	default:
		p.Previous = before.Stack
	}
	return p
}

// Faults lists what a placement cannot mean, each with its key, as far as it can
// be known without an edge's stacks.
func (p Placement) Faults() []error {
	faults := inside("allowance", p.Allowance)
	faults = append(faults, inside("domain", Allowance{PerSecond: p.Domain.PerSecond, Burst: p.Domain.Burst})...)
	seen := map[string]bool{}
	for i, e := range p.Events {
		switch {
		case e.Slug == "" || strings.ContainsAny(e.Slug, "/? "):
			faults = append(faults, fmt.Errorf("events[%d].slug: use the event's, as in its address", i))
		case seen[e.Slug]:
			faults = append(faults, fmt.Errorf("events[%d].slug: %s is there twice", i, e.Slug))
		}
		if e.Sessions < 1 {
			faults = append(faults, fmt.Errorf("events[%d].sessions: use a number of visitors, at least 1", i))
		}
		seen[e.Slug] = true
	}
	return faults
}

func inside(key string, a Allowance) []error {
	faults := a.Faults()
	for i, err := range faults {
		faults[i] = fmt.Errorf("%s.%w", key, err)
	}
	return faults
}

// EventAllowance bounds how many visitors one event's form has at once.
type EventAllowance struct {
	Slug     string `json:"slug" yaml:"slug"`
	Sessions int    `json:"sessions" yaml:"sessions"`
}

// Allowance bounds what one holder may ask for (P7).
type Allowance struct {
	// PerSecond requests in the long run, and Burst at once.
	PerSecond float64 `json:"per_second,omitempty" yaml:"per_second"`
	Burst     int     `json:"burst,omitempty" yaml:"burst"`
	// Share is the part of a pool's places that requests under way may take,
	// in (0,1].
	Share float64 `json:"share,omitempty" yaml:"share"`
	// Sessions is how many visitors are let in at once before a waiting room
	// opens; 0 means as many as the pool turns out to hold.
	Sessions int `json:"sessions,omitempty" yaml:"sessions"`
}

// Rate is requests in the long run and at once. Zero PerSecond says nothing.
type Rate struct {
	PerSecond float64 `json:"per_second,omitempty" yaml:"per_second"`
	Burst     int     `json:"burst,omitempty" yaml:"burst"`
}

// Or fills what a does not say from b.
func (a Allowance) Or(b Allowance) Allowance {
	if a.PerSecond == 0 {
		a.PerSecond, a.Burst = b.PerSecond, b.Burst
	}
	if a.Burst == 0 {
		a.Burst = max(1, int(2*a.PerSecond))
	}
	if a.Share == 0 {
		a.Share = b.Share
	}
	if a.Sessions == 0 {
		a.Sessions = b.Sessions
	}
	return a
}

// Faults lists what an allowance cannot mean, each with its key.
func (a Allowance) Faults() []error {
	var faults []error
	if !(a.PerSecond >= 0 && a.PerSecond <= 1e6) { // NaN, too
		faults = append(faults, errors.New("per_second: use a number of requests, 0 to 1000000"))
	}
	if a.Burst < 0 || a.Burst > 1e7 {
		faults = append(faults, errors.New("burst: use a number of requests, 0 to 10000000"))
	}
	if a.PerSecond == 0 && a.Burst > 0 {
		faults = append(faults, errors.New("burst: give per_second, too"))
	}
	if !(a.Share >= 0 && a.Share <= 1) {
		faults = append(faults, errors.New("share: use a part of 1, such as 0.5"))
	}
	if a.Sessions < 0 {
		faults = append(faults, errors.New("sessions: use 0 or a number of visitors"))
	}
	return faults
}

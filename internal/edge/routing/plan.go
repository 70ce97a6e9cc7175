// Package routing says which instances serve whom: host, org, stack, region
// order, pool, upstream. A Plan is what an operator writes, a Table what is made
// of it: a value that never changes, so that a request sees one state of it and
// a new one replaces it in one step.
package routing

import (
	"github.com/turnout-events/turnout"
)

// Plan is all stacks with their pools, and all orgs.
type Plan struct {
	Stacks []Stack `yaml:"stacks"`
	// Orgs are those of the store, or those that the file lists.
	Orgs []Org `yaml:"orgs"`
}

// Stack is a group of instances that orgs live on, in one region or several.
type Stack struct {
	Name string `yaml:"name"`
	// Pools are in order of preference, for orgs that name no region.
	Pools []Pool `yaml:"pools"`
}

func (s *Stack) regions() []string {
	var all []string
	for _, p := range s.Pools {
		all = append(all, p.Region)
	}
	return all
}

// Pool is a stack's instances in one region.
type Pool struct {
	Region    string     `yaml:"region"`
	Upstreams []Upstream `yaml:"upstreams"`
}

// Upstream is an instance as the edge reaches it. Sessions are bound to its
// name: an instance that comes back under it, wherever, has its sessions again.
type Upstream struct {
	Name string `yaml:"name"`
	// URL is its origin, such as http://10.0.0.7:8080.
	URL string `yaml:"url"`
}

// Org is what the edge has to know of an org.
type Org struct {
	ID turnout.OrgID `yaml:"id"`
	// Name is what visitors call it.
	Name string `yaml:"name"`
	// Language is the BCP 47 tag of its pages, English if unsaid.
	Language string `yaml:"language"`
	// Hosts are its names; ID.localhost works besides.
	Hosts     []string          `yaml:"hosts"`
	Placement turnout.Placement `yaml:"placement"`
}

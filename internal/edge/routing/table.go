package routing

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
)

// Table is a plan made ready to look hosts up in. It never changes.
type Table struct {
	plan  Plan
	hosts map[string]*Route
}

// Route is where the visitors of one host go.
type Route struct {
	Host string
	Org  *Org
	// Current serves new sessions, Previous those that began there; it is nil
	// unless the org has just moved.
	Current, Previous *Course
}

// Course is a stack's pools in the order in which an org uses them: its home,
// then what takes over.
type Course struct {
	Stack string
	Pools []*Pool
}

// New makes a table of plan, or lists everything that is wrong with it.
func New(plan Plan) (*Table, error) {
	b := &builder{plan: plan, stacks: map[string]*Stack{}, table: &Table{plan: plan, hosts: map[string]*Route{}}}
	b.addStacks()
	for i := range plan.Orgs {
		b.addOrg(i)
	}
	if err := errors.Join(b.faults...); err != nil {
		return nil, err
	}
	return b.table, nil
}

// Lookup finds the route of a request's Host: with or without port, in any case.
func (t *Table) Lookup(host string) (*Route, bool) {
	if r, ok := t.hosts[host]; ok { // the common case costs nothing more
		return r, true
	}
	r, ok := t.hosts[Name(host)]
	return r, ok
}

// Name is a Host header's name: without port and final dot, in lower case.
func Name(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// Routes are all of them by host.
func (t *Table) Routes() map[string]*Route { return t.hosts }

// Plan is what the table was made of.
func (t *Table) Plan() Plan { return t.plan }

type builder struct {
	plan   Plan
	stacks map[string]*Stack
	table  *Table
	faults []error
}

func (b *builder) fault(format string, args ...any) {
	b.faults = append(b.faults, fmt.Errorf(format, args...))
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

const nameRule = "use 1 to 40 lower-case letters, digits and hyphens"

func (b *builder) addStacks() {
	if len(b.plan.Stacks) == 0 {
		b.fault("stacks: name at least one, with a pool of instances")
	}
	names := map[string]bool{}
	for i := range b.plan.Stacks {
		s := &b.plan.Stacks[i]
		switch {
		case !namePattern.MatchString(s.Name):
			b.fault("stacks[%d].name: %s", i, nameRule)
		case b.stacks[s.Name] != nil:
			b.fault("stack %s: it is there twice", s.Name)
		}
		b.stacks[s.Name] = s
		b.checkPools(s, names)
	}
}

// checkPools checks a stack's pools. Names of upstreams are unique in a plan,
// since sessions are bound to them.
func (b *builder) checkPools(s *Stack, names map[string]bool) {
	if len(s.Pools) == 0 {
		b.fault("stack %s: give it a pool of instances", s.Name)
	}
	regions := map[string]bool{}
	for i, p := range s.Pools {
		if !namePattern.MatchString(p.Region) {
			b.fault("stack %s: pools[%d].region: %s", s.Name, i, nameRule)
		} else if regions[p.Region] {
			b.fault("stack %s: region %s is there twice", s.Name, p.Region)
		}
		regions[p.Region] = true
		for _, u := range p.Upstreams {
			if !namePattern.MatchString(u.Name) {
				b.fault("stack %s, region %s: an upstream's name: %s", s.Name, p.Region, nameRule)
			} else if names[u.Name] {
				b.fault("upstream %s: another one has this name", u.Name)
			}
			names[u.Name] = true
			if !isOrigin(u.URL) {
				b.fault("upstream %s: url: give scheme, host and port, such as http://10.0.0.7:8080", u.Name)
			}
		}
	}
}

// isOrigin reports whether s is scheme, host and port and nothing else.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && s == u.Scheme+"://"+u.Host
}

func (b *builder) addOrg(i int) {
	org := &b.plan.Orgs[i]
	if !org.ID.Valid() {
		b.fault("orgs[%d].id: use 1 to 40 lower-case letters, digits and hyphens", i)
		return
	}
	current := b.course(org, org.Placement.Stack)
	var previous *Course
	if p := org.Placement.Previous; p != "" && b.stacks[p] != nil && (current == nil || p != current.Stack) {
		previous = b.course(org, p)
	}
	b.checkAllowance(org.ID, org.Placement.Allowance)
	b.checkAllowance(org.ID, turnout.Allowance{PerSecond: org.Placement.Domain.PerSecond, Burst: org.Placement.Domain.Burst})
	own := string(org.ID) + ".localhost"
	for _, host := range append([]string{own}, org.Hosts...) {
		name := Name(host)
		switch other := b.table.hosts[name]; {
		case name == "" || len(name) > 253:
			b.fault("org %s: hosts: give names such as events.acme.example, without scheme and port", org.ID)
		case other != nil && other.Org.ID != org.ID:
			b.fault("org %s: host %s belongs to %s already", org.ID, name, other.Org.ID)
		default:
			b.table.hosts[name] = &Route{Host: name, Org: org, Current: current, Previous: previous}
		}
	}
}

// course is a stack's pools in an org's order; no name means the first stack.
func (b *builder) course(org *Org, name string) *Course {
	if name == "" && len(b.plan.Stacks) > 0 {
		name = b.plan.Stacks[0].Name
	}
	stack := b.stacks[name]
	if stack == nil {
		if name != "" {
			b.fault("org %s: there is no stack %s", org.ID, name)
		}
		return nil
	}
	c := &Course{Stack: name}
	want := org.Placement.Failover
	if home := org.Placement.Home; home != "" {
		want = append([]string{home}, want...)
	}
	for _, region := range want {
		at := slices.IndexFunc(stack.Pools, func(p Pool) bool { return p.Region == region })
		switch {
		case at < 0 && name == org.Placement.Previous: // it is being left; where it has no such region, others do
		case at < 0:
			b.fault("org %s: stack %s has no region %s", org.ID, name, region)
		case !slices.Contains(c.Pools, &stack.Pools[at]):
			c.Pools = append(c.Pools, &stack.Pools[at])
		}
	}
	if len(org.Placement.Failover) > 0 {
		return c
	}
	for i := range stack.Pools {
		if !slices.Contains(c.Pools, &stack.Pools[i]) {
			c.Pools = append(c.Pools, &stack.Pools[i])
		}
	}
	return c
}

func (b *builder) checkAllowance(org turnout.OrgID, a turnout.Allowance) {
	if err := a.Check(); err != nil {
		b.fault("org %s: %w", org, err)
	}
}

// Same reports whether two tables route alike.
func (t *Table) Same(other *Table) bool { return reflect.DeepEqual(t.plan, other.plan) }

package routing

import (
	"errors"
	"fmt"
	"maps"
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
	b := newBuilder(plan)
	b.addStacks()
	seen := map[turnout.OrgID]bool{}
	for i, org := range plan.Orgs {
		if !org.ID.Valid() {
			b.fault("orgs[%d].id: %s", i, nameRule)
			continue
		}
		if seen[org.ID] {
			b.fault("orgs[%d].id: %s is there twice", i, org.ID)
			continue
		}
		seen[org.ID] = true
		if err := b.add(org); err != nil {
			b.faults = append(b.faults, err)
			b.claim(&org)
		}
	}
	if err := errors.Join(b.faults...); err != nil {
		return nil, err
	}
	return b.table, nil
}

// Follow makes a table of plan, whose orgs come from elsewhere than its stacks: an
// org with a fault keeps what it had in last, or is left out, and no other org
// notices. faults are what is wrong with orgs; an error refuses all.
func Follow(plan Plan, last *Table) (t *Table, faults []error, err error) {
	b := newBuilder(plan)
	b.addStacks()
	if err := errors.Join(b.faults...); err != nil {
		return nil, nil, err
	}
	var kept []Org
	for _, org := range plan.Orgs {
		err := b.add(org)
		if err == nil {
			kept = append(kept, org)
			continue
		}
		faults = append(faults, err)
		if before, ok := last.org(org.ID); ok && b.add(before) == nil {
			kept = append(kept, before)
		}
	}
	b.table.plan.Orgs = kept
	return b.table, faults, nil
}

func (t *Table) org(id turnout.OrgID) (Org, bool) {
	if t == nil {
		return Org{}, false
	}
	i := slices.IndexFunc(t.plan.Orgs, func(o Org) bool { return o.ID == id })
	if i < 0 {
		return Org{}, false
	}
	return t.plan.Orgs[i], true
}

// Course is the one that org's new sessions would have with the placement that it is
// given with, or what is wrong with that.
func (t *Table) Course(org Org) (*Course, error) {
	b := newBuilder(t.plan)
	b.addStacks()
	c := b.course(&org, org.Placement.Stack, false)
	faults := make([]error, len(b.faults))
	for i, err := range b.faults {
		faults[i] = errors.New(strings.TrimPrefix(err.Error(), fmt.Sprintf("org %s: ", org.ID)))
	}
	return c, errors.Join(faults...)
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
	// vague are stacks of which some region's name cannot be told, "" if that of
	// some stack cannot: whoever names another one may mean that.
	vague map[string]bool
}

func newBuilder(plan Plan) *builder {
	return &builder{plan: plan, stacks: map[string]*Stack{}, vague: map[string]bool{}, table: &Table{plan: plan, hosts: map[string]*Route{}}}
}

func (b *builder) fault(format string, args ...any) {
	b.faults = append(b.faults, fmt.Errorf(format, args...))
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

const nameRule = "use 1 to 40 lower-case letters, digits and hyphens"

func (b *builder) addStacks() {
	if len(b.plan.Stacks) == 0 {
		b.fault("stacks: name at least one, with a pool of instances")
		b.vague[""] = true
	}
	names := map[string]bool{}
	for i := range b.plan.Stacks {
		s := &b.plan.Stacks[i]
		label := "stack " + s.Name
		switch {
		case !namePattern.MatchString(s.Name):
			label = fmt.Sprintf("stacks[%d]", i)
			b.fault("%s.name: %s", label, nameRule)
			b.vague[""] = true
		case b.stacks[s.Name] != nil:
			b.fault("%s: it is there twice", label)
		}
		b.stacks[s.Name] = s
		b.checkPools(s, label, names)
	}
}

// checkPools checks a stack's pools. Names of upstreams are unique in a plan,
// since sessions are bound to them.
func (b *builder) checkPools(s *Stack, label string, names map[string]bool) {
	if len(s.Pools) == 0 {
		b.fault("%s: pools: give it a pool of instances", label)
		b.vague[s.Name] = true
	}
	regions := map[string]bool{}
	for i, p := range s.Pools {
		if !namePattern.MatchString(p.Region) {
			b.fault("%s: pools[%d].region: %s", label, i, nameRule)
			b.vague[s.Name] = true
		} else if regions[p.Region] {
			b.fault("%s: region %s is there twice", label, p.Region)
		}
		regions[p.Region] = true
		for j, u := range p.Upstreams {
			b.checkUpstream(u, fmt.Sprintf("%s: pools[%d].upstreams[%d]", label, i, j), names)
		}
	}
}

// checkUpstream checks what stands at a place of the plan.
func (b *builder) checkUpstream(u Upstream, at string, names map[string]bool) {
	if !namePattern.MatchString(u.Name) {
		b.fault("%s.name: %s", at, nameRule)
	} else {
		if names[u.Name] {
			b.fault("upstream %s: another one has this name", u.Name)
		}
		names[u.Name] = true
		at = "upstream " + u.Name
	}
	if !isOrigin(u.URL) {
		b.fault("%s: url: give scheme, host and port, such as http://10.0.0.7:8080", at)
	}
}

// isOrigin reports whether s is scheme, host and port and nothing else.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && s == u.Scheme+"://"+u.Host
}

// add adds an org with all its hosts, or with none where it has a fault.
func (b *builder) add(org Org) error {
	before := len(b.faults)
	routes := b.routes(&org)
	faults := slices.Clone(b.faults[before:])
	b.faults = b.faults[:before]
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	for _, r := range routes {
		b.table.hosts[r.Host] = r
	}
	return nil
}

// claim keeps the hosts of an org with a fault from others, so that those who want
// them too are told at the same time.
func (b *builder) claim(org *Org) {
	for _, host := range org.Hosts {
		if name := Name(host); b.table.hosts[name] == nil {
			b.table.hosts[name] = &Route{Host: name, Org: org}
		}
	}
}

// routes are those of an org's hosts.
func (b *builder) routes(org *Org) []*Route {
	if !org.ID.Valid() {
		b.fault("org %q: id: use 1 to 40 lower-case letters, digits and hyphens", string(org.ID))
		return nil
	}
	current := b.course(org, org.Placement.Stack, false)
	var previous *Course
	if p := b.previous(org.Placement.Previous); p != "" && (current == nil || p != current.Stack) {
		if c := b.course(org, p, true); len(c.Pools) > 0 {
			previous = c
		}
	}
	for _, err := range org.Placement.Faults() {
		b.fault("org %s: placement.%w", org.ID, err)
	}
	var all []*Route
	own := string(org.ID) + ".localhost"
	for _, host := range append([]string{own}, org.Hosts...) {
		name := Name(host)
		switch other := b.table.hosts[name]; {
		case name == "" || len(name) > 253:
			b.fault("org %s: hosts: give names such as events.acme.example, without scheme and port", org.ID)
		case other != nil:
			b.fault("org %s: host %s belongs to %s already", org.ID, name, other.Org.ID)
		default:
			all = append(all, &Route{Host: name, Org: org, Current: current, Previous: previous})
		}
	}
	return all
}

// previous is the name of the stack that was left, empty where there is none of
// that name any more.
func (b *builder) previous(name string) string {
	if name == turnout.FirstStack && len(b.plan.Stacks) > 0 {
		name = b.plan.Stacks[0].Name
	}
	if b.stacks[name] == nil {
		return ""
	}
	return name
}

// course is a stack's pools in an org's order; no name means the first stack. One
// that is being left need not have the org's regions.
func (b *builder) course(org *Org, name string, leaving bool) *Course {
	if name == "" && len(b.plan.Stacks) > 0 {
		name = b.plan.Stacks[0].Name
	}
	stack := b.stacks[name]
	if stack == nil {
		if name != "" && !b.vague[""] {
			b.fault("org %s: placement.stack: there is no stack %s: use one of %s", org.ID, name, strings.Join(slices.Sorted(maps.Keys(b.stacks)), ", "))
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
		case at < 0 && (leaving || b.vague[name]):
		case at < 0:
			b.fault("org %s: placement: stack %s has no region %s: use one of %s", org.ID, name, region, strings.Join(stack.regions(), ", "))
		case !slices.Contains(c.Pools, &stack.Pools[at]):
			c.Pools = append(c.Pools, &stack.Pools[at])
		}
	}
	if len(org.Placement.Failover) > 0 && len(c.Pools) > 0 {
		return c
	}
	for i := range stack.Pools {
		if !slices.Contains(c.Pools, &stack.Pools[i]) {
			c.Pools = append(c.Pools, &stack.Pools[i])
		}
	}
	return c
}

// Same reports whether two tables route alike.
func (t *Table) Same(other *Table) bool { return reflect.DeepEqual(t.plan, other.plan) }

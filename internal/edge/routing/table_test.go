package routing

import (
	"fmt"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
)

func pools(stack string, regions ...string) []Pool {
	var all []Pool
	for _, r := range regions {
		all = append(all, Pool{Region: r, Upstreams: []Upstream{{Name: stack + "-" + r + "-1", URL: "http://10.0.0.1:8080"}}})
	}
	return all
}

// sample is the plan of two stacks in four regions.
func sample() Plan {
	return Plan{
		Stacks: []Stack{
			{Name: "blue", Pools: pools("blue", "us-primary", "us-second", "emea", "apac")},
			{Name: "green", Pools: pools("green", "emea", "apac")},
		},
		Orgs: []Org{
			{ID: "acme", Hosts: []string{"events.acme.example", "ACME.example."}},
			{ID: "umbra", Hosts: []string{"umbra.example"}, Placement: turnout.Placement{
				Stack: "green", Previous: "blue", Home: "apac", Failover: []string{"emea"},
			}},
			{ID: "far", Placement: turnout.Placement{Home: "apac"}},
		},
	}
}

func regions(c *Course) string {
	if c == nil {
		return "-"
	}
	var all []string
	for _, p := range c.Pools {
		all = append(all, p.Region)
	}
	return c.Stack + ":" + strings.Join(all, ",")
}

func TestLookup(t *testing.T) {
	table, err := New(sample())
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"events.acme.example":      "acme blue:us-primary,us-second,emea,apac -",
		"Events.Acme.Example:8443": "acme blue:us-primary,us-second,emea,apac -",
		"acme.example":             "acme blue:us-primary,us-second,emea,apac -",
		"acme.localhost:8080":      "acme blue:us-primary,us-second,emea,apac -",
		"umbra.example":            "umbra green:apac,emea blue:apac,emea",
		"far.localhost":            "far blue:apac,us-primary,us-second,emea -",
		"other.example":            "",
		"":                         "",
		"acme.localhost.evil":      "",
	} {
		got := ""
		if r, ok := table.Lookup(host); ok {
			got = fmt.Sprintf("%s %s %s", r.Org.ID, regions(r.Current), regions(r.Previous))
		}
		if got != want {
			t.Errorf("%q goes to %q, want %q", host, got, want)
		}
	}
}

// A plan with faults is refused whole, with every fault listed.
func TestEveryFaultIsListed(t *testing.T) {
	plan := sample()
	plan.Stacks[0].Pools[1].Region = "us-primary"
	plan.Stacks[0].Pools[2].Upstreams[0].URL = "http://10.0.0.1:8080/path"
	plan.Stacks[1].Pools[0].Upstreams[0].Name = "blue-apac-1"
	plan.Stacks = append(plan.Stacks, Stack{Name: "blue", Pools: []Pool{{Region: "emea", Upstreams: []Upstream{{URL: "10.0.0.1"}}}}})
	plan.Orgs[0].Placement.Stack = "purple"
	plan.Orgs[1].Hosts = []string{"acme.example", ""}
	plan.Orgs[1].Placement.Allowance = turnout.Allowance{PerSecond: -1, Share: 2}
	plan.Orgs[2].Placement.Home = "moon"
	plan.Orgs = append(plan.Orgs, Org{ID: "NO"}, Org{ID: "acme"})
	_, err := New(plan)
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{
		"region us-primary is there twice", "upstream blue-emea-1: url", "upstream blue-apac-1: another one has this name",
		"stack blue: it is there twice", "stack blue: pools[0].upstreams[0].name: use", "stack blue: pools[0].upstreams[0]: url: give",
		"org acme: placement.stack: there is no stack purple: use one of blue, green", "host acme.example belongs to acme",
		"org umbra: hosts:", "org umbra: placement.allowance.per_second", "org umbra: placement.allowance.share",
		"org far: placement: stack blue has no region moon: use one of emea", "orgs[3].id: use", "orgs[4].id: acme is there twice",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
}

// What cannot be told of stacks is said once, and orgs that name them have no fault.
func TestFaultsOfStacksAreNoneOfOrgs(t *testing.T) {
	home := []Org{{ID: "acme", Placement: turnout.Placement{Stack: "blue", Previous: turnout.FirstStack, Home: "emea"}}, {ID: "umbra"}}
	for name, c := range map[string]struct {
		stacks []Stack
		want   string
	}{
		"no stack":               {nil, "stacks: name at least one, with a pool of instances"},
		"a stack without a name": {[]Stack{{Pools: pools("x", "emea")}}, "stacks[0].name: " + nameRule},
		"one without pools":      {[]Stack{{Name: "blue"}}, "stack blue: pools: give it a pool of instances"},
		"a pool without region":  {[]Stack{{Name: "blue", Pools: pools("blue", "")[:1]}}, "stack blue: pools[0].region: " + nameRule},
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range c.stacks {
				for i := range s.Pools {
					s.Pools[i].Upstreams[0].Name = "one"
				}
			}
			if _, err := New(Plan{Stacks: c.stacks, Orgs: home}); err == nil || err.Error() != c.want {
				t.Errorf("it says\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

func TestNoStacks(t *testing.T) {
	if _, err := New(Plan{Orgs: []Org{{ID: "acme"}}}); err == nil || !strings.Contains(err.Error(), "stacks") {
		t.Errorf("answered %v", err)
	}
}

func FuzzLookup(f *testing.F) {
	table, err := New(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("acme.localhost:8080")
	f.Add("[::1]:80")
	f.Add("acme.example.")
	f.Fuzz(func(t *testing.T, host string) {
		if r, ok := table.Lookup(host); ok && r.Host != Name(host) {
			t.Errorf("%q goes to %s", host, r.Host)
		}
	})
}

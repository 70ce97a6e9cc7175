package routing

import (
	"fmt"
	"slices"
	"testing"

	"github.com/turnout-events/turnout"
)

func TestChanged(t *testing.T) {
	before, err := New(sample())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*Plan)
		want   []turnout.OrgID
	}{
		"nothing":       {func(*Plan) {}, nil},
		"the file only": {func(p *Plan) { p.Stacks = append(p.Stacks, Stack{Name: "teal", Pools: pools("teal", "emea")}) }, nil},
		"one moves":     {func(p *Plan) { p.Orgs[0].Placement.Stack = "green" }, []turnout.OrgID{"acme"}},
		"a host":        {func(p *Plan) { p.Orgs[1].Hosts = []string{"umbra2.example"} }, []turnout.OrgID{"umbra"}},
		"one comes":     {func(p *Plan) { p.Orgs = append(p.Orgs, Org{ID: "new"}) }, []turnout.OrgID{"new"}},
		"one goes":      {func(p *Plan) { p.Orgs = p.Orgs[:2] }, []turnout.OrgID{"far"}},
	} {
		plan := sample()
		c.change(&plan)
		after, err := New(plan)
		if err != nil {
			t.Fatal(err)
		}
		if got := after.Changed(before); !slices.Equal(got, c.want) {
			t.Errorf("%s: %s", name, fmt.Sprint(got))
		}
	}
}

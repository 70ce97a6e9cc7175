package routing

import (
	"reflect"

	"github.com/turnout-events/turnout"
)

// Changed are the orgs that a table routes otherwise than another one did: those
// that came, went, or have other hosts or another placement.
func (t *Table) Changed(before *Table) []turnout.OrgID {
	former := map[turnout.OrgID]Org{}
	for _, o := range before.plan.Orgs {
		former[o.ID] = o
	}
	var all []turnout.OrgID
	for _, o := range t.plan.Orgs {
		if was, ok := former[o.ID]; !ok || !reflect.DeepEqual(was, o) {
			all = append(all, o.ID)
		}
		delete(former, o.ID)
	}
	for _, o := range before.plan.Orgs {
		if _, gone := former[o.ID]; gone {
			all = append(all, o.ID)
		}
	}
	return all
}

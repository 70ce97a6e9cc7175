package edge

import (
	"fmt"

	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/routing"
)

// CanServe says why an org's new sessions could not go where its placement says, nil if
// they can: the stack or a region is not among the routes, or no instance of these is up,
// as one counts that has answered once.
func (e *Edge) CanServe(org routing.Org) error {
	v, now := e.view.Load(), e.now()
	course, err := v.table.Course(org)
	if err != nil {
		return err
	}
	for _, p := range course.Pools {
		for _, u := range v.pool(course.Stack, p.Region).Upstreams {
			if u.HeardFrom() && u.State(now).Condition == pool.Up {
				return nil
			}
		}
	}
	return fmt.Errorf("no instance of stack %s is up", course.Stack)
}

package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/oversight"
)

// migrationPage shows which org is where, and who moves when. To decide is for the
// command line, which knows which stacks there are.
type migrationPage struct {
	frame
	It      oversight.Migration
	Summary string
}

func (c *Console) showMigration(w http.ResponseWriter, r *http.Request) {
	m, err := c.desk.Migration(r.Context())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	page := migrationPage{frame: frame{Title: "Migration"}, It: m, Summary: standing(m)}
	page.setLive(w, r)
	c.show(w, r, http.StatusOK, "migration", page)
}

// standing counts the orgs of a migration by how far they are, in the order of that;
// empty where there is none.
func standing(m oversight.Migration) string {
	counts := map[turnout.MoveState]int{}
	for _, o := range m.Orgs {
		counts[o.State]++
	}
	var parts []string
	for _, s := range []turnout.MoveState{turnout.MovePlanned, turnout.MoveWaiting, turnout.MoveHeld, turnout.MoveDone, turnout.MoveBack} {
		if n := counts[s]; n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+string(s))
		}
	}
	if n := m.Hindered(); n > 0 {
		parts = append(parts, strconv.Itoa(n)+" hindered")
	}
	return strings.Join(parts, ", ")
}

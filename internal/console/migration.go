package console

import (
	"net/http"
	"strconv"

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

// standing is how a migration stands, in a line; empty where there is none.
func standing(m oversight.Migration) string {
	if n := m.Hindered(); n > 0 {
		return m.Summary + ", " + strconv.Itoa(n) + " hindered"
	}
	return m.Summary
}

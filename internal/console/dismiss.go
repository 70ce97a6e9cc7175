package console

import (
	"context"
	"net/http"
	"net/url"

	"github.com/turnout-events/turnout"
)

// dismissPage asks what is to become of a parked registration that nobody mends.
type dismissPage struct {
	frame
	It shownParked
	// Holds says that it holds a place, or waits for one.
	Holds bool
}

func (c *Console) showDismiss(w http.ResponseWriter, r *http.Request) {
	org, f, ok := c.org(w, r, "parked")
	if !ok {
		return
	}
	p, err := c.desk.OneParked(r.Context(), org.ID, turnout.Key(r.PathValue("key")))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	f.Title = "Dismiss registration"
	c.show(w, r, http.StatusOK, "dismiss", dismissPage{frame: f, It: shownParked{Parked: p, Typed: typed(p)}, Holds: p.Status.Holds()})
}

// dismiss leaves one alone, or cancels it, as the button says that was pressed.
func (c *Console) dismiss(w http.ResponseWriter, r *http.Request) {
	org := turnout.OrgID(r.PathValue("org"))
	values, err := readForm(w, r)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	cancel, done := false, "dismissed"
	switch values.Get("place") {
	case "keep":
	case "cancel":
		cancel, done = true, "cancelled"
	default:
		c.fail(w, r, turnout.Errorf(turnout.CodeMalformed, "dismiss parked", "say by one of the two buttons what becomes of its place"))
		return
	}
	if err := c.desk.Dismiss(context.WithoutCancel(r.Context()), org, turnout.Key(r.PathValue("key")), cancel); err != nil {
		c.fail(w, r, err)
		return
	}
	w.Header().Set("Location", "/console/orgs/"+url.PathEscape(string(org))+"/parked?done="+done)
	w.WriteHeader(http.StatusSeeOther)
}

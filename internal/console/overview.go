package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/oversight"
)

// overview is the page of all orgs.
type overview struct {
	frame
	Orgs []shownOrg
	// Oldest is the age of the oldest undelivered registration of all.
	Oldest      time.Duration
	Undelivered bool
	Troubled    int
	Parked      int
	MoreParked  bool
	// Counted says that sessions are, Sessions how many there are.
	Counted  bool
	Sessions int
	// Migration counts orgs that are moved between stacks; empty where none is.
	Migration string
	Hindered  bool
}

// shownOrg is an org with what is worth a look.
type shownOrg struct {
	oversight.Org
	// Behind names what was not read for longer than a few polls, by whichever
	// instance has the turn.
	Behind []string
	// Stalled says that reading many links gets no further.
	Stalled bool
	// Trouble says that somebody should look.
	Trouble bool
}

func (c *Console) shown(o oversight.Org) shownOrg {
	s := shownOrg{Org: o, Behind: o.Mirror.Behind(c.now()), Stalled: o.Mirror.Reading.Stalled(c.now())}
	late := o.Oldest != nil && o.Oldest.Age() > tooOld
	down := o.Connection.State == oversight.StateFailing || o.Connection.State == oversight.StatePaused
	s.Trouble = down || late || o.Parked > 0 || len(s.Behind) > 0 || s.Stalled || o.Events.Faulty > 0
	return s
}

func (c *Console) showOverview(w http.ResponseWriter, r *http.Request) {
	orgs, err := c.desk.Overview(r.Context())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	moves, err := c.desk.Migration(r.Context())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	page := overview{frame: frame{Title: "Orgs"}, Migration: standing(moves), Hindered: moves.Hindered() > 0}
	page.setLive(w, r)
	for _, o := range orgs {
		s := c.shown(o)
		page.Orgs = append(page.Orgs, s)
		page.Parked, page.MoreParked = page.Parked+o.Parked, page.MoreParked || o.MoreParked
		if o.Sessions != nil {
			page.Counted, page.Sessions = true, page.Sessions+*o.Sessions
		}
		if s.Trouble {
			page.Troubled++
		}
		if o.Oldest != nil {
			page.Undelivered, page.Oldest = true, max(page.Oldest, o.Oldest.Age())
		}
	}
	slices.SortStableFunc(page.Orgs, func(a, b shownOrg) int {
		switch {
		case a.Trouble && !b.Trouble:
			return -1
		case b.Trouble && !a.Trouble:
			return 1
		}
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	c.show(w, r, http.StatusOK, "overview", page)
}

// setLive reads whether the page is to refresh itself. It does only for those
// who ask: a page that changes by itself is in the way of a screen reader. It
// then says so, with a link that ends it. A header does it, so that what fails
// meanwhile is tried again too.
func (f *frame) setLive(w http.ResponseWriter, r *http.Request) {
	f.Live = r.Method == http.MethodGet && r.URL.Query().Has("live")
	f.Refresh = r.URL.Path
	if f.Live {
		w.Header().Set("Refresh", strconv.Itoa(refresh))
		return
	}
	f.Refresh += "?live"
}

// orgPage is the page of one org.
type orgPage struct {
	frame
	It shownOrg
	// Move is its part in a migration, nil for none.
	Move *oversight.Moving
	// List are events that somebody may have to look at, Past the others: of these
	// there are more every year.
	List, Past []shownEvent
}

// shownEvent is an event on the page of its org.
type shownEvent struct {
	oversight.Event
	Org turnout.OrgID
}

// past tells that an event is off the pages, and nothing of it is left to do.
func past(e oversight.Event) bool {
	if e.Published || len(e.Faults) > 0 {
		return false
	}
	f := e.Funnel
	return f == nil || f.OnTheWay() == 0 && (f.Parked == nil || *f.Parked == 0)
}

func (c *Console) showOrg(w http.ResponseWriter, r *http.Request) {
	org, f, ok := c.org(w, r, "events")
	if !ok {
		return
	}
	events, err := c.desk.Events(r.Context(), org.ID)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	f.Title = org.Name
	f.setLive(w, r)
	page := orgPage{frame: f, It: c.shown(org)}
	moves, err := c.desk.Migration(r.Context())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	if m, ok := moves.Of(org.ID); ok {
		page.Move = &m
	}
	for _, e := range events {
		into := &page.List
		if past(e) {
			into = &page.Past
		}
		*into = append(*into, shownEvent{e, org.ID})
	}
	c.show(w, r, http.StatusOK, "org", page)
}

// org finds the org that the path names, or answers the request and returns false.
func (c *Console) org(w http.ResponseWriter, r *http.Request, section string) (oversight.Org, frame, bool) {
	org, err := c.desk.Org(r.Context(), turnout.OrgID(r.PathValue("org")))
	if err != nil {
		c.fail(w, r, err)
		return org, frame{}, false
	}
	return org, frame{Org: org.ID, OrgName: org.Name, Section: section, Waiting: org.Parked}, true
}

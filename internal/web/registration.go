package web

import (
	"net/http"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/intake"
	"github.com/turnout-events/turnout/internal/web/page"
)

// openRegistration finds a registration and its event, or answers the request
// itself and returns false.
func (web *Web) openRegistration(w http.ResponseWriter, r *http.Request, org *turnout.Org, token string) (intake.View, *catalog.Entry, bool) {
	if !validRegistrationToken(token) {
		web.showMissing(w, r, org)
		return intake.View{}, nil, false
	}
	view, err := web.reader.View(r.Context(), org.ID, token)
	if err != nil {
		web.fail(w, r, org, err)
		return intake.View{}, nil, false
	}
	entry, ok := web.catalog.EventByID(org.ID, view.Registration.Event)
	if !ok {
		web.notice(w, r, org, http.StatusOK, offline(web.visitors(r, org), view))
		return intake.View{}, nil, false
	}
	view.Token = token
	return view, entry, true
}

// offline says how a registration stands although its event's page is down.
func offline(in *page.Edition, view intake.View) page.Notice {
	n := in.Notice("away")
	if view.Registration.Status.Holds() {
		n = in.Notice("offline")
	}
	n.Lines = append(n.Lines, in.Say("ticket.title."+string(view.Registration.Status))+". "+
		in.Say("ticket.reference")+" "+view.Registration.Key.Reference()+".")
	n.Links = []page.Link{toEvents(in)}
	return n
}

// showRegistration shows a registration to its owner, or its calendar file.
func (web *Web) showRegistration(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	if showWithoutPunctuation(w, "/registrations/", r.PathValue("token")) {
		return
	}
	token, calendar := strings.CutSuffix(r.PathValue("token"), ".ics")
	view, entry, ok := web.openRegistration(w, r, org, token)
	if !ok {
		return
	}
	if calendar {
		web.writeOwnCalendar(w, r, view, entry)
		return
	}
	s := page.TicketState{View: view, LeftWaitlist: r.URL.Query().Has(leftWaitlist), Saved: r.URL.Query().Has(savedNow)}
	if _, shut := web.shut(entry); !shut && !view.Registration.Status.Holds() {
		s.Again, s.AgainOnLink = web.again(r, org, entry, view)
	}
	web.showTicket(w, r, org, entry, s)
}

// again is where one can register again, or says that the personal link leads there, whose
// token only its visitor's session keeps.
func (web *Web) again(r *http.Request, org *turnout.Org, entry *catalog.Entry, view intake.View) (path string, onLink bool) {
	if view.Registration.Link.IsZero() {
		return page.EventPath(entry.Event) + "/register", false
	}
	if in, ok := web.invitation(r, org, entry); ok && in.link.ID == view.Registration.Link {
		return in.path + "?again", false
	}
	return "", true
}

// writeOwnCalendar writes the event for whoever is registered: with the address
// to join, as not certain for a place in line, and withdrawn when the place is gone.
func (web *Web) writeOwnCalendar(w http.ResponseWriter, r *http.Request, view intake.View, entry *catalog.Entry) {
	c := web.calendarEntry(entry)
	in, status := web.about(entry), view.Registration.Status
	c.Cancelled, c.Tentative = !status.Holds(), status == turnout.StatusWaitlisted
	c.Location = in.CalendarPlace(entry.Event, status)
	c.About = in.CalendarText(entry.Event, &view.Registration, c.About)
	web.writeCalendar(w, r, entry.Event.Slug, c, "")
}

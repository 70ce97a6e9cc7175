package web

import (
	"net/http"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/web/page"
)

// showCancel asks whether to cancel. Asking changes nothing (P12).
func (web *Web) showCancel(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	view, entry, ok := web.openRegistration(w, r, org, r.PathValue("token"))
	switch {
	case !ok:
	case !view.Registration.Status.Holds():
		seeOther(w, page.RegistrationPath(view.Token))
	case view.Registration.Inside(), !entry.Event.CanCancel(web.now()):
		web.showFixed(w, r, entry, view)
	default:
		html, err := web.about(entry).CancelPage(org, entry.Event, page.TicketState{View: view})
		if err != nil {
			web.fail(w, r, org, err)
			return
		}
		web.writePrivate(w, http.StatusOK, html)
	}
}

// cancel gives the place back. It may be sent twice.
func (web *Web) cancel(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	view, entry, ok := web.openRegistration(w, r, org, r.PathValue("token"))
	if !ok {
		return
	}
	_, err := web.writer.Cancel(r.Context(), org.ID, entry.Event, view.Token)
	switch turnout.CodeOf(err) {
	case "":
		seeOther(w, page.RegistrationPath(view.Token)+left(view.Registration.Status))
	case turnout.CodeClosed:
		web.showFixed(w, r, entry, view)
	case turnout.CodeConflict:
		in := web.about(entry)
		n := in.Notice("later")
		n.Event, n.Links = entry.Event, []page.Link{toRegistration(in, view.Token)}
		web.notice(w, r, org, http.StatusConflict, n)
	default:
		web.fail(w, r, org, err)
	}
}

// left tells the page that follows what was given up, since what is cancelled
// looks the same whether it held a place or a place in line.
func left(was turnout.Status) string {
	if was == turnout.StatusWaitlisted {
		return "?" + leftWaitlist
	}
	return ""
}

// leftWaitlist in a registration's address says that it was a place in line.
const leftWaitlist = "left"

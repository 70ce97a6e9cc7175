package web

import (
	"net/http"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/web/page"
)

// openLink finds a personal link and its event, or answers the request itself
// and returns false. Nobody waits for Salesforce here: a link that the cache
// does not have gets an honest 404 (P3).
func (web *Web) openLink(w http.ResponseWriter, r *http.Request, org *turnout.Org) (desk, bool) {
	token := r.PathValue("token")
	if !turnout.ValidToken(token) {
		web.showUnknownLink(w, r, org)
		return desk{}, false
	}
	open := web.links.Open
	if r.Method == http.MethodPost {
		open = web.links.OpenSent
	}
	link, err := open(r.Context(), org.ID, token)
	switch turnout.CodeOf(err) {
	case "":
	case turnout.CodeNotFound:
		web.showUnknownLink(w, r, org)
		return desk{}, false
	default:
		web.fail(w, r, org, err)
		return desk{}, false
	}
	entry, ok := web.catalog.EventByID(org.ID, link.Event)
	if !ok {
		web.showLinkOffline(w, r, org, link.AttendeeLink)
		return desk{}, false
	}
	return desk{org: org, entry: entry, link: &link}, true
}

func (web *Web) showUnknownLink(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	in := web.visitors(r, org)
	n := in.Notice("unknown")
	n.Links = []page.Link{toEvents(in)}
	web.notice(w, r, org, http.StatusNotFound, n)
}

// showLinkOffline answers a link whose event is not published now. Whoever
// registered through it sees that their registration stands.
func (web *Web) showLinkOffline(w http.ResponseWriter, r *http.Request, org *turnout.Org, link turnout.AttendeeLink) {
	view, answered, err := web.reader.ByLink(r.Context(), org.ID, link)
	switch {
	case err != nil:
		web.fail(w, r, org, err)
	case answered:
		web.notice(w, r, org, http.StatusOK, offline(web.visitors(r, org), view))
	default:
		in := web.visitors(r, org)
		n := in.Notice("away")
		n.Links = []page.Link{toEvents(in)}
		web.notice(w, r, org, http.StatusNotFound, n)
	}
}

// showLink shows what a personal link stands for now: the form, prefilled,
// while it was not answered; the registration once it was; or why neither.
func (web *Web) showLink(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	if showWithoutPunctuation(w, "/l/", r.PathValue("token")) {
		return
	}
	d, ok := web.openLink(w, r, org)
	if !ok {
		return
	}
	view, answered, err := web.reader.ByLink(r.Context(), org.ID, d.link.AttendeeLink)
	if err != nil {
		web.fail(w, r, org, err)
		return
	}
	web.remember(w, r, d)
	n, shut := web.shut(d.entry)
	again := r.URL.Query().Has("again") && !shut
	switch {
	case answered && (view.Registration.Status.Holds() || !again):
		s := page.TicketState{View: view, Link: r.URL.Path}
		if !shut {
			s.Again = r.URL.Path + "?again"
		}
		web.showTicket(w, r, org, d.entry, s)
	case shut:
		if d.entry.Event.Phase(web.now()) < turnout.PhaseOver {
			n.Decline = turnout.NewKey(web.now())
		}
		web.notice(w, r, org, http.StatusOK, n)
	default:
		w.Header().Set("Turnout-Event", d.entry.Event.Slug) // for the edge, whose line for the event it is (P11)
		web.writeForm(w, r, d)
	}
}

// answerLink takes a personal link's form, or its "not coming".
func (web *Web) answerLink(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	d, ok := web.openLink(w, r, org)
	if !ok {
		return
	}
	f, err := web.readForm(w, r)
	switch {
	case err != nil:
		web.refuseBody(w, r, d.entry, err)
	case f.Decline:
		web.decline(w, r, d, f)
	default:
		web.take(w, r, d, f)
	}
}

// decline notes that the person is not coming; they may still change their mind.
func (web *Web) decline(w http.ResponseWriter, r *http.Request, d desk, f filled) {
	if !f.Key.Valid() {
		web.notice(w, r, d.org, http.StatusBadRequest, web.about(d.entry).Notice("malformed"))
		return
	}
	_, err := web.writer.Decline(r.Context(), d.org.ID, d.entry.Event, d.link.AttendeeLink, d.link.Invite, f.Key)
	switch code := turnout.CodeOf(err); code {
	case "", turnout.CodeConflict:
		// On a conflict the link was answered otherwise in the meantime: its
		// page says how.
		seeOther(w, r.URL.Path)
	default:
		web.refuseForm(w, r, d, f, err)
	}
}

// showTicket shows a registration to its owner.
func (web *Web) showTicket(w http.ResponseWriter, r *http.Request, org *turnout.Org, entry *catalog.Entry, s page.TicketState) {
	html, err := web.about(entry).TicketPage(org, entry.Event, entry.Seats, s)
	if err != nil {
		web.fail(w, r, org, err)
		return
	}
	web.writePrivate(w, http.StatusOK, html)
}

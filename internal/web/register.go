package web

import (
	"net/http"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/web/page"
)

// desk is where one registration is made: an event, and the personal link that
// led there if one did.
type desk struct {
	org   *turnout.Org
	entry *catalog.Entry
	link  *catalog.Link
}

// showForm shows an event's empty form.
func (web *Web) showForm(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	entry, ok := web.catalog.Event(org.ID, r.PathValue("slug"))
	if !ok {
		web.showMissing(w, r, org)
		return
	}
	d := desk{org: org, entry: entry}
	if in, ok := web.invitation(r, org, entry); ok && !r.URL.Query().Has(somebodyElse) {
		web.offer(w, r, in)
		return
	}
	if n, shut := web.shut(entry); shut {
		web.notice(w, r, org, http.StatusOK, n)
		return
	}
	web.writeForm(w, r, d)
}

// writeForm writes the form that the catalog holds, with this request's values.
// It is the hot path of an invite mailing.
func (web *Web) writeForm(w http.ResponseWriter, r *http.Request, d desk) {
	s := web.fresh(d)
	if d.entry.Form == nil {
		web.showAgain(w, r, d, s, http.StatusOK)
		return
	}
	values := web.about(d.entry).FormValues(d.entry.Event, d.entry.Seats, s)
	buffer := web.buffers.Get().(*[]byte)
	defer web.buffers.Put(buffer)
	*buffer = d.entry.Form.AppendTo((*buffer)[:0], values[:]...)
	if d.link == nil {
		untouched(w.Header())
		writeHTML(w, http.StatusOK, *buffer)
		return
	}
	web.writePrivate(w, http.StatusOK, *buffer)
	clear(*buffer) // it held a person's fields (P8)
}

// fresh is the state of a form that nobody has touched yet.
func (web *Web) fresh(d desk) page.FormState {
	s := page.FormState{Key: turnout.NewKey(web.now())}
	if d.link != nil {
		s.Invited, s.Invitee, s.Details.Person = true, d.link.Invite.Person.Name(), d.link.Invite.Person
	}
	return s
}

// shut says why an event takes no registrations now, if so. Seats come from the
// catalog: when in doubt the form is shown and the store decides.
func (web *Web) shut(entry *catalog.Entry) (page.Notice, bool) {
	e := entry.Event
	in := web.about(entry)
	var n page.Notice
	switch phase := e.Phase(web.now()); {
	case phase == turnout.PhaseUpcoming:
		n = in.Notice("upcoming")
		n.At = e.Opens
	case phase == turnout.PhaseClosed:
		return web.closed(entry), true
	case phase == turnout.PhaseOver:
		n = in.Notice("over")
	case page.Full(e, entry.Seats) && !e.Waitlist:
		n = in.Notice("full")
	default:
		return page.Notice{}, false
	}
	n.Event, n.Links = e, []page.Link{toEvent(in, e), toEvents(in)}
	return n, true
}

// closed says since when an event takes no registrations and whom to ask. The
// store may have closed it a moment before the catalog knows.
func (web *Web) closed(entry *catalog.Entry) page.Notice {
	e := entry.Event
	in := web.about(entry)
	n := in.Notice("closed")
	n.At = e.Closes
	if n.At.IsZero() {
		n.At = e.Starts
	}
	if web.now().Before(n.At) {
		n.Lines, n.At = []string{in.Say("notice.closed.now")}, time.Time{}
	}
	n.Lines = append(n.Lines, in.Say("notice.closed.ask", host(entry)))
	n.Event, n.Links = e, []page.Link{toEvent(in, e), toEvents(in)}
	return n
}

// register takes an event's form.
func (web *Web) register(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	entry, ok := web.catalog.Event(org.ID, r.PathValue("slug"))
	if !ok {
		web.showMissing(w, r, org)
		return
	}
	f, err := web.readForm(w, r)
	if err != nil {
		web.refuseBody(w, r, entry, err)
		return
	}
	web.take(w, r, desk{org: org, entry: entry}, f)
}

// take hands a filled form to intake and answers with where the registration
// is, or with the form again. In a frame it answers in place, since the
// registration's own page is in nobody's frame; to reload that sends the same
// form, which gets the first registration (P1). Only a valid key makes a retry safe, so a form
// without one is not taken (P1).
func (web *Web) take(w http.ResponseWriter, r *http.Request, d desk, f filled) {
	if !f.Key.Valid() {
		web.notice(w, r, d.org, http.StatusBadRequest, web.about(d.entry).Notice("malformed"))
		return
	}
	if d.link != nil {
		f.Link, f.Invite = d.link.ID, &d.link.Invite
		if d.entry.Event.LockEmail {
			f.Person.Email = d.link.Invite.Person.Email
		}
	}
	view, err := web.writer.Register(r.Context(), d.org.ID, d.entry.Event, f.Submission)
	if err != nil {
		web.refuseForm(w, r, d, f, err)
		return
	}
	if f.Framed && d.link == nil {
		web.notice(w, r, d.org, http.StatusOK, web.about(d.entry).Made(d.entry.Event, view))
		return
	}
	seeOther(w, page.RegistrationPath(view.Token))
}

// seeOther leads on after a POST, so that a reload repeats nothing.
func seeOther(w http.ResponseWriter, path string) {
	private(w.Header())
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusSeeOther)
}

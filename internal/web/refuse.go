package web

import (
	"cmp"
	"net/http"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/web/page"
)

// refuseForm answers a form that was not taken. Wherever trying again makes
// sense the form comes back with everything typed and with the same key.
func (web *Web) refuseForm(w http.ResponseWriter, r *http.Request, d desk, f filled, err error) {
	code, in := turnout.CodeOf(err), web.about(d.entry)
	s := web.fresh(d)
	s.Key, s.Details = f.Key, f.Details
	switch {
	case code == turnout.CodeInvalid:
		s.Faults = turnout.FieldsOf(err)
	case code == turnout.CodeStale:
		s.Alert, s.Faults = changed(in, d.entry, f.Details)
	case code == turnout.CodeFull:
		s.Offer = d.entry.Event.Waitlist && !f.JoinWaitlist
		s.Alert, s.Faults = alert(in, "full"), shortages(in, d.entry, f.Details, nil)
		if s.Offer {
			s.Faults = append(s.Faults, turnout.FieldError{Field: page.FieldWaitlist, Message: in.Say("alert.full.wait")})
		}
	case code == turnout.CodeConflict:
		s.Faults = []turnout.FieldError{taken(in, d)}
	case mayPass(code):
		setRetryAfter(w.Header(), err)
		s.Alert = laterAlert(in, code)
	case code == turnout.CodeClosed:
		web.refuseClosed(w, r, d)
		return
	case code == turnout.CodeReused:
		web.notice(w, r, d.org, status(code), web.reused(r, d))
		return
	default:
		web.fail(w, r, d.org, err)
		return
	}
	web.showAgain(w, r, d, s, status(code))
}

// reused says that a form's key was used for something else. A personal link
// that was answered opens no new form, but leads to its registration.
func (web *Web) reused(r *http.Request, d desk) page.Notice {
	in := web.about(d.entry)
	n, way := in.Notice("reused"), "notice.reused.link"
	if d.link != nil {
		if _, answered, err := web.reader.ByLink(r.Context(), d.org.ID, d.link.AttendeeLink); err == nil && answered {
			n, way = in.Notice("answered"), "notice.answered.link"
		}
	}
	n.Event, n.Links = d.entry.Event, []page.Link{{Path: r.URL.Path, Text: in.Say(way)}}
	return n
}

// showAgain draws a form in full, with what is wrong and what was typed.
func (web *Web) showAgain(w http.ResponseWriter, r *http.Request, d desk, s page.FormState, status int) {
	html, err := web.about(d.entry).FormPage(d.org, d.entry.Event, d.entry.Seats, s)
	if err != nil {
		web.fail(w, r, d.org, err)
		return
	}
	web.writePrivate(w, status, html)
}

// alert makes an alert of the words "alert.KEY" and "alert.KEY.text".
func alert(in *page.Edition, key string) page.Alert {
	return page.Alert{Title: in.Say("alert." + key), Lines: []string{in.Say("alert." + key + ".text")}}
}

func laterAlert(in *page.Edition, code turnout.Code) page.Alert {
	a := alert(in, "later")
	if code == turnout.CodeThrottled {
		a.Title = in.Say("alert.busy")
	}
	return a
}

// taken says that the e-mail address is registered already, and whom to ask:
// the registration's page is known to whoever made it, and to the organiser.
func taken(in *page.Edition, d desk) turnout.FieldError {
	way := "form.again"
	if d.link != nil && d.entry.Event.LockEmail {
		way = "form.again.locked"
	}
	return turnout.FieldError{Field: "email", Message: in.Say(way, host(d.entry))}
}

// host is who holds an event.
func host(entry *catalog.Entry) string {
	return cmp.Or(entry.Event.Organizer, entry.Org.Name)
}

// refuseClosed answers a form that came when registration was not open.
func (web *Web) refuseClosed(w http.ResponseWriter, r *http.Request, d desk) {
	n, shut := web.shut(d.entry)
	if !shut {
		n = web.closed(d.entry)
	}
	web.notice(w, r, d.org, http.StatusConflict, n)
}

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
	code := turnout.CodeOf(err)
	s := web.fresh(d)
	s.Key, s.Details = f.Key, f.Details
	switch {
	case code == turnout.CodeInvalid:
		s.Faults = turnout.FieldsOf(err)
	case code == turnout.CodeStale:
		s.Alert = web.alert("stale")
	case code == turnout.CodeFull:
		s.Offer = d.entry.Event.Waitlist && !f.JoinWaitlist
		s.Alert, s.Faults = web.alert("full"), web.shortages(d.entry, f.Details, nil)
		if s.Offer {
			s.Faults = append(s.Faults, turnout.FieldError{Field: page.FieldWaitlist, Message: web.pages.Say("alert.full.wait")})
		}
	case code == turnout.CodeConflict:
		s.Faults = []turnout.FieldError{web.taken(d)}
	case mayPass(code):
		setRetryAfter(w.Header(), err)
		s.Alert = web.laterAlert(code)
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
	n, way := web.say("reused"), "notice.reused.link"
	if d.link != nil {
		if _, answered, err := web.reader.ByLink(r.Context(), d.org.ID, d.link.AttendeeLink); err == nil && answered {
			n, way = web.say("answered"), "notice.answered.link"
		}
	}
	n.Event, n.Links = d.entry.Event, []page.Link{{Path: r.URL.Path, Text: web.pages.Say(way)}}
	return n
}

// showAgain draws a form in full, with what is wrong and what was typed.
func (web *Web) showAgain(w http.ResponseWriter, r *http.Request, d desk, s page.FormState, status int) {
	html, err := web.pages.FormPage(d.org, d.entry.Event, d.entry.Seats, s)
	if err != nil {
		web.fail(w, r, d.org, err)
		return
	}
	web.writePrivate(w, status, html)
}

// alert makes an alert of the words "alert.KEY" and "alert.KEY.text".
func (web *Web) alert(key string) page.Alert {
	return page.Alert{Title: web.pages.Say("alert." + key), Lines: []string{web.pages.Say("alert." + key + ".text")}}
}

func (web *Web) laterAlert(code turnout.Code) page.Alert {
	a := web.alert("later")
	if code == turnout.CodeThrottled {
		a.Title = web.pages.Say("alert.busy")
	}
	return a
}

// taken says that the e-mail address is registered already, and whom to ask:
// the registration's page is known to whoever made it, and to the organiser.
func (web *Web) taken(d desk) turnout.FieldError {
	way := "form.again"
	if d.link != nil && d.entry.Event.LockEmail {
		way = "form.again.locked"
	}
	return turnout.FieldError{Field: "email", Message: web.pages.Say(way, host(d.entry))}
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

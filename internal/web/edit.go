package web

import (
	"net/http"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/intake"
	"github.com/turnout-events/turnout/internal/web/page"
)

// openEdit finds a registration that its owner may change now, or answers the
// request itself and returns false.
func (web *Web) openEdit(w http.ResponseWriter, r *http.Request, org *turnout.Org) (intake.View, desk, bool) {
	view, entry, ok := web.openRegistration(w, r, org, r.PathValue("token"))
	if !ok {
		return view, desk{}, false
	}
	// Answers that were shredded cannot be edited: saving would write an empty form.
	shredded := view.Details.Person == (turnout.Person{})
	if !view.Registration.Status.Holds() || shredded || view.Registration.Inside() || !entry.Event.CanEdit(web.now()) {
		web.showFixed(w, r, entry, view)
		return view, desk{}, false
	}
	return view, desk{org: org, entry: entry}, true
}

// showFixed says that a registration can no longer be changed, and why: what
// holds no place was given up, however much time is left.
func (web *Web) showFixed(w http.ResponseWriter, r *http.Request, entry *catalog.Entry, view intake.View) {
	in := web.about(entry)
	n := in.Notice("changes")
	switch r := view.Registration; {
	case r.Status == turnout.StatusCancelled:
		n = in.Notice("cancelled")
	case r.Status == turnout.StatusDeclined:
		n = in.Notice("declined")
	case r.Inside():
		n = in.Notice("inside")
	}
	n.Event, n.Links = entry.Event, []page.Link{toRegistration(in, view.Token)}
	web.notice(w, r, entry.Org, http.StatusConflict, n)
}

// showEdit shows the form with what the registration says.
func (web *Web) showEdit(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	view, d, ok := web.openEdit(w, r, org)
	if !ok {
		return
	}
	web.showAgain(w, r, d, editState(view, view.Details), http.StatusOK)
}

func editState(view intake.View, details turnout.Details) page.FormState {
	return page.FormState{
		Key: view.Registration.Key, Details: details, Revision: view.Registration.Revision,
		Invited: view.Details.Invite != nil, Waiting: view.Registration.Status == turnout.StatusWaitlisted, Back: page.RegistrationPath(view.Token),
	}
}

// edit takes a changed registration.
func (web *Web) edit(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	view, d, ok := web.openEdit(w, r, org)
	if !ok {
		return
	}
	f, err := web.readForm(w, r)
	if err != nil {
		web.refuseBody(w, r, d.entry, err)
		return
	}
	if f.Revision == 0 {
		web.notice(w, r, org, http.StatusBadRequest, web.about(d.entry).Notice("malformed"))
		return
	}
	if f.FormVersion != d.entry.Event.Form.Version {
		web.refuseEdit(w, r, d, view, f, turnout.Errorf(turnout.CodeStale, "edit registration", "form version"))
		return
	}
	// The address says whose registration it is; intake keeps it, whatever came in.
	f.Invite, f.Person.Email = view.Details.Invite, view.Details.Person.Email
	_, err = web.writer.Edit(r.Context(), org.ID, d.entry.Event, view.Token, f.Revision, f.Details)
	if err != nil {
		web.refuseEdit(w, r, d, view, f, err)
		return
	}
	seeOther(w, page.RegistrationPath(view.Token)+"?"+savedNow)
}

// savedNow in a registration's address says that a change was saved.
const savedNow = "saved"

// refuseEdit answers a change that was not taken, with everything typed.
func (web *Web) refuseEdit(w http.ResponseWriter, r *http.Request, d desk, view intake.View, f filled, err error) {
	code, in := turnout.CodeOf(err), web.about(d.entry)
	s := editState(view, f.Details)
	s.Revision = f.Revision
	switch {
	case code == turnout.CodeInvalid:
		s.Faults = turnout.FieldsOf(err)
	case code == turnout.CodeConflict:
		// Saving again is a decision made in sight of the conflict, so it starts
		// from the revision that is there now.
		s.Alert, s.Revision = alert(in, "conflict"), view.Registration.Revision
	case code == turnout.CodeFull:
		s.Alert, s.Faults = alert(in, "full"), shortages(in, d.entry, f.Details, view.Registration.Claims)
	case code == turnout.CodeStale:
		s.Alert, s.Faults = changed(in, d.entry, f.Details)
	case mayPass(code):
		setRetryAfter(w.Header(), err)
		s.Alert = laterAlert(in, code)
	case code == turnout.CodeClosed:
		web.showFixed(w, r, d.entry, view)
		return
	default:
		web.fail(w, r, d.org, err)
		return
	}
	web.showAgain(w, r, d, s, status(code))
}

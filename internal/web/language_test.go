package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
)

// german publishes an event in German, of an org whose list is in English.
func german(t *testing.T, s *site) *turnout.Event {
	e := gala()
	e.Language = "de-AT"
	s.catalog.publish(t, e, galaSeats())
	return e
}

func TestAFormIsRefusedInItsEventsLanguage(t *testing.T) {
	s := newSite(t)
	e := german(t, s)
	form := filledForm()
	form.Set("last_name", " ")
	form.Set("answers.years", "99")
	form.Set("answers.arrive", "gestern")
	w := s.post("/events/"+e.Slug+"/register", form)
	if w.Code != http.StatusUnprocessableEntity {
		t.Fatalf("answered %d", w.Code)
	}
	says(t, "the form", w.Body.String(), []string{
		`<html lang="de">`, "<title>Fehler: ", "Es gibt ein Problem", `<a href="#last_name">Geben Sie Ihren Nachnamen ein</a>`,
		`<a href="#answers.years">Geben Sie bei „Years in your field“ höchstens 80 ein</a>`, "ein gültiges Datum als Jahr-Monat-Tag",
	}, "There is a problem", "Enter ")
	s.intake.fail = turnout.Errorf(turnout.CodeFull, "accept", "")
	form = filledForm()
	form.Set("ticket", "student")
	w = s.post("/events/"+e.Slug+"/register", form)
	says(t, "the full form", w.Body.String(), []string{"Es sind nicht mehr genug Plätze frei", "„Student“ hat "}, "There are")
}

func TestARegistrationSpeaksItsEventsLanguage(t *testing.T) {
	s := newSite(t)
	german(t, s)
	own := s.register(t, filledForm())
	for path, want := range map[string]string{own: "Sie sind angemeldet", own + "/edit": "Änderungen speichern", own + "/cancel": "Ja, Anmeldung stornieren", own + ".ics": "Anmeldenummer: "} {
		w := s.get(path)
		says(t, path, strings.ReplaceAll(w.Body.String(), "\r\n ", ""), []string{want}, "Your ")
	}
	says(t, "the list", s.get("/").Body.String(), []string{`<html lang="en-GB">`, `lang="de-AT"`, "Thursday, 18 March 2027"})
}

// Whoever was checked in sees so, and changes nothing.
func TestWhoeverIsInsideChangesNothing(t *testing.T) {
	s := newSite(t)
	german(t, s)
	at := turnout.Registration{Key: "inside-00000000000000000001", Event: gala().ID, Status: turnout.StatusRegistered, Attendance: turnout.AttendanceAttended, Revision: 1}
	own := "/registrations/" + s.addRegistration(at, turnout.Details{Person: grace, Ticket: "student"})
	says(t, "the page", s.get(own).Body.String(), []string{"Sie sind eingecheckt", "Hier sind keine Änderungen mehr möglich"}, own+"/edit", own+"/cancel")
	for _, path := range []string{own + "/edit", own + "/cancel"} {
		if w := s.get(path); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "Sie sind eingecheckt") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// A number is shown as the page writes it, and taken as it is shown.
func TestANumberIsTakenAsItIsShown(t *testing.T) {
	s := newSite(t)
	e := german(t, s)
	form := filledForm()
	form.Set("answers.years", "12,5")
	own := s.register(t, form)
	says(t, "the page", s.get(own).Body.String(), []string{">12,5</dd>"}, "12.5")
	html := s.get(own + "/edit").Body.String()
	says(t, "the form", html, []string{`value="12,5"`}, `value="12.5"`)
	for given, shown := range map[string]string{"7": "7", "1.25": "1,25", "1.250": "1.250"} {
		form.Set("answers.years", given)
		form.Set("last_name", "")
		if w := s.post("/events/"+e.Slug+"/register", form); !strings.Contains(w.Body.String(), `value="`+shown+`"`) {
			t.Errorf("%s is not shown as %s", given, shown)
		}
	}
}

// The only ticket goes without saying, in whatever language its name is.
func TestTheOnlyTicketIsNotSaid(t *testing.T) {
	s := newSite(t)
	e := german(t, s)
	e.Tickets = []turnout.Ticket{{ID: "standard", Name: "General admission", Seats: turnout.Unlimited}}
	s.catalog.publish(t, e, galaSeats())
	says(t, "the page", s.get(s.register(t, filledForm())).Body.String(), []string{"Sie sind angemeldet"}, "General admission")
}

// A form that cannot be read is refused in its event's language, wherever it came from.
func TestABrokenFormIsRefusedInItsEventsLanguage(t *testing.T) {
	s := newSite(t)
	e := german(t, s)
	for _, path := range []string{"/events/" + e.Slug + "/register", "/l/" + graceToken} {
		r := httptest.NewRequest(http.MethodPost, "http://acme.localhost"+path, strings.NewReader("a=%zz"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept-Language", "fr")
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "Wir konnten dieses Formular nicht lesen") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// What is about no event is said in the language that the visitor's browser likes best,
// or in the org's; a page about one is not.
func TestANoticeSpeaksItsVisitorsLanguage(t *testing.T) {
	s := newSite(t)
	german(t, s)
	s.catalog.org.Language = "it"
	ask := func(path, accepted string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "http://acme.localhost"+path, nil)
		if accepted != "" {
			r.Header.Set("Accept-Language", accepted)
		}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct{ path, accepted, want string }{
		{"/l/unknown-token", "fr-CH,fr;q=0.9,en;q=0.8", "Nous ne connaissons pas ce lien"},
		{"/l/unknown-token", "", "Non conosciamo questo link"},
		{"/l/unknown-token", "tlh, en;q=0.5", "We don’t know this link"},
		{"/l/unknown-token", "tlh", "Non conosciamo questo link"},
		{"/nothing", "en-US", "This page does not exist"},
		{"/events/spring-forum", "fr", ">Anmelden</a>"},
		{"/events/spring-forum/register", "fr", "Ihre Angaben"},
		{"/l/" + graceToken, "fr", "Sie sind eingeladen"},
	} {
		if w := ask(c.path, c.accepted); !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s for %q lacks %q:\n%s", c.path, c.accepted, c.want, w.Body)
		}
	}
}

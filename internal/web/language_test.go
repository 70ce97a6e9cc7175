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
		{"/l/unknown-token", "fr-CH,fr;q=0.9,en;q=0.8", "Nous ne connaissons pas encore ce lien"},
		{"/l/unknown-token", "", "Non conosciamo ancora questo link"},
		{"/l/unknown-token", "tlh, en", "Non conosciamo ancora questo link"},
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

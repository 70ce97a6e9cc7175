package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/intake"
)

// addRegistration puts a registration into the fake as it is.
func (s *site) addRegistration(r turnout.Registration, d turnout.Details) string {
	r.Org = "acme"
	return s.intake.put(intake.View{Registration: r, Details: d}).Token
}

// TestAnAddressDropsWhatStoodAroundIt: what a mail's text took into an address does not
// keep anybody from their page.
func TestAnAddressDropsWhatStoodAroundIt(t *testing.T) {
	s := newSite(t)
	own := s.register(t, filledForm())
	for _, path := range []string{"/l/" + graceToken, own, own + ".ics"} {
		for _, around := range []string{".", ")", ",", "%20", "%E2%80%9D", "%3E.", "!%22"} {
			w := s.get(path + around)
			if w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != path || w.Header().Get("Cache-Control") != "private, no-store" {
				t.Errorf("%s%s: %d to %q", path, around, w.Code, w.Header().Get("Location"))
			}
		}
	}
	for _, path := range []string{"/l/short.", "/l/........", "/l/" + graceToken + ".x", "/registrations/..", "/l/%2F%2Fexample.org%2F."} {
		if w := s.get(path); w.Code == http.StatusPermanentRedirect && strings.Contains(w.Header().Get("Location"), "example") {
			t.Errorf("%s leads to %q", path, w.Header().Get("Location"))
		} else if w.Code == http.StatusOK {
			t.Errorf("%s is shown", path)
		}
	}
}

func TestRoutes(t *testing.T) {
	s := newSite(t)
	path := s.register(t, filledForm())
	for _, c := range []struct {
		method, path string
		code         int
		want         string
	}{
		{"GET", "/", 200, "Spring Forum 2027"},
		{"GET", "/events/spring-forum", 200, "Riverside Hall"},
		{"GET", "/events/last-year", 200, "This event is over"},
		{"GET", "/events/nothing", 404, "This page does not exist"},
		{"GET", "/events/spring-forum.ics", 200, "BEGIN:VEVENT"},
		{"GET", "/events/nothing.ics", 404, "This page does not exist"},
		{"GET", "/events/spring-forum/register", 200, `name="answers.diet"`},
		{"GET", "/events/last-year/register", 200, "This event is over"},
		{"GET", "/events/dinner/register", 200, `name="join_waitlist" value="yes"`},
		{"GET", "/events/nothing/register", 404, "This page does not exist"},
		{"GET", "/l/" + graceToken, 200, `value="grace@example.com"`},
		{"GET", "/l/" + overToken, 200, "This event is over"},
		{"GET", "/l/unknown-token", 404, "We don’t know this link"},
		{"GET", "/l/unknown-token", 404, "open it again in a minute. Otherwise it may be mistyped or withdrawn"},
		{"GET", "/robots.txt", 200, "User-agent: *\nDisallow: /l/\nDisallow: /registrations/\n"},
		{"GET", "/favicon.ico", 200, "<svg"},
		{"GET", "/events/no-such-event/", 404, "This page does not exist"},
		{"GET", "/l/short", 404, "We don’t know this link"},
		{"GET", "/l/" + forgottenToken, 410, "This data was erased"},
		{"GET", path, 200, "You’re registered"},
		{"GET", path + ".ics", 200, "BEGIN:VEVENT"},
		{"GET", path + "/edit", 200, `value="Ada"`},
		{"GET", path + "/cancel", 200, "Yes, cancel my registration"},
		{"GET", "/registrations/unknown-token", 404, "This page does not exist"},
		{"GET", "/registrations/" + forgottenToken, 410, "This data was erased"},
		{"GET", "/registrations/unknown-token/edit", 404, "This page does not exist"},
		{"GET", "/assets/none.css", 404, "This page does not exist"},
		{"GET", "/assets/accent-0b6e4f.css", 200, "--accent:#0b6e4f"},
		{"GET", "/assets/accent-zzzzzz.css", 404, "This page does not exist"},
		{"GET", "/nothing", 404, "This page does not exist"},
		{"POST", "/", 405, "takes no requests of that kind"},
		{"DELETE", path, 405, "takes no requests of that kind"},
	} {
		w := s.do(httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d, want %d with %q", c.method, c.path, w.Code, c.code, c.want)
		}
	}
}

func TestUnknownHostNamesNobody(t *testing.T) {
	s := newSite(t)
	for _, method := range []string{"GET", "POST"} {
		for _, path := range []string{"/", "/events/spring-forum", "/l/" + graceToken, "/nothing", "/events/spring-forum/register"} {
			r := httptest.NewRequest(method, path, nil)
			r.Host = "other.example.net:8080"
			w := s.do(r)
			if w.Code != http.StatusMisdirectedRequest || strings.Contains(w.Body.String(), "Example Foundation") {
				t.Errorf("%s %s on an unknown host: %d", method, path, w.Code)
			}
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "Events.Example.ORG.:443"
	if w := s.do(r); w.Code != http.StatusOK {
		t.Errorf("a host in capitals with port and final dot: %d", w.Code)
	}
}

// TestLinkStates goes through what one link says over time.
func TestLinkStates(t *testing.T) {
	s := newSite(t)
	path := "/l/" + graceToken
	if got := s.get(path).Header().Get("Turnout-Event"); got != gala().Slug { // P11: the edge counts its visitor there
		t.Errorf("the form says that it is for %q", got)
	}
	form := filledForm()
	form.Set("action", "decline")
	if w := s.post(path, form); w.Code != http.StatusSeeOther || w.Header().Get("Location") != path {
		t.Fatalf("decline: %d to %q", w.Code, w.Header().Get("Location"))
	}
	if s.get(path).Header().Get("Turnout-Event") != "" {
		t.Error("what is no form is said to be one")
	}
	declined := s.get(path).Body.String()
	if !strings.Contains(declined, "You’re not coming") || !strings.Contains(declined, path+"?again") {
		t.Errorf("after declining: %s", declined)
	}
	if w := s.get(path + "?again"); !strings.Contains(w.Body.String(), `value="grace@example.com"`) {
		t.Errorf("whoever changed their mind gets no form: %s", w.Body)
	}
	form = filledForm()
	form.Set("key", "zz-later-than-the-first-one")
	w := s.post(path+"?again", form)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("register after declining: %d", w.Code)
	}
	if s.intake.last.Link != s.links[graceToken].ID || s.intake.last.Invite == nil || s.intake.last.Invite.Record == "" {
		t.Error("the registration does not name its link")
	}
	for _, address := range []string{path, path + "?again"} {
		registered := s.get(address).Body.String()
		for _, want := range []string{"You’re registered", "Ada Sample", "always leads back", w.Header().Get("Location") + "/edit"} {
			if !strings.Contains(registered, want) {
				t.Errorf("%s after registering lacks %q", address, want)
			}
		}
	}
	s.post(w.Header().Get("Location")+"/cancel", nil)
	if page := s.get(path).Body.String(); !strings.Contains(page, "This registration is cancelled") || !strings.Contains(page, "?again") {
		t.Error("after cancelling the link does not offer to register again")
	}
	s.now = gala().Starts.AddDate(0, 0, 2)
	for _, address := range []string{path, path + "?again"} {
		if page := s.get(address).Body.String(); strings.Contains(page, "?again") || !strings.Contains(page, "This registration is cancelled") {
			t.Errorf("%s of an event that is over offers to register again, or no longer says how it stands", address)
		}
	}
}

func TestLockedEmailStaysAsItIs(t *testing.T) {
	s := newSite(t)
	form := filledForm()
	form.Set("form", "f1")
	form.Set("email", "somebody-else@example.com")
	for name := range form {
		if strings.HasPrefix(name, "answers.") || strings.HasPrefix(name, "guests.") || name == "agenda" || name == "ticket" {
			form.Del(name)
		}
	}
	w := s.post("/l/"+lockedToken, form)
	if w.Code != http.StatusSeeOther || s.intake.last.Person.Email != "grace@example.com" {
		t.Fatalf("%d: registered under %q\n%s", w.Code, s.intake.last.Person.Email, w.Body)
	}
	edited := w.Header().Get("Location") + "/edit"
	form.Set("revision", "1")
	if w := s.post(edited, form); w.Code != http.StatusSeeOther {
		t.Fatalf("edit: %d\n%s", w.Code, w.Body)
	}
	if page := s.get(strings.TrimSuffix(edited, "/edit")).Body.String(); strings.Contains(page, "somebody-else") {
		t.Error("editing changed a locked address")
	}
}

func TestEditAndCancel(t *testing.T) {
	s := newSite(t)
	path := s.register(t, filledForm())
	form := filledForm()
	form.Set("revision", "1")
	form.Set("first_name", "Augusta")
	form.Set("email", "augusta@example.com")
	if page := s.get(path + "/edit").Body.String(); !strings.Contains(page, " readonly") || !strings.Contains(page, "The registration belongs to this address") {
		t.Error("the form for changes lets the address be changed")
	}
	if w := s.post(path+"/edit", form); w.Code != http.StatusSeeOther || w.Header().Get("Location") != path+"?saved" {
		t.Fatalf("edit: %d\n%s", w.Code, w.Body)
	}
	if page := s.get(path + "?saved").Body.String(); !strings.Contains(page, "Your changes are saved.") {
		t.Error("nothing says that the change is saved")
	}
	if page := s.get(path).Body.String(); strings.Contains(page, "are saved") || !strings.Contains(page, "Augusta") || strings.Contains(page, "augusta@") {
		t.Error("the change is not on the ticket, or the address went with it")
	}
	s.intake.fail = turnout.Errorf(turnout.CodeConflict, "cancel registration", "it keeps changing")
	if w := s.post(path+"/cancel", nil); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "Please try again in a minute") {
		t.Errorf("a cancel that meets another change: %d", w.Code)
	}
	s.intake.fail = nil
	form.Set("last_name", "Typed")
	w := s.post(path+"/edit", form)
	if body := w.Body.String(); w.Code != http.StatusConflict || !strings.Contains(body, `value="Typed"`) || !strings.Contains(body, `name="revision" value="2"`) {
		t.Errorf("editing an old revision: %d\n%s", w.Code, body)
	}
	form.Set("form", "f2")
	if w := s.post(path+"/edit", form); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "The form has changed") {
		t.Errorf("editing under an old form: %d", w.Code)
	}
	for range 2 {
		if w := s.post(path+"/cancel", nil); w.Code != http.StatusSeeOther {
			t.Errorf("cancel: %d", w.Code)
		}
	}
	for _, w := range []*httptest.ResponseRecorder{s.get(path + "/edit"), s.post(path+"/edit", form)} {
		if body := w.Body.String(); w.Code != http.StatusConflict || !strings.Contains(body, "<h1>This registration is cancelled</h1>") || strings.Contains(body, "time for changing") {
			t.Errorf("editing what was cancelled: %d\n%s", w.Code, body)
		}
	}
	if w := s.get(path + "/cancel"); w.Code != http.StatusSeeOther {
		t.Errorf("asking again whether to cancel: %d", w.Code)
	}
	if page := s.get(path).Body.String(); !strings.Contains(page, "Register after all") || strings.Contains(page, "<svg") {
		t.Error("a cancelled ticket still has its code, or does not offer to register again")
	}
	if w := s.get(path + ".ics"); !strings.Contains(w.Body.String(), "STATUS:CANCELLED") {
		t.Error("the calendar file of a cancelled registration does not withdraw it")
	}
}

func TestChangesEndWithTheEvent(t *testing.T) {
	s := newSite(t)
	path := s.register(t, filledForm())
	s.now = gala().Starts
	for _, action := range []string{"/edit", "/cancel"} {
		if w := s.get(path + action); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "Changes are no longer possible") {
			t.Errorf("GET %s: %d", action, w.Code)
		}
	}
	if page := s.get(path).Body.String(); strings.Contains(page, path+"/edit") || !strings.Contains(page, "Changes are no longer possible here") {
		t.Error("the ticket offers changes that are not possible")
	}
}

// TestTicketIsHonest says no more than is true in each state.
func TestTicketIsHonest(t *testing.T) {
	s := newSite(t)
	d := turnout.Details{Person: turnout.Person{FirstName: "Ada", LastName: "Sample", Email: "ada@example.com"}, Ticket: "seat"}
	online := turnout.EventID("a01000000000002AAA")
	for _, c := range []struct {
		name string
		r    turnout.Registration
		want []string
		not  []string
	}{
		{"accepted", turnout.Registration{Status: turnout.StatusRegistered, Revision: 1}, []string{"We are passing it to the organiser’s system", "https://meet.example.org/briefing", "<svg"}, nil},
		{"delivered", turnout.Registration{Status: turnout.StatusRegistered, Revision: 2, Delivered: 2}, []string{"The organiser has it"}, []string{"passing it"}},
		{"parked", turnout.Registration{Status: turnout.StatusRegistered, Revision: 1, Parked: &turnout.Parked{Code: "STRING_TOO_LONG"}}, []string{"Your place is reserved. Somebody at the organiser"}, []string{"STRING_TOO_LONG"}},
		{"dismissed", turnout.Registration{Status: turnout.StatusRegistered, Revision: 1, Parked: &turnout.Parked{Code: "STRING_TOO_LONG"}, Dismissed: time.Unix(1, 0)}, []string{"<p>Your place is reserved.</p>"}, []string{"Somebody", "has it"}},
		{"waitlisted", turnout.Registration{Status: turnout.StatusWaitlisted, Revision: 1}, []string{"You’re on the waitlist"}, []string{"meet.example.org", "<svg", "reserved"}},
		{"cancelled", turnout.Registration{Status: turnout.StatusCancelled, Revision: 2}, []string{"This registration is cancelled"}, []string{"meet.example.org", "<svg"}},
	} {
		c.r.Key, c.r.Event = turnout.Key("key-of-"+c.name), online
		page := s.get("/registrations/" + s.addRegistration(c.r, d)).Body.String()
		for _, want := range c.want {
			if !strings.Contains(page, want) {
				t.Errorf("%s: ticket lacks %q", c.name, want)
			}
		}
		for _, not := range c.not {
			if strings.Contains(page, not) {
				t.Errorf("%s: ticket says %q", c.name, not)
			}
		}
	}
	// Whoever came by a personal link hears that it leads back, on this page too.
	const back = "Your personal link always leads back to this page"
	for key, link := range map[turnout.Key]turnout.LinkID{"key-by-link": {1}, "key-by-hand": {}} {
		page := s.get("/registrations/" + s.addRegistration(turnout.Registration{Key: key, Event: online, Link: link, Status: turnout.StatusRegistered, Revision: 1}, d)).Body.String()
		if strings.Contains(page, back) == link.IsZero() {
			t.Errorf("%s: the ticket says that a link leads back: %v", key, !link.IsZero())
		}
	}
	if page := s.get("/events/member-briefing").Body.String(); strings.Contains(page, "meet.example.org") {
		t.Error("the public page gives the address to join away")
	}
}

func TestRegistrationOutlivesItsEventsPageAndItsAnswers(t *testing.T) {
	s := newSite(t)
	gone := s.addRegistration(turnout.Registration{Key: "key-of-a-lost-event", Event: "a01000000000099AAA", Status: turnout.StatusRegistered}, turnout.Details{})
	if w := s.get("/registrations/" + gone); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Your registration is kept") {
		t.Errorf("event offline: %d", w.Code)
	}
	shredded := s.addRegistration(turnout.Registration{Key: "key-of-shredded", Event: "a01000000000004AAA", Status: turnout.StatusRegistered}, turnout.Details{})
	s.now = over().Starts.Add(-time.Hour)
	if w := s.get("/registrations/" + shredded); !strings.Contains(w.Body.String(), "has been erased") {
		t.Error("shredded answers are not mentioned")
	}
	if w := s.get("/registrations/" + shredded + "/edit"); w.Code != http.StatusConflict {
		t.Errorf("a shredded registration can be edited: %d", w.Code)
	}
}

// TestAddressesThatAreNearlyRight lead on, whoever typed them; what is a
// credential is kept by nobody.
func TestAddressesThatAreNearlyRight(t *testing.T) {
	s := newSite(t)
	path := s.register(t, filledForm())
	for from, to := range map[string]string{
		"/events": "/", "/events/": "/", "/events/spring-forum/": "/events/spring-forum",
		"/l/" + graceToken + "/": "/l/" + graceToken, "/l/a%2Fb/": "/l/a%2Fb", path + "/": path,
	} {
		w := s.get(from)
		if w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != to {
			t.Errorf("%s: %d to %q, want %q", from, w.Code, w.Header().Get("Location"), to)
		}
		if personal := !strings.HasPrefix(from, "/events"); personal && w.Header().Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s: the way to what is personal is kept: %v", from, w.Header())
		}
	}
}

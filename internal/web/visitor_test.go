package web_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

// TestSlowBodyIsATimeout sends half a form over a real connection.
func TestSlowBodyIsATimeout(t *testing.T) {
	s := newSite(t)
	server := httptest.NewUnstartedServer(s.handler)
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	defer server.Close()
	path := s.register(t, filledForm())
	writes := s.intake.writes
	for _, target := range []string{formPath, "/l/" + graceToken, path + "/edit"} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: events.example.org\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nfirst_name=A", target)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusRequestTimeout || s.intake.writes != writes {
			t.Errorf("%s: %d, %d writes", target, resp.StatusCode, s.intake.writes-writes)
		}
	}
}

func TestOwnCalendarSaysHowItStands(t *testing.T) {
	s := newSite(t)
	online := turnout.EventID("a01000000000002AAA")
	for status, want := range map[turnout.Status]string{
		turnout.StatusRegistered: "STATUS:CONFIRMED", turnout.StatusWaitlisted: "STATUS:TENTATIVE",
		turnout.StatusCancelled: "STATUS:CANCELLED", turnout.StatusDeclined: "STATUS:CANCELLED",
	} {
		token := s.addRegistration(turnout.Registration{Key: turnout.Key("key-of-" + status), Event: online, Status: status}, turnout.Details{Person: grace})
		file := strings.ReplaceAll(s.get("/registrations/"+token+".ics").Body.String(), "\r\n ", "")
		waiting := strings.Contains(file, `DESCRIPTION:This is a place on the waitlist\, not a place at the event.`)
		if !strings.Contains(file, want+"\r\n") || waiting != (status == turnout.StatusWaitlisted) {
			t.Errorf("%s: want %s in\n%s", status, want, file)
		}
		if strings.Contains(file, "meet.example.org") != (status == turnout.StatusRegistered) {
			t.Errorf("%s: the address to join is for those with a place", status)
		}
	}
}

// TestCancelledPageClaimsNothing: who cancelled is not kept, and neither is the
// token of a personal link.
func TestCancelledPageClaimsNothing(t *testing.T) {
	s := newSite(t)
	for _, status := range []turnout.Status{turnout.StatusCancelled, turnout.StatusDeclined} {
		for _, link := range []turnout.LinkID{{}, {1}} {
			r := turnout.Registration{Key: turnout.Key("key-of-" + string(status) + link.String()), Event: "a01000000000001AAA", Status: status, Link: link}
			body := s.get("/registrations/" + s.addRegistration(r, turnout.Details{Person: grace})).Body.String()
			if strings.Contains(body, "is told") {
				t.Errorf("%s: the page says who knows of it", status)
			}
			public, personal := strings.Contains(body, `href="/events/spring-forum/register"`), strings.Contains(body, "Use your personal link to register again")
			if public != link.IsZero() || personal == link.IsZero() {
				t.Errorf("%s, link %v: leads to the public form %v, to the link %v", status, link, public, personal)
			}
		}
	}
	r := turnout.Registration{Key: "key-of-an-old-one", Event: "a01000000000004AAA", Status: turnout.StatusCancelled, Link: turnout.LinkID{3}}
	if body := s.get("/registrations/" + s.addRegistration(r, turnout.Details{Person: grace})).Body.String(); strings.Contains(body, "register again") {
		t.Error("an event that is over invites to register again")
	}
}

// P1: the form of a link that another instance knew is taken by this one.
func TestP1FormOfALinkThatWasUnknownHere(t *testing.T) {
	s := newSite(t)
	const late = "/l/late-0123456789"
	s.links["sent late-0123456789"] = s.links[graceToken]
	if w := s.get(late); w.Code != http.StatusNotFound {
		t.Errorf("the page: %d", w.Code)
	}
	if w := s.post(late, filledForm()); w.Code != http.StatusSeeOther {
		t.Errorf("its form: %d", w.Code)
	}
}

// A registration of an event that is over promises nothing more.
func TestRegistrationOfAnEventThatIsOver(t *testing.T) {
	s := newSite(t)
	r := turnout.Registration{Key: "key-of-one-who-came", Event: "a01000000000004AAA", Status: turnout.StatusRegistered, Revision: 1}
	body := s.get("/registrations/" + s.addRegistration(r, turnout.Details{Person: grace})).Body.String()
	for _, not := range []string{"reserved", "Add to your calendar", "Keep this page", "Change or cancel"} {
		if strings.Contains(body, not) {
			t.Errorf("it says %q", not)
		}
	}
	says(t, "it", body, []string{"<p>This event is over.</p>", grace.LastName})
}

func TestReusedFormOfALinkLeadsToItsRegistration(t *testing.T) {
	s := newSite(t)
	path, form := "/l/"+graceToken, filledForm()
	if w := s.post(path, form); w.Code != http.StatusSeeOther {
		t.Fatalf("register: %d", w.Code)
	}
	s.intake.fail = turnout.Errorf(turnout.CodeReused, "register", "")
	body := s.post(path+"?send", form).Body.String()
	if !strings.Contains(body, `<a href="`+path+`">See your registration</a>`) || strings.Contains(body, "Open a new form") {
		t.Errorf("no way to the registration:\n%s", body)
	}
	if body := s.post(formPath, form).Body.String(); !strings.Contains(body, `<a href="`+formPath+`">Open a new form</a>`) {
		t.Errorf("no way to a new public form:\n%s", body)
	}
}

func TestErrorSummaryGoesDownThePage(t *testing.T) {
	s := newSite(t)
	form := filledForm()
	for name, value := range map[string]string{"company": "", "email": "no", "title": strings.Repeat("x", 300), "guests.1.last_name": "", "answers.diet": "", "answers.years": "many", "ticket": ""} {
		form.Set(name, value)
	}
	form["agenda"] = []string{"nothing"}
	body := s.post(formPath, form).Body.String()
	var got []string
	for _, m := range regexp.MustCompile(`<li><a href="#([^"]+)"`).FindAllStringSubmatch(body, -1) {
		got = append(got, m[1])
	}
	want := []string{"email", "company", "title", "ticket", "agenda", "answers.diet", "answers.years", "guests.0.last_name"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	last := 0
	for _, id := range got {
		at := strings.Index(body, `id="`+id+`"`)
		if at < last {
			t.Errorf("%s stands further up", id)
		}
		last = at
	}
}

func TestAddressesThatAreAlmostRight(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]string{"/events/spring-forum/": "/events/spring-forum", "/events/last-year/": "/events/last-year"} {
		if w := s.get(path); w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != want {
			t.Errorf("%s: %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
	for _, path := range []string{"/events/nothing/", "/../../etc/passwd", "//evil.example/", "/events/%2F%2Fevil.example/", "/a/../b"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		u, err := r.URL.Parse("http://events.example.org" + path)
		if err != nil {
			t.Fatal(err)
		}
		u.Path, u.RawPath = strings.ReplaceAll(path, "%2F", "/"), path
		r.URL, r.Host = u, "events.example.org"
		w := s.do(r)
		if w.Code != http.StatusNotFound || w.Header().Get("Location") != "" || !strings.Contains(w.Body.String(), "This page does not exist") {
			t.Errorf("%s: %d, Location %q", path, w.Code, w.Header().Get("Location"))
		}
	}
	if w := s.do(httptest.NewRequest(http.MethodPut, "/events/spring-forum", nil)); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("another method: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

// TestPrivateMeansUnlisted: whoever has the address may register.
func TestPrivateMeansUnlisted(t *testing.T) {
	s := newSite(t)
	e := talk()
	e.Private = true
	s.catalog.publish(t, e, nil)
	body := s.get("/events/" + e.Slug).Body.String()
	if !strings.Contains(body, "Unlisted: only people with the address see it.") || !strings.Contains(body, ">Register</a>") {
		t.Errorf("an event that is not listed does not say so, or takes nobody:\n%s", body)
	}
	if strings.Contains(s.get("/events/spring-forum").Body.String(), "Unlisted") {
		t.Error("a listed event says that it is not")
	}
}

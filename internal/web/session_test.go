package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/session"
	"github.com/turnout-events/turnout/internal/session/cookie"
	"github.com/turnout-events/turnout/internal/session/sessiontest"
	"github.com/turnout-events/turnout/internal/web"
)

// sessions are cookies, and note what was ended.
type sessions struct {
	*cookie.Engine
	ended []session.Session
	fail  error
}

func (s *sessions) End(_ context.Context, _ session.Binding, of session.Session) error {
	s.ended = append(s.ended, of)
	return s.fail
}

// regular is a visitor who keeps cookies.
type regular struct {
	*site
	t        testing.TB
	engine   *sessions
	host     string
	https    bool
	jar      map[string]string
	received []*http.Cookie // with the last answer
}

func newRegular(t testing.TB) *regular {
	t.Helper()
	master, err := seal.ParseMaster(seal.NewMasterLine())
	if err != nil {
		t.Fatal(err)
	}
	b := &regular{t: t, jar: map[string]string{}, host: "events.example.org"}
	b.engine = &sessions{Engine: cookie.New(cookie.Options{
		Keyring: seal.NewKeyring(sessiontest.NewShelf(), func() (seal.Master, error) { return master, nil }), Now: func() time.Time { return b.now },
	})}
	b.site = newSiteWith(t, web.Options{Sessions: b.engine, Stack: "blue"})
	return b
}

// visit sends a request with the cookies that the browser has; headers come in pairs.
func (b *regular) visit(method, path string, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Host = b.host
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.https {
		r.Header.Set("X-Forwarded-Proto", "https")
	}
	for name, value := range b.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := b.do(r)
	b.received = w.Result().Cookies()
	for _, c := range b.received {
		if b.jar[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.jar, c.Name)
		}
	}
	return w
}

func (b *regular) sees(path, want string, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	w := b.visit(http.MethodGet, path, headers...)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
		b.t.Errorf("GET %s: %d, want %q in\n%s", path, w.Code, want, w.Body)
	}
	return w
}

const (
	eventPath = "/events/spring-forum"
	banner    = `<p class="invited"><span>You have a personal invitation to this event.</span> <a href="/l/` + graceToken + `">Open your invitation or registration</a></p>` + "\n"
)

// public fails unless an answer is the one that everybody gets.
func (b *regular) isPublic(path string, w *httptest.ResponseRecorder) {
	b.t.Helper()
	all := b.get(path)
	if w.Body.String() != all.Body.String() || w.Header().Get("ETag") != all.Header().Get("ETag") || w.Header().Get("Cache-Control") != all.Header().Get("Cache-Control") || len(b.received) != 0 {
		b.t.Errorf("%s is not as everybody gets it: %v, cookies %v", path, w.Header(), b.received)
	}
}

func TestWhoHasALinkIsLedToIt(t *testing.T) {
	b := newRegular(t)
	b.isPublic(eventPath, b.visit(http.MethodGet, eventPath))
	b.sees("/l/"+graceToken, `value="grace@example.com"`)
	w := b.sees(eventPath, banner)
	if got := w.Header(); got.Get("Cache-Control") != "private, no-store" || got.Get("ETag") != "" || !strings.Contains(got.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("a page that knows its visitor has %v", got)
	}
	if rest := strings.Replace(w.Body.String(), banner, "", 1); rest != b.get(eventPath).Body.String() {
		t.Error("it differs by more than a line")
	}
	if strings.Contains(w.Body.String(), "Grace") {
		t.Error("P8: it says who the visitor is")
	}
	// What their browser had of the public page is not taken for this one.
	if w := b.visit(http.MethodGet, eventPath, "If-None-Match", b.get(eventPath).Header().Get("ETag")); w.Code != http.StatusOK {
		t.Errorf("revalidated: %d", w.Code)
	}
	offer := b.sees(formPath, "You have a personal invitation")
	for _, want := range []string{`href="/l/` + graceToken + `"`, `href="` + formPath + `?other"`, `action="` + eventPath + `/leave"`} {
		if !strings.Contains(offer.Body.String(), want) {
			t.Errorf("the offer lacks %s", want)
		}
	}
	b.sees(formPath+"?other", `name="first_name"`)
	// Nobody else's page changes, and neither do other events'.
	for _, path := range []string{"/", "/events/dinner", eventPath + ".ics"} {
		b.isPublic(path, b.visit(http.MethodGet, path))
	}
}

func TestWhoAnsweredIsLedToTheirRegistration(t *testing.T) {
	b := newRegular(t)
	b.sees("/l/"+graceToken, `value="grace@example.com"`)
	form := filledForm()
	if w := b.post("/l/"+graceToken, form); w.Code != http.StatusSeeOther {
		t.Fatalf("register: %d", w.Code)
	}
	b.sees(formPath, "You have answered your invitation")
	own := "/registrations/t-" + form.Get("key")
	b.sees(own, "You’re registered")
	if w := b.visit(http.MethodPost, own+"/cancel"); w.Code != http.StatusSeeOther {
		t.Fatalf("cancel: %d", w.Code)
	}
	b.sees(own, `<a class="button" href="/l/`+graceToken+`?again">Register after all</a>`)
	if body := b.get(own).Body.String(); !strings.Contains(body, "Use your personal link to register again.") || strings.Contains(body, graceToken) {
		t.Error("another browser is told the token of the link")
	}
	b.intake.failRead = turnout.Errorf(turnout.CodeUnavailable, "look", "away")
	b.sees(formPath, "You have a personal invitation") // the store is away, the way is the same
	b.sees(eventPath, banner)
}

// A closed event's page leads to the registration that somebody has.
func TestOfferOfAClosedEvent(t *testing.T) {
	b := newRegular(t)
	b.sees("/l/"+closedToken, "Registration is closed")
	w := b.sees("/events/walk/register", `href="/l/`+closedToken+`"`)
	if strings.Contains(w.Body.String(), "?other") {
		t.Error("it offers a form that nobody may send")
	}
}

func TestCookieOfASession(t *testing.T) {
	b := newRegular(t)
	for _, c := range []struct {
		https bool
		name  string
	}{{false, "turnout_visit"}, {true, "__Host-turnout_visit"}} {
		b.https, b.jar = c.https, map[string]string{}
		b.visit(http.MethodGet, "/l/"+graceToken)
		if len(b.received) != 1 {
			t.Fatalf("cookies %v", b.received)
		}
		got := b.received[0]
		if got.Name != c.name || got.Secure != c.https || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Path != "/" || got.MaxAge != 0 || !got.Expires.IsZero() || got.Domain != "" {
			t.Errorf("https %v: %+v", c.https, got)
		}
		b.visit(http.MethodGet, "/l/"+graceToken)
		if len(b.received) != 0 {
			t.Errorf("it is set again at once: %v", b.received)
		}
		b.now = b.now.Add(2 * time.Minute)
		b.sees(eventPath, banner)
		if len(b.received) != 1 {
			t.Errorf("two minutes later it was not set: %v", b.received)
		}
	}
	b.https = false // the secured one is not sent there, and would not be looked at
	b.jar["turnout_visit"] = b.jar["__Host-turnout_visit"][:20]
	b.isPublic(eventPath, b.visit(http.MethodGet, eventPath))
}

// P6: a session of one host or stack is none on another.
func TestP6SessionsStayOnTheirHostAndStack(t *testing.T) {
	b := newRegular(t)
	b.sees("/l/"+graceToken, `value="grace@example.com"`)
	b.host = "acme.localhost" // the same org under its other name
	b.isPublic(eventPath, b.visit(http.MethodGet, eventPath))
	b.host = "events.example.org"
	b.sees(eventPath, banner)
	b.site = newSiteWith(t, web.Options{Sessions: b.engine, Stack: "green"})
	b.isPublic(eventPath, b.visit(http.MethodGet, eventPath))
}

// P6: of two people with one browser the second one never sees the first one's.
func TestP6TwoPeopleWithOneBrowser(t *testing.T) {
	b := newRegular(t)
	b.sees("/l/"+graceToken, `value="grace@example.com"`)
	b.visit(http.MethodGet, "/l/"+fullToken) // another person's
	b.isPublic(eventPath, b.visit(http.MethodGet, eventPath))
	b.sees("/events/dinner", fullToken)
	// The same person's second link comes beside the first.
	second := link(6, "a01000000000002AAA")
	second.Person = turnout.PersonID{5}
	b.links["second-0123456789"] = second
	b.visit(http.MethodGet, "/l/second-0123456789")
	b.sees("/events/dinner", fullToken)
	b.sees("/events/member-briefing", "second-0123456789")
}

// P8: whoever was forgotten is led nowhere.
func TestP8ForgottenLinksAreNotOffered(t *testing.T) {
	b := newRegular(t)
	b.sees("/l/"+graceToken, `value="grace@example.com"`)
	delete(b.links, graceToken)
	b.isPublic(eventPath, b.visit(http.MethodGet, eventPath))
	b.sees(formPath, `name="first_name"`)
	moved := link(1, "a01000000000003AAA") // the token names another event now
	b.links[graceToken] = moved
	b.isPublic(eventPath, b.visit(http.MethodGet, eventPath))
	reused := link(7, "a01000000000001AAA") // or another person
	b.links[graceToken] = reused
	b.isPublic(eventPath, b.visit(http.MethodGet, eventPath))
}

// What is one person's own is in nobody's frame: there everybody gets the same.
func TestNoSessionInAFrame(t *testing.T) {
	b := newRegular(t)
	b.catalog.org.EmbedOn = []string{"https://www.acme.example"}
	b.sees("/l/"+graceToken, `value="grace@example.com"`)
	w := b.visit(http.MethodGet, eventPath, "Sec-Fetch-Dest", "iframe")
	b.isPublic(eventPath, w)
	if !strings.Contains(w.Header().Get("Content-Security-Policy"), "https://www.acme.example") {
		t.Error("the frame would stay empty")
	}
	b.sees(formPath, `name="first_name"`, "Sec-Fetch-Dest", "iframe")
}

func TestLeavingOnASharedDevice(t *testing.T) {
	b := newRegular(t)
	b.sees("/l/"+graceToken, `value="grace@example.com"`)
	b.engine.fail = errors.New("away")
	for i := range 2 {
		w := b.visit(http.MethodPost, eventPath+"/leave")
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != eventPath || len(b.jar) != 0 {
			t.Errorf("leaving: %d to %q, cookies %v", w.Code, w.Header().Get("Location"), b.jar)
		}
		if len(b.engine.ended) != 1 {
			t.Errorf("the %d. time %d were ended", i+1, len(b.engine.ended))
		}
	}
	b.isPublic(eventPath, b.visit(http.MethodGet, eventPath))
	if w := b.visit(http.MethodPost, "/events/nothing/leave"); w.Code != http.StatusNotFound {
		t.Errorf("of no event: %d", w.Code)
	}
	if w := b.visit(http.MethodPost, eventPath+"/leave", "Origin", "https://elsewhere.example"); w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
}

// Without a link there is no session: no cookie on any page, and a cookie that
// somebody made up changes nothing.
func TestOnlyALinkBeginsASession(t *testing.T) {
	b := newRegular(t)
	paths := []string{"/", eventPath, formPath, "/l/unknown-token", "/l/" + forgottenToken, "/registrations/unknown-token", "/robots.txt"}
	for _, path := range paths {
		if b.visit(http.MethodGet, path); len(b.received) != 0 {
			t.Errorf("%s sets %v", path, b.received)
		}
	}
	b.jar["turnout_visit"] = strings.Repeat("A", 200)
	for _, path := range paths[:2] {
		b.isPublic(path, b.visit(http.MethodGet, path))
	}
	if w := b.post(formPath, url.Values{}); len(w.Result().Cookies()) != 0 {
		t.Error("a form sets a cookie")
	}
}

func BenchmarkInvitedPage(b *testing.B) {
	v := newRegular(b)
	v.visit(http.MethodGet, "/l/"+graceToken)
	r := httptest.NewRequest(http.MethodGet, eventPath, nil)
	r.Host = v.host
	for name, value := range v.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	b.ReportAllocs()
	for b.Loop() {
		v.handler.ServeHTTP(discard{http.Header{}}, r)
	}
}

package web_test

import (
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/web"
)

// everyAddress is one of each route, for a registered person.
func everyAddress(t *testing.T, s *site) []string {
	t.Helper()
	path := s.register(t, filledForm())
	form := filledForm()
	form.Set("key", "came-through-a-link")
	if w := s.post("/l/"+graceToken, form); w.Code != http.StatusSeeOther {
		t.Fatalf("register through a link: %d", w.Code)
	}
	return []string{
		"/", "/events/spring-forum", "/events/spring-forum.ics", "/events/dinner", formPath, "/events/dinner/register", "/events/last-year/register",
		"/l/" + graceToken, "/l/" + graceToken + "?again", "/l/" + lockedToken, "/l/" + overToken, "/l/" + closedToken, "/l/" + fullToken, "/l/unknown-token", "/l/" + forgottenToken,
		path, path + ".ics", path + "/edit", path + "/cancel", "/registrations/unknown-token", "/nothing", "/assets/accent-0b6e4f.css",
	}
}

func isPersonal(path string) bool {
	return strings.HasPrefix(path, "/l/") || strings.HasPrefix(path, "/registrations/")
}

// TestP12AGetChangesNothing opens every address as a mail scanner does, and
// with what would press a button if it were posted.
func TestP12AGetChangesNothing(t *testing.T) {
	s := newSite(t)
	addresses := everyAddress(t, s)
	before, writes := len(s.intake.views), s.intake.writes
	for _, path := range addresses {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			for _, query := range []string{"", "?" + filledForm().Encode() + "&action=decline&join_waitlist=yes&_method=POST"} {
				address, _, _ := strings.Cut(path, "?")
				r := httptest.NewRequest(method, address+query, strings.NewReader(filledForm().Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("X-HTTP-Method-Override", "POST")
				s.do(r)
				if s.intake.writes != writes || len(s.intake.views) != before {
					t.Fatalf("P12: %s %s%s wrote", method, address, query)
				}
			}
		}
	}
}

// TestP3NothingReachesSalesforce reads what the pages import and what they ask for.
func TestP3NothingReachesSalesforce(t *testing.T) {
	for _, dir := range []string{".", "page", "../ics", "../cut", "../words"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range f.Imports {
				allowed := regexp.MustCompile(`^"([a-z0-9]+(/[a-z0-9]+)*|rsc\.io/qr|golang\.org/x/net/html|github\.com/chromedp/.*|github\.com/turnout-events/turnout(/internal/(catalog|intake|cut|drain|ics|session|words|web|web/page))?)"$`)
				client := spec.Path.Value == `"net/http"` && dir != "."
				if (!allowed.MatchString(spec.Path.Value) || client) && !strings.HasSuffix(file, "_test.go") {
					t.Errorf("P3: %s imports %s", file, spec.Path.Value)
				}
			}
		}
	}
	for _, port := range []reflect.Type{reflect.TypeFor[web.Catalog](), reflect.TypeFor[web.Links](), reflect.TypeFor[web.Reader](), reflect.TypeFor[web.Writer]()} {
		if n := port.NumMethod(); n > 4 {
			t.Errorf("%s has %d methods", port, n)
		}
	}
}

// TestP8NoPersonalDataInAddressesOrLogs goes every way with a name that would
// be found again, through good and bad outcomes.
func TestP8NoPersonalDataInAddressesOrLogs(t *testing.T) {
	s := newSite(t)
	form := filledForm()
	for name, value := range map[string]string{"first_name": "Zebulon", "last_name": "Quagmire", "email": "zebulon@example.com", "company": "Quagmire Works", "guests.1.first_name": "Quintilla"} {
		form.Set(name, value)
	}
	personal := regexp.MustCompile(`(?i)zebulon|quagmire|quintilla|grace|ada@|example\.com`)
	address := regexp.MustCompile(`(?:href|src|action|content)="([^"]*)"`)
	look := func(what string, w *httptest.ResponseRecorder) {
		t.Helper()
		for name, values := range w.Header() {
			if personal.MatchString(strings.Join(values, " ")) {
				t.Errorf("P8: %s: header %s holds personal data", what, name)
			}
		}
		for _, m := range address.FindAllStringSubmatch(w.Body.String(), -1) {
			decoded, _ := url.QueryUnescape(m[1])
			if personal.MatchString(strings.ReplaceAll(decoded, graceToken, "")) {
				t.Errorf("P8: %s: address %q holds personal data", what, m[1])
			}
		}
	}
	path := s.register(t, form)
	for _, a := range append(everyAddress(t, s), path, path+"/edit", path+".ics") {
		look(a, s.get(a))
	}
	for _, code := range []turnout.Code{turnout.CodeInternal, turnout.CodeUnavailable, turnout.CodeInvalid, turnout.CodeMisconfigured, turnout.CodeStale} {
		s.intake.fail = turnout.Errorf(code, "accept registration", "for a test")
		form.Set("revision", "1")
		for _, target := range []string{formPath, "/l/" + graceToken, path + "/edit", path + "/cancel"} {
			look(target, s.post(target, form))
		}
	}
	if !strings.Contains(s.log.String(), "accept registration") {
		t.Error("faults of ours are not logged")
	}
	if found := personal.FindString(s.log.String()); found != "" {
		t.Errorf("P8: the log holds %q:\n%s", found, s.log)
	}
	if strings.Contains(s.log.String(), strings.TrimPrefix(path, "/registrations/")) || strings.Contains(s.log.String(), graceToken) {
		t.Errorf("the log holds a token:\n%s", s.log)
	}
}

func TestHeaders(t *testing.T) {
	s := newSite(t)
	for _, path := range everyAddress(t, s) {
		h := s.get(path).Header()
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "style-src 'self'", "img-src 'self' data:", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy lacks %q", path, want)
			}
		}
		if strings.Contains(csp, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Permissions-Policy") == "" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: headers %v", path, h)
		}
		private := strings.Contains(h.Get("Cache-Control"), "no-store") && strings.Contains(h.Get("X-Robots-Tag"), "noindex")
		if isPersonal(path) != private && path != "/nothing" && path != "/events/last-year/register" {
			t.Errorf("%s: private %v, Cache-Control %q, X-Robots-Tag %q", path, private, h.Get("Cache-Control"), h.Get("X-Robots-Tag"))
		}
		if h.Get("Set-Cookie") != "" {
			t.Errorf("%s sets a cookie", path)
		}
	}
}

// TestStrictPolicyIsEnough: no inline style, script or handler, and nothing
// from elsewhere.
func TestStrictPolicyIsEnough(t *testing.T) {
	s := newSite(t)
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?: src="/assets/| type="application/ld)?|<iframe|<link rel="[a-z]+" href="http`)
	foreign := regexp.MustCompile(`(?i)\ssrc="(?:https?:)?//`)
	for _, path := range everyAddress(t, s) {
		body := s.get(path).Body.String()
		for _, found := range inline.FindAllString(body, -1) {
			if found != `<script src="/assets/` && found != `<script type="application/ld` && !strings.Contains(found, "canonical") {
				t.Errorf("%s: %q", path, found)
			}
		}
		if found := foreign.FindString(body); found != "" {
			t.Errorf("%s asks another site: %q", path, found)
		}
	}
}

// TestSizes keeps a page with its stylesheet and script small, as they are
// before compression.
func TestSizes(t *testing.T) {
	s := newSite(t)
	asset := regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`)
	for _, path := range everyAddress(t, s) {
		body := s.get(path).Body.String()
		html, total := len(body), len(body)
		for _, m := range asset.FindAllStringSubmatch(body, -1) {
			total += s.get(m[1]).Body.Len()
		}
		t.Logf("%-28s %6d bytes, %6d with assets", strings.Split(path, "?")[0], html, total)
		if html > 20<<10 || total > 30<<10 {
			t.Errorf("%s: %d bytes, %d with assets", path, html, total)
		}
	}
}

// TestHostileTexts puts markup into everything that somebody can type.
func TestHostileTexts(t *testing.T) {
	const bad = `"><img src=x onerror=alert(1)><script>alert(2)</script></title></textarea>'`
	s := newSite(t)
	e := gala()
	e.Title, e.Summary, e.Organizer, e.Venue, e.Address, e.Language = bad, bad, bad, bad, bad, bad
	e.Image, e.Picture, e.JoinURL, e.Accent, e.Body = bad, turnout.Picture{}, "javascript:alert(1)", bad, "<p>fine</p>"
	for i := range e.Tickets {
		e.Tickets[i].Name, e.Tickets[i].About = bad, bad
	}
	for i := range e.Agenda {
		e.Agenda[i].Name, e.Agenda[i].About, e.Agenda[i].Room = bad, bad, bad
	}
	for i := range e.Form.Questions {
		q := &e.Form.Questions[i]
		q.Label, q.Help = bad, bad
		if q.ShowIf == nil && len(q.Choices) > 0 {
			q.Choices = []string{bad, "Something else"}
		}
	}
	s.catalog.org.Name = bad
	s.catalog.publish(t, e, galaSeats())
	form := filledForm()
	for _, name := range []string{"first_name", "last_name", "company", "title", "guests.1.first_name", "guests.1.last_name", "answers.diet", "answers.note"} {
		form.Set(name, bad)
	}
	form.Set("first_name", "Ada")
	form.Set("last_name", bad[:70])
	form.Set("guests.1.first_name", bad[:30])
	form.Del("answers.topics")
	w := s.post(formPath, form)
	bodies := map[string]string{"errors": w.Body.String()}
	form.Set("answers.diet", "Something else")
	form.Set("answers.diet_other", bad)
	path := ""
	if w = s.post(formPath, form); w.Code == http.StatusSeeOther {
		path = w.Header().Get("Location")
	} else {
		t.Fatalf("register: %d\n%s", w.Code, w.Body)
	}
	for _, address := range []string{"/", "/events/spring-forum", formPath, "/l/" + graceToken, path, path + "/edit", path + "/cancel"} {
		bodies[address] = s.get(address).Body.String()
	}
	script := regexp.MustCompile(`<script(?: src="/assets/site-[0-9a-f]+\.js" defer| type="application/ld\+json")>`)
	for name, body := range bodies {
		if strings.Contains(body, "ZgotmplZ") {
			t.Errorf("%s: an address was let through to the template, which had to stop it", name)
		}
		if strings.Contains(body, "<img") || strings.Contains(body, "alert(2)</script>") || strings.Contains(body, `"javascript:`) {
			t.Errorf("%s: markup got through\n%s", name, body)
		}
		if n := strings.Count(body, "<script"); n != len(script.FindAllString(body, -1)) {
			t.Errorf("%s: a script of somebody else's", name)
		}
	}
}

func TestAssetsAreKeptForEver(t *testing.T) {
	s := newSite(t)
	body := s.get("/").Body.String()
	for _, m := range regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(body, -1) {
		w := s.get(m[1])
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", m[1], w.Code, w.Header())
		}
	}
	if _, err := os.Stat("page/assets/site.css"); err != nil {
		t.Fatal(err)
	}
}

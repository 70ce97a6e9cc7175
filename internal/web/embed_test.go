package web_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
)

// framer is who may frame an answer.
func framer(w *httptest.ResponseRecorder) string {
	_, ancestors, _ := strings.Cut(w.Header().Get("Content-Security-Policy"), "frame-ancestors ")
	ancestors, _, _ = strings.Cut(ancestors, ";")
	return ancestors
}

// TestOnlyNamedSitesFrame: those that the org names, and of its pages only what
// everybody may open.
func TestOnlyNamedSitesFrame(t *testing.T) {
	s := newSite(t)
	wrong := filledForm()
	wrong.Set("email", "no-address")
	framed := filledForm()
	framed.Set("framed", "yes")
	byLink := filledForm()
	byLink.Set("framed", "yes")
	addresses := everyAddress(t, s)
	for _, named := range [][]string{nil, {"https://www.acme.example", "https://shop.acme.example:8443"}} {
		s.catalog.org.EmbedOn = named
		public := "'none'"
		if named != nil {
			public = "'self' https://www.acme.example https://shop.acme.example:8443"
		}
		for _, path := range append(addresses, "/events/nothing", "/events/nothing/register", "/embed.js", "/robots.txt", "/events/", "/events/spring-forum/more/things") {
			want := "'none'"
			if regexp.MustCompile(`^/events/[^/]+(/register)?$`).MatchString(path) {
				want = public
			}
			if got := framer(s.get(path)); got != want {
				t.Errorf("%s: framed by %q, want %q", path, got, want)
			}
		}
		for what, c := range map[string]struct {
			w    *httptest.ResponseRecorder
			want string
		}{
			"a mistake":             {s.post(formPath, wrong), public},
			"no form":               {s.do(httptest.NewRequest(http.MethodPost, formPath, nil)), public},
			"an event there is not": {s.post("/events/nothing/register", framed), public},
			"closed":                {s.post("/events/walk/register", framed), public},
			"registered":            {s.post(formPath, framed), public},
			"a link's answer":       {s.post("/l/"+graceToken, wrong), "'none'"},
			"a link's registration": {s.post("/l/"+graceToken, byLink), "'none'"},
		} {
			if got := framer(c.w); got != c.want {
				t.Errorf("%s: framed by %q, want %q", what, got, c.want)
			}
		}
		other := httptest.NewRequest(http.MethodGet, formPath, nil)
		other.Host = "other.example.net"
		if got := framer(s.do(other)); got != "'none'" {
			t.Errorf("nobody's host: framed by %q", got)
		}
	}
}

// TestAFramedFormIsAnsweredInPlace, and sent again gets the same answer (P1);
// what came through a personal link leads to its page as ever.
func TestAFramedFormIsAnsweredInPlace(t *testing.T) {
	s := newSite(t)
	form := filledForm()
	form.Set("framed", "yes")
	path := "/registrations/t-" + form.Get("key")
	for range 2 {
		w := s.post(formPath, form)
		body := w.Body.String()
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "no-store") {
			t.Fatalf("%d %v", w.Code, w.Header())
		}
		for _, want := range []string{"You’re registered", "Your place is reserved.", "Reference ", `<a href="` + path + `" target="_top">Open your registration</a>`, `<a href="` + formPath + `">Register another person</a>`} {
			if !strings.Contains(body, want) {
				t.Errorf("the answer lacks %q:\n%s", want, body)
			}
		}
		if strings.Contains(body, "ada@example.com") || strings.Contains(body, "/cancel") {
			t.Error("the answer holds what belongs on the registration's own page")
		}
	}
	if len(s.intake.views) != 1 {
		t.Errorf("P1: %d registrations of one form", len(s.intake.views))
	}
	form.Set("key", "waits-in-a-frame-000000001")
	form.Set("join_waitlist", "yes")
	if body := s.post(formPath, form).Body.String(); !strings.Contains(body, "You’re on the waitlist") || !strings.Contains(body, "your registration’s page says so") {
		t.Errorf("who waits is told otherwise:\n%s", body)
	}
	form.Set("key", "came-by-link-0000000000001")
	if w := s.post("/l/"+graceToken, form); w.Code != http.StatusSeeOther {
		t.Errorf("a personal link's form: %d", w.Code)
	}
	s.intake.fail = turnout.Errorf(turnout.CodeUnavailable, "register", "")
	form.Set("key", "later-in-a-frame-000000001")
	if w := s.post(formPath, form); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `value="Ada"`) {
		t.Errorf("what was typed in a frame is lost: %d", w.Code)
	}
}

func TestEmbedScript(t *testing.T) {
	s := newSite(t)
	w := s.get("/embed.js")
	for name, want := range map[string]string{
		"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": "public, max-age=3600, immutable",
		"Cross-Origin-Resource-Policy": "cross-origin", "X-Content-Type-Options": "nosniff", "Set-Cookie": "",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if n := w.Body.Len(); w.Code != http.StatusOK || n > 4<<10 || n < 500 {
		t.Errorf("%d, %d bytes", w.Code, n)
	}
	languages, err := filepath.Glob("page/words/*.json")
	if err != nil || len(languages) == 0 {
		t.Fatal(languages, err)
	}
	for _, file := range languages {
		tag := strings.TrimSuffix(filepath.Base(file), ".json")
		if !strings.Contains(w.Body.String(), " "+tag+`: "`) {
			t.Errorf("it has no word of %q to close with", tag)
		}
	}
	// What a strict policy of the host page refuses, or what is nobody's business.
	if found := regexp.MustCompile(`innerHTML|insertAdjacent|document\.write|eval\(|new Function|cssText|setAttribute\("(style|on)|cookie|[sS]torage|fetch\(|https?:`).FindString(w.Body.String()); found != "" {
		t.Errorf("the script has %q", found)
	}
}

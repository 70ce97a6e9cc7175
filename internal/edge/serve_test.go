package edge

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/edge/pool"
)

func TestUnknownHostsNameNobody(t *testing.T) {
	s := onStage(t, stacks(), nil)
	for host, want := range map[string]int{"nobody.example": 421, "acme.example.evil": 421, "": 421, "acme.example": 200} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != want || (want == 421 && (strings.Contains(w.Body.String(), "acme") || w.Header().Get("Set-Cookie") != "")) {
			t.Errorf("%q: %d %s", host, w.Code, w.Body)
		}
	}
	b := s.browser("acme.example")
	if w := b.ask("GET", pool.Path, ""); w.Code != http.StatusNotFound {
		t.Errorf("what is between edge and instances is open to all: %d", w.Code)
	}
	if w := b.ask("TRACE", "/", ""); w.Code != http.StatusNotFound {
		t.Errorf("TRACE answered %d", w.Code)
	}
}

// P8: the log holds nothing of a person.
func TestP8AccessLog(t *testing.T) {
	s := onStage(t, stacks(), nil)
	b := s.browser("acme.example")
	for path, want := range map[string]string{
		"/l/secret-token?email=odilia@example.com": `"/l/*"`,
		"/registrations/secret-token/edit":         `"/registrations/*/edit"`,
		"/events/summer-night/register?x=secret":   `"/events/summer-night/register"`,
		"/events/Odilia%20Secret/register":         `"/events/*/register"`,
		"/api/v1/links/secret-token/decline":       `"/api/v1/links/*/decline"`,
		"/odilia@example.com":                      `"/*"`,
		"/a/b/c/d/e/f/g/h/secret":                  `"/…"`,
	} {
		s.log.Reset()
		b.ask("GET", path, "")
		_ = s.access.Flush()
		line := s.log.String()
		if !strings.Contains(line, want) || strings.Contains(line, "ecret") || strings.Contains(line, "dilia") || strings.Contains(line, "192.0.2") {
			t.Errorf("%s is logged as %s", path, line)
		}
	}
	if line := s.log.String(); !strings.Contains(line, `"status":200`) || !strings.Contains(line, `"org":"acme","upstream":"blue-home-`) {
		t.Errorf("a line is %s", line)
	}
}

func TestToHTTPS(t *testing.T) {
	s := onStage(t, stacks(), nil)
	for _, c := range []struct {
		port, host, want string
		status           int
	}{
		{"8443", "acme.example:8080", "https://acme.example:8443/l/x?y=z", 308},
		{"443", "ACME.example", "https://acme.example/l/x?y=z", 308},
		{"443", "evil.example", "", 421},
	} {
		r := httptest.NewRequest("GET", "/l/x?y=z", nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		s.ToHTTPS(c.port).ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("Location") != c.want {
			t.Errorf("%s: %d %s", c.host, w.Code, w.Header().Get("Location"))
		}
	}
}

// Browsers are told to keep to HTTPS, whoever answers, but not under certificates
// for development: their names are served without it on other days.
func TestKeepingToHTTPS(t *testing.T) {
	for trial, want := range map[bool]string{false: "max-age=31536000", true: ""} {
		s := onStage(t, stacks(), func(o *Options) {
			o.Trial, o.Trusted = trial, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		})
		for _, host := range []string{"acme.example", "nobody.example"} {
			w := s.browser(host).ask("GET", "/", "", "X-Forwarded-Proto", "https", "X-Forwarded-For", "198.51.100.9")
			if got := w.Header().Get("Strict-Transport-Security"); got != want {
				t.Errorf("trial %v, %s: %d with %q, want %q", trial, host, w.Code, got, want)
			}
		}
	}
}

// An offer to speak HTTP/2 instead is declined by an answer, nothing is lost by it.
func TestOtherUpgradesAreDeclined(t *testing.T) {
	s := onStage(t, stacks(), nil)
	b := s.browser("acme.example")
	offer := []string{"Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "HTTP2-Settings", "AAEAAEAAAAIAAAAB"}
	if w := b.ask("GET", "/", "", offer...); w.Code != http.StatusOK || b.set != 1 {
		t.Errorf("a page is answered %d with %d cookies", w.Code, b.set)
	}
	w := b.ask("POST", "/api/v1/x", `{"a":1}`, append(offer, "Idempotency-Key", "k")...)
	if w.Code != http.StatusOK {
		t.Errorf("a program is answered %d", w.Code)
	}
	for _, in := range s.instances {
		for i, r := range in.Requests() {
			if r.Header.Get("Upgrade") != "" || (r.Method == "POST" && in.Bodies()[i] != `{"a":1}`) {
				t.Errorf("an instance was sent %s %v %q", r.Method, r.Header, in.Bodies()[i])
			}
		}
	}
}

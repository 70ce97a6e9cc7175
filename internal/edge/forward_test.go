package edge

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/edge/edgetest"
	"github.com/turnout-events/turnout/internal/edge/routing"
)

// pair is an edge before one instance that loses replies and one that is well.
func pair(t *testing.T) (s *stage, lossy, well *edgetest.Instance) {
	t.Helper()
	plan := routing.Plan{
		Stacks: []routing.Stack{{Name: "blue", Pools: []routing.Pool{
			{Region: "home", Upstreams: []routing.Upstream{{Name: "lossy"}}}, {Region: "away", Upstreams: []routing.Upstream{{Name: "well"}}},
		}}},
		Orgs: []routing.Org{{ID: "acme", Hosts: []string{"acme.example"}}},
	}
	s = onStage(t, plan, nil)
	lossy, well = s.instances["lossy"], s.instances["well"]
	lossy.Will(edgetest.Lose)
	return s, lossy, well
}

// P1: nobody is refused by one instance while another may be registering them. Whoever
// says 500 is done with it, so that the next one's answer is the last word.
func TestP1RefusedOnlyForCertain(t *testing.T) {
	says := func(status int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	form, key := []string{"Content-Type", "application/x-www-form-urlencoded"}, []string{"Idempotency-Key", "k", "Content-Type", "application/json"}
	const filled, url = "name=n&key=abc", `{"site":"https://site.example/?page=1&revision=3"}`
	for name, c := range map[string]struct {
		first   func(http.ResponseWriter, *http.Request)
		second  int
		path    string
		body    string
		headers []string
		unknown bool
	}{
		"a form whose answer was lost":        {edgetest.Lose, 409, "/events/x/register", filled, form, true},
		"a form that a gateway gave up":       {says(504), 409, "/events/x/register", filled, form, true},
		"one of an event not yet known":       {edgetest.Lose, 404, "/events/x/register", filled, form, true},
		"one with values not yet allowed":     {edgetest.Lose, 422, "/events/x/register", filled, form, true},
		"one refused since nothing is well":   {edgetest.Lose, 503, "/events/x/register", filled, form, true},
		"a program whose answer was lost":     {edgetest.Lose, 409, "/api/v1/events/x/registrations", "{}", key, true},
		"a program that writes of a revision": {edgetest.Lose, 409, "/api/v1/events/x/registrations", url, key, true},
		"a form that failed":                  {says(500), 409, "/events/x/register", filled, form, false},
		"a form that was taken":               {edgetest.Lose, 303, "/events/x/register", filled, form, false},
		"an edit whose answer was lost":       {edgetest.Lose, 409, "/registrations/x/edit", "key=abc&revision=3", form, false},
		"a form that was refused at once":     {says(409), 409, "/events/x/register", filled, form, false},
		"a form that nobody else was given":   {nil, 409, "/events/x/register", filled, form, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, lossy, well := pair(t)
			if lossy.Will(c.first); c.first == nil {
				lossy.Close() // nobody listens, so that nothing was sent
			}
			well.Will(says(c.second))
			visitor := s.browser("acme.example")
			w := visitor.ask("POST", c.path, c.body, c.headers...)
			if !c.unknown {
				if w.Code != c.second {
					t.Errorf("it was answered %d, want %d", w.Code, c.second)
				}
				return
			}
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "25" || !strings.Contains(w.Body.String(), "done once") {
				t.Errorf("it was answered %d, Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
			}
			if program := strings.HasPrefix(c.path, "/api/"); program != strings.Contains(w.Body.String(), `"code":"unknown_outcome"`) {
				t.Errorf("it was told %s", w.Body)
			}
			if program := c.headers[0] != "Content-Type"; program && len(w.Result().Cookies()) != 0 {
				t.Errorf("a program got cookies: %v", w.Result().Cookies())
			}
			lossy.Will(says(500))
			if c.headers[0] == "Content-Type" { // a session stays with whom it came to
				if w := visitor.ask("POST", c.path, c.body, c.headers...); w.Code != c.second || lossy.Seen() != 1 {
					t.Errorf("sent again it was answered %d, want %d; the one that lost it was asked %d times", w.Code, c.second, lossy.Seen())
				}
			}
		})
	}
}

// P1: of a change that was sent and never answered nobody says that nothing was done.
func TestP1LostChangesAreNotDenied(t *testing.T) {
	for method, unknown := range map[string]bool{"GET": false, "PATCH": true, "DELETE": true, "PUT": true} {
		s, _, well := pair(t)
		well.Will(edgetest.Lose)
		w := s.browser("acme.example").ask(method, "/api/v1/registrations/x", "{}")
		if got := strings.Contains(w.Body.String(), `"code":"unknown_outcome"`); w.Code != http.StatusServiceUnavailable || got != unknown {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
}

// P1, P10: what may be sent twice is, when its reply is lost; nothing else.
func TestP10Replays(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		replayed           bool
	}{
		"a read":                     {"GET", "/", "", nil, true},
		"a look":                     {"HEAD", "/", "", nil, true},
		"a form with its key":        {"POST", "/events/x/register", "name=n&key=abc", []string{"Content-Type", form}, true},
		"an edit with its revision":  {"POST", "/registrations/x/edit", "revision=3", []string{"Content-Type", form + "; charset=utf-8"}, true},
		"a field that ends so":       {"POST", "/events/x/register", "monkey=abc&apikey=1", []string{"Content-Type", form}, false},
		"a form without a key":       {"POST", "/events/x/register", "name=n&key=", []string{"Content-Type", form}, false},
		"a program with its key":     {"POST", "/api/v1/x", "{}", []string{"Idempotency-Key", "k", "Content-Type", "application/json"}, true},
		"a program without":          {"POST", "/api/v1/x", "{}", []string{"Content-Type", "application/json"}, false},
		"a hook":                     {"POST", "/hooks/salesforce", "{}", nil, true},
		"a change of what is there":  {"PUT", "/api/v1/registrations/x", "{}", nil, true},
		"an addition to it":          {"PATCH", "/api/v1/registrations/x", "{}", nil, false},
		"a removal":                  {"DELETE", "/api/v1/registrations/x", "", nil, false},
		"a key in another's clothes": {"POST", "/x", "key=abc", []string{"Content-Type", "text/plain"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, lossy, well := pair(t)
			w := s.browser("acme.example").ask(c.method, c.path, c.body, c.headers...)
			if lossy.Seen() != 1 || well.Seen() != map[bool]int{true: 1}[c.replayed] {
				t.Errorf("it was sent %d and %d times", lossy.Seen(), well.Seen())
			}
			if ok := w.Code == http.StatusOK; ok != c.replayed {
				t.Errorf("it was answered %d", w.Code)
			}
			if c.replayed && (well.Bodies()[0] != c.body || lossy.Bodies()[0] != c.body) {
				t.Errorf("sent %q and %q", lossy.Bodies(), well.Bodies())
			}
		})
	}
}

// What nobody can have seen is sent on, whatever it is.
func TestP10UnsentIsSentOn(t *testing.T) {
	for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
		s, lossy, well := pair(t)
		lossy.CloseClientConnections()
		lossy.Close()
		if w := s.browser("acme.example").ask(method, "/", "x"); w.Code != http.StatusOK || well.Seen() != 1 {
			t.Errorf("%s was answered %d", method, w.Code)
		}
	}
}

// A small answer that broke off is had from another instance. Of a large one the
// first part may be with the visitor, who has to see that it broke off.
func TestBrokenAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		size     int
		replayed bool
	}{"small": {mostFetched, true}, "large": {mostFetched + 1, false}} {
		t.Run(name, func(t *testing.T) {
			s, lossy, well := pair(t)
			lossy.Will(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(c.size))
				_, _ = io.WriteString(w, strings.Repeat("x", 1000))
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			})
			req, _ := http.NewRequest("GET", s.server.URL, nil)
			req.Host = "acme.example"
			resp, err := http.DefaultClient.Do(req)
			var text []byte
			if err == nil {
				defer resp.Body.Close()
				text, err = io.ReadAll(resp.Body)
			}
			if c.replayed && (err != nil || string(text) != "well") {
				t.Errorf("got %d bytes, %v", len(text), err)
			}
			if !c.replayed && (err == nil || well.Seen() != 0) {
				t.Errorf("a broken answer reads as whole, or was asked for %d times elsewhere", well.Seen())
			}
		})
	}
}

// What fails everywhere is not multiplied: the budget bounds what is sent twice.
func TestRetriesAreBounded(t *testing.T) {
	s, lossy, well := pair(t)
	well.Will(edgetest.Lose)
	const n = 2000
	for range n {
		r := httptest.NewRequest("GET", "http://acme.example/", nil)
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	if twice := lossy.Seen() + well.Seen() - n; twice > n*4/10 {
		t.Errorf("of %d requests %d were sent again", n, twice)
	}
}

// An answer that says that the instance failed is an answer.
func TestFailuresPassThrough(t *testing.T) {
	s, lossy, well := pair(t)
	lossy.Will(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no space", http.StatusServiceUnavailable) })
	w := s.browser("acme.example").ask("POST", "/", "x")
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != "no space\n" || well.Seen() != 0 {
		t.Errorf("answered %d %q", w.Code, w.Body)
	}
}

// P10: what one instance fails another is asked, once, where that is safe; what
// everybody fails is answered as it is.
func TestP10FailuresAreAskedElsewhere(t *testing.T) {
	failing := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusInternalServerError) }
	for name, c := range map[string]struct {
		method, body string
		headers      []string
		want         string
	}{
		"a read":               {"GET", "", nil, "well"},
		"something with a key": {"POST", "{}", []string{"Idempotency-Key", "k"}, "well"},
		"something without":    {"POST", "{}", nil, "broken\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s, lossy, well := pair(t)
			lossy.Will(failing)
			b := s.browser("acme.example")
			if got := b.ask(c.method, "/api/v1/x", c.body, c.headers...).Body.String(); got != c.want {
				t.Errorf("answered %q", got)
			}
			if n := s.Status().Orgs[0].Moved; n != 0 {
				t.Errorf("%d sessions moved for one failure", n)
			}
			well.Will(failing)
			before := lossy.Seen() + well.Seen()
			if w := b.ask(c.method, "/api/v1/x", c.body, c.headers...); w.Code != http.StatusInternalServerError || lossy.Seen()+well.Seen()-before > 2 {
				t.Errorf("when all fail it is answered %d after %d tries", w.Code, lossy.Seen()+well.Seen()-before)
			}
		})
	}
}

// P6, P10: whom an instance failed goes on with the one that did better, and does
// not go back; where all fail alike, nobody moves.
func TestP6AFailureMovesASessionOnce(t *testing.T) {
	failing := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusInternalServerError) }
	s, lossy, well := pair(t)
	b := s.browser("acme.example")
	lossy.Will(nil)
	b.ask("GET", "/", "")
	home, other := lossy, well
	if lossy.Seen() == 0 {
		home, other = well, lossy
	}
	moved := func() int64 { return s.Status().Orgs[0].Moved }
	home.Will(failing)
	other.Will(failing)
	if w := b.ask("GET", "/", ""); w.Code != http.StatusInternalServerError || moved() != 0 {
		t.Errorf("where all fail it is answered %d, and %d moved", w.Code, moved())
	}
	other.Will(nil)
	for range 2 {
		if w := b.ask("GET", "/", ""); w.Code != http.StatusOK || moved() != 1 {
			t.Errorf("answered %d, and %d moved", w.Code, moved())
		}
	}
	before := home.Seen()
	home.Will(nil)
	for range 20 {
		b.ask("GET", "/", "")
	}
	if home.Seen() != before || moved() != 1 {
		t.Errorf("it went back: %d requests, %d moved", home.Seen()-before, moved())
	}
}

// What an upstream is told of the visitor is the edge's word.
func TestForwardedHeaders(t *testing.T) {
	s, lossy, _ := pair(t)
	lossy.Will(nil)
	s.browser("acme.example").ask("GET", "/a%2Fb?q=1", "", "X-Forwarded-For", "6.6.6.6", "X-Forwarded-Host", "evil", "X-Forwarded-Proto", "https", "Forwarded", "for=6.6.6.6", "Connection", "X-Hop", "X-Hop", "1")
	got := lossy.Last()
	want := map[string]string{"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "acme.example", "X-Forwarded-Proto": "http", "Forwarded": "", "X-Hop": ""}
	for name, value := range want {
		if strings.Join(got.Header.Values(name), "|") != value {
			t.Errorf("%s: %q, want %q", name, got.Header.Values(name), value)
		}
	}
	if got.Host != "acme.example" || got.URL.RequestURI() != "/a%2Fb?q=1" {
		t.Errorf("asked %s for %s", got.Host, got.URL.RequestURI())
	}
}

package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api"
	"github.com/turnout-events/turnout/internal/api/problem"
)

const (
	registrations = "/api/v1/events/summit/registrations"
	ada           = `{"first_name":"Ada","last_name":"Example","email":"ada@example.com"}`
)

func TestRegister(t *testing.T) {
	d := newDesk()
	w := send(d.handler(t), "POST", registrations, `{"first_name":"Ada","last_name":"Example","email":"ada@example.com","title":"Dr","company":"Example Ltd",
		"ticket":"std","agenda":["lunch"],"guests":[{"first_name":"Bo","last_name":"Example"}],"form_version":"f1","join_waitlist":true,"link":"link-token-1",
		"answers":{"diet":["vegan",true],"age":36.50,"first":false,"none":null,"empty":[]}}`, `Idempotency-Key: "Order-1"`)
	if w.Code != 201 || w.Header().Get("Location") != "/api/v1/registrations/"+ownToken {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	s := d.taken
	if s.Key != "order-1" || s.FormVersion != "f1" || !s.JoinWaitlist || s.Link.IsZero() || s.Invite == nil || s.Person.Company != "Example Ltd" || len(s.Guests) != 1 || s.Agenda[0] != "lunch" {
		t.Errorf("taken as %+v", s)
	}
	if want := (turnout.Answers{"diet": {"vegan", "yes"}, "age": {"36.50"}, "first": {"no"}}); !equal(s.Answers, want) {
		t.Errorf("answers %v, want %v", s.Answers, want)
	}
	got := read(t, w)
	if got["page"] != "https://events.example.com/registrations/"+ownToken || got["status"] != "registered" || got["state"] != "delivered" || got["key"] != "order-1" {
		t.Errorf("answer %v", got)
	}
	if _, ok := got["answers"].(map[string]any)["diet"].([]any); !ok {
		t.Errorf("answers %v", got["answers"])
	}
	if h := w.Header(); !strings.Contains(h.Get("Cache-Control"), "no-store") || !strings.Contains(h.Get("X-Robots-Tag"), "noindex") || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("headers %v", h)
	}
	if strings.Contains(w.Body.String(), "a02") {
		t.Error("the record behind the link is shown")
	}
}

func equal(a, b turnout.Answers) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// P1: a retry is answered with the first registration.
func TestP1RepeatIsAnswered200(t *testing.T) {
	d := newDesk()
	d.repeat = true
	w := send(d.handler(t), "POST", registrations, ada, "Idempotency-Key: order-1")
	if w.Code != 200 || w.Header().Get("Location") == "" || read(t, w)["repeat"] != true {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestRegistrationsThatAreNotTaken(t *testing.T) {
	key := "Idempotency-Key: order-1"
	tests := []struct {
		name, path, body string
		headers          []string
		want             int
		code, says       string
	}{
		{"no key", registrations, ada, nil, 400, "malformed", "Idempotency-Key"},
		{"bad key", registrations, ada, []string{"Idempotency-Key: a b"}, 400, "malformed", "letters"},
		{"no such event", "/api/v1/events/nothing/registrations", ada, []string{key}, 404, "not_found", ""},
		{"unknown field", registrations, `{"first_name":"Ada","emial":"ada@example.com"}`, []string{key}, 422, "invalid", `"field":"emial"`},
		{"field in other case", registrations, `{"First_Name":"Ada"}`, []string{key}, 422, "invalid", "Known are first_name"},
		{"unknown field inside", registrations, `{"guests":[{"name":"Ada"}]}`, []string{key}, 422, "invalid", "Known are first_name, last_name"},
		{"field twice", registrations, `{"email":"a@example.com","email":"b@example.com"}`, []string{key}, 422, "invalid", "once"},
		{"wrong kind", registrations, `{"guests":"Ada"}`, []string{key}, 422, "invalid", "#/guests"},
		{"wrong kind inside", registrations, `{"guests":[{"last_name":7}]}`, []string{key}, 422, "invalid", "guests.0.last_name"},
		{"object as answer", registrations, `{"answers":{"diet":{"a":1}}}`, []string{key}, 422, "invalid", "answers.diet"},
		{"list in list", registrations, `{"answers":{"diet":[["a"]]}}`, []string{key}, 422, "invalid", "answers.diet"},
		{"not an object", registrations, `["Ada"]`, []string{key}, 422, "invalid", "an object"},
		{"broken JSON", registrations, `{"first_name":"Ada"`, []string{key}, 400, "malformed", ""},
		{"broken JSON after an unknown name", registrations, `{"a":`, []string{key}, 400, "malformed", ""},
		{"broken JSON after a wrong kind", registrations, `{"guests":"Ada"`, []string{key}, 400, "malformed", ""},
		{"no key and no name", registrations, `{"email":"ada@example.com"}`, nil, 400, "malformed", `"field":"last_name"`},
		{"two values", registrations, ada + ada, []string{key}, 400, "malformed", ""},
		{"broken UTF-8", registrations, "{\"first_name\":\"\xff\"}", []string{key}, 400, "malformed", "UTF-8"},
		{"a form", registrations, "first_name=Ada", []string{key, "Content-Type: application/x-www-form-urlencoded"}, 415, "malformed", "application/json"},
		{"latin-1", registrations, ada, []string{key, "Content-Type: application/json; charset=latin1"}, 415, "malformed", ""},
		{"too large", registrations, `{"first_name":"` + strings.Repeat("x", 64<<10) + `"}`, []string{key}, 413, "too_large", "65536"},
		{"unknown link", registrations, `{"link":"nobody-knows"}`, []string{key}, 422, "invalid", `"field":"link"`},
		{"another event's link", registrations, `{"link":"other-event-1"}`, []string{key}, 422, "invalid", "another event"},
		{"unknown host", registrations, ada, []string{key, "Host: nobody.example.com"}, 421, "not_found", ""},
		{"another site's page", registrations, ada, []string{key, "Sec-Fetch-Site: cross-site"}, 403, "forbidden", ""},
		{"wrong method", "/api/v1/events", ada, nil, 405, "malformed", ""},
		{"no such address", "/api/v2/events", ada, nil, 404, "not_found", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := newDesk()
			w := send(d.handler(t), "POST", test.path, test.body, test.headers...)
			if w.Code != test.want || read(t, w)["code"] != test.code || !strings.Contains(w.Body.String(), test.says) {
				t.Errorf("%d, want %d %s: %s", w.Code, test.want, test.code, w.Body)
			}
			if w.Header().Get("Content-Type") != "application/problem+json" || len(d.calls) > 0 {
				t.Errorf("%v %v", w.Header(), d.calls)
			}
		})
	}
}

func TestRefusalsOfIntake(t *testing.T) {
	for _, code := range []turnout.Code{
		turnout.CodeInvalid, turnout.CodeStale, turnout.CodeFull, turnout.CodeClosed, turnout.CodeConflict, turnout.CodeReused, turnout.CodeThrottled,
		turnout.CodeUnavailable, turnout.CodeUnknown, turnout.CodeNoSpace, turnout.CodeForgotten, turnout.CodeInternal,
	} {
		d := newDesk()
		d.fails = &turnout.Error{Code: code, Op: "accept", Fields: []turnout.FieldError{{Field: "email", Message: "Enter it"}}}
		w := send(d.handler(t), "POST", registrations, ada, "Idempotency-Key: order-1")
		if w.Code != problem.Status(code) || read(t, w)["code"] != string(code) || read(t, w)["errors"] == nil {
			t.Errorf("%s: %d %s", code, w.Code, w.Body)
		}
		if waits := w.Code == 503 || w.Code == 429; waits != (w.Header().Get("Retry-After") == "60") {
			t.Errorf("%s: Retry-After %q", code, w.Header().Get("Retry-After"))
		}
		if d.log.Len() > 0 != (code == turnout.CodeInternal) {
			t.Errorf("%s: log %q", code, d.log.String())
		}
	}
}

// P8: whatever is wrong, nothing that was sent comes back or gets into a log.
func TestP8ProblemsAndLogsHoldNothingPersonal(t *testing.T) {
	secret := "zz-personal"
	for _, body := range []string{
		`{"first_name":["zz-personal"]}`, `{"email":{"x":"zz-personal"}}`, `{"join_waitlist":"zz-personal"}`, `{"first_name":"zz-personal`,
		`{"answers":{"diet":{"x":"zz-personal"}}}`, `{"link":"zz-personal"}`, `{"first_name":"zz-personal","first_name":"zz-personal"}`,
		`{"email":"zz-personal@example.com","ticket":"zz-personal"}`,
	} {
		d := newDesk()
		d.fails = turnout.Wrap(turnout.CodeInternal, "accept", errors.New("disk"))
		h := d.handler(t)
		w := send(h, "POST", registrations, body, "Idempotency-Key: order-1")
		if all := w.Body.String() + d.log.String(); w.Code < 400 || strings.Contains(all, secret) {
			t.Errorf("%s: %d %s", body, w.Code, all)
		}
	}
	d := newDesk()
	d.fails = turnout.Wrap(turnout.CodeInternal, "open", errors.New("disk"))
	w := send(d.handler(t), "GET", "/api/v1/registrations/"+ownToken, "")
	if w.Code != 500 || d.log.Len() == 0 || strings.Contains(d.log.String(), ownToken) {
		t.Errorf("%d %s", w.Code, d.log.String())
	}
}

func TestEvents(t *testing.T) {
	d := newDesk()
	h := d.handler(t)
	list := send(h, "GET", "/api/v1/events", "")
	one := send(h, "GET", "/api/v1/events/summit", "")
	if list.Code != 200 || one.Code != 200 {
		t.Fatalf("%d %d", list.Code, one.Code)
	}
	first := read(t, list)["events"].([]any)[0].(map[string]any)
	if first["seats_left"] != 10.0 || first["phase"] != "open" || first["page"] != "https://events.example.com/events/summit" ||
		first["image"] != "https://events.example.com/media/0123456789abcdef0123456789abcdef-1200.jpg" {
		t.Errorf("%v", first)
	}
	got := read(t, one)
	tickets := got["tickets"].([]any)
	if tickets[0].(map[string]any)["seats_left"] != 0.0 || tickets[1].(map[string]any)["seats_left"] != 10.0 || got["form"].(map[string]any)["version"] != "f1" {
		t.Errorf("%v", got)
	}
	for _, hidden := range []string{"meet.example.com", "Diet__c", "cdn.example.com"} {
		if strings.Contains(one.Body.String(), hidden) {
			t.Errorf("%s is public", hidden)
		}
	}
	again := send(h, "GET", "/api/v1/events/summit", "", "If-None-Match: "+one.Header().Get("ETag"))
	if again.Code != 304 || again.Body.Len() > 0 {
		t.Errorf("%d %s", again.Code, again.Body)
	}
	if w := send(h, "GET", "/api/v1/events/nothing", ""); w.Code != 404 {
		t.Error(w.Code)
	}
}

func TestOwnRegistration(t *testing.T) {
	own := "/api/v1/registrations/" + ownToken
	change := `{"first_name":"Ada","last_name":"Sample","email":"ADA@example.com","ticket":"vip","revision":3}`
	tests := []struct {
		method, path, body string
		headers            []string
		want               int
		calls              []string
	}{
		{"GET", own, "", nil, 200, nil},
		{"HEAD", own, "", nil, 200, nil},
		{"GET", "/api/v1/registrations/guess", "", nil, 404, nil},
		{"PUT", own, change, nil, 200, []string{"edit"}},
		{"PUT", own, strings.Replace(change, `"revision":3`, `"revision":0`, 1), nil, 422, nil},
		{"PUT", own, strings.Replace(change, "ADA@", "bo@", 1), nil, 422, nil},
		{"PUT", own, strings.Replace(change, "ticket", "link", 1), nil, 422, nil},
		{"PUT", "/api/v1/registrations/guess", change, nil, 404, nil},
		{"POST", own + "/cancel", "", nil, 200, []string{"cancel"}},
		{"POST", own + "/cancel", "{}", nil, 200, []string{"cancel"}},
		{"POST", own + "/cancel", "", []string{"Content-Type: application/json"}, 200, []string{"cancel"}},
		{"POST", own + "/cancel", "", []string{"Content-Type: application/json", "Transfer-Encoding: chunked"}, 200, []string{"cancel"}},
		{"POST", own + "/cancel", "[", []string{"Content-Type: application/json"}, 400, nil},
		{"POST", own + "/cancel", "x=1", []string{"Content-Type: application/x-www-form-urlencoded"}, 415, nil},
		{"POST", own + "/cancel", "", []string{"Origin: https://evil.example.org"}, 403, nil},
		{"DELETE", own, "", nil, 405, nil},
	}
	for _, test := range tests {
		d := newDesk()
		w := send(d.handler(t), test.method, test.path, test.body, test.headers...)
		if w.Code != test.want || !slices.Equal(d.calls, test.calls) {
			t.Errorf("%s %s %s: %d, want %d; calls %v: %s", test.method, test.path, test.body, w.Code, test.want, d.calls, w.Body)
		}
		if w.Code == 200 && !strings.Contains(w.Header().Get("Cache-Control"), "no-store") {
			t.Errorf("%s is kept: %v", test.path, w.Header())
		}
		if len(d.calls) == 1 && d.calls[0] == "edit" && (d.from != 3 || d.changed.Person.Email != "ada@example.com" || d.changed.Invite == nil || d.changed.Ticket != "vip") {
			t.Errorf("changed to %+v", d.changed)
		}
	}
}

func TestRegistrationOfAnEventThatIsDown(t *testing.T) {
	d := newDesk()
	d.view.Registration.Event = "gone"
	h := d.handler(t)
	if w := send(h, "GET", "/api/v1/registrations/"+ownToken, ""); w.Code != 200 || read(t, w)["event"] != nil || read(t, w)["can_cancel"] != false {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := send(h, "POST", "/api/v1/registrations/"+ownToken+"/cancel", ""); w.Code != 409 || len(d.calls) > 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestLinks(t *testing.T) {
	d := newDesk()
	h := d.handler(t)
	w := send(h, "GET", "/api/v1/links/"+linkToken, "")
	if got := read(t, w); w.Code != 200 || got["registration"] != nil || got["person"].(map[string]any)["company"] != "Example Ltd" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	d.answered = true
	if got := read(t, send(h, "GET", "/api/v1/links/"+linkToken, "")); got["registration"].(map[string]any)["token"] != ownToken {
		t.Errorf("%v", got)
	}
	for _, token := range []string{"x", "nobody-knows", "other-event-1"} {
		if w := send(h, "GET", "/api/v1/links/"+token, ""); w.Code != 404 {
			t.Errorf("%s: %d", token, w.Code)
		}
	}
	if len(d.calls) > 0 {
		t.Errorf("P12: a GET called %v", d.calls)
	}
	if w := send(h, "POST", "/api/v1/links/"+linkToken+"/decline", ""); w.Code != 200 || !d.taken.Key.Valid() || read(t, w)["status"] != "declined" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if send(h, "POST", "/api/v1/links/"+linkToken+"/decline", "", "Idempotency-Key: mine"); d.taken.Key != "mine" {
		t.Error(d.taken.Key)
	}
}

func TestLockedEmailIsTakenFromTheLink(t *testing.T) {
	d := newDesk()
	locked := *summit
	locked.LockEmail = true
	d.entry.Event = &locked
	send(d.handler(t), "POST", registrations, `{"first_name":"Ada","last_name":"Example","link":"`+linkToken+`"}`, "Idempotency-Key: order-1")
	if d.taken.Person.Email != "ada@example.com" {
		t.Errorf("%+v", d.taken.Person)
	}
}

func TestOpenAPIListsEveryRoute(t *testing.T) {
	w := send(newDesk().handler(t), "GET", "/api/openapi.json", "")
	doc := read(t, w)
	if w.Code != 200 || doc["openapi"] != "3.1.0" {
		t.Fatalf("%d %v", w.Code, doc["openapi"])
	}
	paths := doc["paths"].(map[string]any)
	for _, route := range []string{
		"get /api/v1/events", "get /api/v1/events/{slug}", "post /api/v1/events/{slug}/registrations", "get /api/v1/registrations/{token}",
		"put /api/v1/registrations/{token}", "post /api/v1/registrations/{token}/cancel", "get /api/v1/links/{token}",
		"post /api/v1/links/{token}/decline", "post /hooks/salesforce",
	} {
		method, path, _ := strings.Cut(route, " ")
		item, _ := paths[path].(map[string]any)
		if item[method] == nil {
			t.Errorf("%s is missing", route)
		}
	}
	references(t, doc, doc)
}

// references checks that every $ref of a document leads somewhere.
func references(t *testing.T, doc map[string]any, node any) {
	switch node := node.(type) {
	case map[string]any:
		if ref, ok := node["$ref"].(string); ok {
			at := any(doc)
			for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
				at = at.(map[string]any)[name]
			}
			if at == nil {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		for _, child := range node {
			references(t, doc, child)
		}
	case []any:
		for _, child := range node {
			references(t, doc, child)
		}
	}
}

// A body that does not arrive does not hold a connection for ever.
func TestSlowBodies(t *testing.T) {
	d := newDesk()
	a, err := api.New(api.Options{Catalog: d, Links: d, Intake: d, Secrets: d, Hints: d, ReadTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.Handler())
	defer server.Close()
	body, stop := newStuck()
	defer stop()
	r, err := http.NewRequest(http.MethodPost, server.URL+registrations, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "events.example.com"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "order-1")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Error(resp.Status)
	}
}

// stuck is a body that begins and never ends.
type stuck struct {
	begun bool
	over  chan struct{}
}

func newStuck() (*stuck, func()) {
	s := &stuck{over: make(chan struct{})}
	return s, func() { close(s.over) }
}

func (s *stuck) Read(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		return copy(p, `{"first_name":`), nil
	}
	<-s.over
	return 0, errors.New("stopped")
}

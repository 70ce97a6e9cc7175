package smoke

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/turnout-events/turnout/internal/load/browse"
	"github.com/turnout-events/turnout/internal/load/form"
)

const nobody = "nobody-has-this-token-0123456789"

var asJSON = map[string][]string{"Content-Type": {"application/json"}}

// public asks for what is there without any event, and for what is not there.
func (s *smoke) public(ctx context.Context) {
	var assets []string
	for _, c := range []check{
		{method: "GET", route: "/", path: "/", statuses: is(200), holds: "<h1>", then: func(p browse.Page) { assets = s.assets(p) }},
		{method: "GET", route: "/events", path: "/events", statuses: is(308)},
		{method: "GET", route: "/events/", path: "/events/", statuses: is(308)},
		{method: "GET", route: "/registrations/TOKEN/", path: "/registrations/" + nobody + "/", statuses: is(308)},
		{method: "GET", route: "/robots.txt", path: "/robots.txt", statuses: is(200), holds: "Disallow"},
		{method: "GET", route: "/favicon.ico", path: "/favicon.ico", statuses: is(200)},
		{method: "GET", route: "/embed.js", path: "/embed.js", statuses: is(200)},
		{method: "GET", route: "/api/openapi.json", path: "/api/openapi.json", statuses: is(200), holds: `"openapi"`},
		{method: "GET", route: "/api/v1/events", path: "/api/v1/events", statuses: is(200), holds: `"events"`},
		{method: "GET", route: "/l/TOKEN, unknown", path: "/l/" + nobody, statuses: is(404)},
		{method: "GET", route: "/registrations/TOKEN, unknown", path: "/registrations/" + nobody, statuses: is(404)},
		{method: "GET", route: "/events/SLUG, unknown", path: "/events/nobody-has-this-slug", statuses: is(404)},
		{method: "GET", route: "/api/v1/events/SLUG, unknown", path: "/api/v1/events/nobody-has-this-slug", statuses: is(404), holds: `"code"`},
		{method: "GET", route: "a path that is none", path: "/nothing-is-here", statuses: is(404)},
		{method: "DELETE", route: "/", path: "/", statuses: is(405)},
		// Unsigned: it must be refused.
		{method: "POST", route: "/hooks/salesforce, unsigned", path: "/hooks/salesforce", body: `{"type":"event.updated","ids":["a00000000000001AAA"]}`, fields: asJSON, statuses: is(401)},
	} {
		s.ask(ctx, c)
	}
	for _, path := range assets {
		s.ask(ctx, check{method: "GET", route: "/assets/NAME", path: path, statuses: is(200)})
	}
}

// assets are the addresses of a page's styles and scripts.
func (s *smoke) assets(p browse.Page) (all []string) {
	for _, link := range form.Links(p.Body, 40) {
		if path, ok := s.browser.Resolve("/", link); ok && strings.HasPrefix(path, "/assets/") {
			all = append(all, path)
		}
	}
	return all
}

// slug is the event to look at: the one to register for, or else the first of the list.
func (s *smoke) slug(ctx context.Context) (slug string) {
	if s.Event != "" {
		return s.Event
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	page, err := s.browser.Get(limited, "/api/v1/events", true)
	var list struct {
		Events []struct {
			Slug string `json:"slug"`
		} `json:"events"`
	}
	if err != nil || json.Unmarshal([]byte(page.Body), &list) != nil || len(list.Events) == 0 {
		s.notes = append(s.notes, "There is no event to look at.")
		return ""
	}
	return list.Events[0].Slug
}

// event asks for an event's pages and, where that is allowed, registers for it.
func (s *smoke) event(ctx context.Context, slug string) {
	path := "/events/" + slug
	var shown browse.Page
	s.ask(ctx, check{method: "GET", route: "/events/SLUG", path: path, statuses: is(200), holds: "<h1"})
	s.ask(ctx, check{method: "GET", route: "/events/SLUG/", path: path + "/", statuses: is(308)})
	s.ask(ctx, check{method: "GET", route: "/events/SLUG.ics", path: path + ".ics", statuses: is(200), holds: "BEGIN:VCALENDAR"})
	s.ask(ctx, check{method: "GET", route: "/api/v1/events/SLUG", path: "/api/v1" + path, statuses: is(200), holds: `"form"`})
	ok := s.ask(ctx, check{method: "GET", route: "/events/SLUG/register", path: path + "/register", statuses: is(200), then: func(p browse.Page) { shown = p }})
	s.ask(ctx, check{method: "POST", route: "/events/SLUG/leave", path: path + "/leave", statuses: is(303)})
	if s.Event == "" {
		s.notes = append(s.notes, "Nothing was registered: name a test event with --event, which takes a registration that is cancelled again.")
		return
	}
	if ok {
		s.register(ctx, shown, "/events/SLUG/register")
	}
	s.registerByAPI(ctx, slug)
}

// register sends a form, changes what was registered, and cancels it.
func (s *smoke) register(ctx context.Context, shown browse.Page, route string) {
	f, ok := form.Cut(shown.Body)
	if !ok {
		s.notes = append(s.notes, "The page of "+route+" has no form to send: is the event open?")
		return
	}
	action, _ := s.browser.Resolve(shown.Path, f.Action)
	own := ""
	s.ask(ctx, check{method: "POST", route: route, path: action, body: s.fill(f), statuses: is(303), then: func(p browse.Page) { own = s.own(p) }})
	if own == "" {
		return
	}
	s.made++
	s.ask(ctx, check{method: "GET", route: "/registrations/TOKEN", path: own, statuses: is(200), holds: `class="banner`})
	s.ask(ctx, check{method: "GET", route: "/registrations/TOKEN.ics", path: own + ".ics", statuses: is(200), holds: "BEGIN:VCALENDAR"})
	for _, what := range []string{"edit", "cancel"} {
		s.amend(ctx, own, what)
	}
	s.ask(ctx, check{method: "GET", route: "/registrations/TOKEN, cancelled", path: own, statuses: is(200), holds: `class="banner off"`})
}

// own is the page of a registration that was made, "" where it leads elsewhere.
func (s *smoke) own(p browse.Page) string {
	to, ok := s.browser.Resolve(p.Path, p.Location)
	if !ok || !strings.HasPrefix(to, "/registrations/") {
		return ""
	}
	return to
}

// amend opens the form to change or to cancel a registration, and sends it.
func (s *smoke) amend(ctx context.Context, own, what string) {
	route := "/registrations/TOKEN/" + what
	var f form.Form
	var ok bool
	s.ask(ctx, check{method: "GET", route: route, path: own + "/" + what, statuses: is(200), holds: "<form", then: func(p browse.Page) { f, ok = form.Cut(p.Body) }})
	if !ok {
		return
	}
	to, _ := s.browser.Resolve(own+"/"+what, f.Action)
	s.ask(ctx, check{method: "POST", route: route, path: to, body: s.fill(f) + "&", statuses: is(303)})
}

func (s *smoke) email() string { return fmt.Sprintf("smoke.%s@example.com", s.Stamp) }

func (s *smoke) fill(f form.Form) string {
	return f.Encode(form.Filling{Text: func(name string) string {
		switch name {
		case "first_name":
			return "Smoke"
		case "last_name":
			return "Test"
		case "email":
			return s.email()
		}
		return "made up by turnout load smoke"
	}})
}

// registerByAPI registers, shows, changes and cancels by the JSON API, if the event
// asks for nothing that a program would have to know.
func (s *smoke) registerByAPI(ctx context.Context, slug string) {
	fields := map[string][]string{"Content-Type": {"application/json"}, "Idempotency-Key": {"smoke-" + s.Stamp}}
	var made struct {
		Token    string `json:"token"`
		Revision int64  `json:"revision"`
	}
	s.ask(ctx, check{
		method: "POST", route: "/api/v1/events/SLUG/registrations", path: "/api/v1/events/" + slug + "/registrations", body: s.person("Test", 0), fields: fields,
		// An event may ask more than this knows to answer; then it says so.
		statuses: is(http.StatusCreated, http.StatusUnprocessableEntity),
		then:     func(p browse.Page) { _ = json.Unmarshal([]byte(p.Body), &made) },
	})
	if made.Token == "" {
		return
	}
	s.made++
	own := "/api/v1/registrations/" + made.Token
	s.ask(ctx, check{method: "GET", route: "/api/v1/registrations/TOKEN", path: own, statuses: is(200), holds: `"status":"registered"`})
	s.ask(ctx, check{method: "PUT", route: "/api/v1/registrations/TOKEN", path: own, body: s.person("Changed", made.Revision), fields: asJSON, statuses: is(200), holds: `"last_name":"Changed"`})
	s.ask(ctx, check{method: "POST", route: "/api/v1/registrations/TOKEN/cancel", path: own + "/cancel", fields: asJSON, statuses: is(200), holds: `"cancelled"`})
}

// person is who is made up, as JSON; a change says which revision it changes.
func (s *smoke) person(lastName string, revision int64) string {
	text, _ := json.Marshal(struct {
		FirstName string `json:"first_name"`
		LastName  string `json:"last_name"`
		Email     string `json:"email"`
		Revision  int64  `json:"revision,omitempty"`
	}{"Smoke", lastName, "api." + s.email(), revision}) // strings and numbers always marshal
	return string(text)
}

// link opens a personal link and, where that is allowed, answers it.
func (s *smoke) link(ctx context.Context) {
	var shown browse.Page
	ok := s.ask(ctx, check{method: "GET", route: "/l/TOKEN", path: s.Link, statuses: is(200), then: func(p browse.Page) { shown = p }})
	s.ask(ctx, check{method: "GET", route: "/l/TOKEN/", path: s.Link + "/", statuses: is(308)})
	inAPI := "/api/v1/links/" + strings.TrimPrefix(s.Link, "/l/")
	s.ask(ctx, check{method: "GET", route: "/api/v1/links/TOKEN", path: inAPI, statuses: is(200)})
	if !s.Answer {
		return
	}
	if ok {
		s.register(ctx, shown, "/l/TOKEN")
	}
	if s.ask(ctx, check{method: "POST", route: "/api/v1/links/TOKEN/decline", path: inAPI + "/decline", fields: asJSON, statuses: is(200), holds: `"declined"`}) {
		s.made++
	}
}

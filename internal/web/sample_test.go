package web_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/web"
	"github.com/turnout-events/turnout/internal/web/page"
)

const (
	forgottenToken = "forgotten-token"
	graceToken     = "grace-0123456789"
	lockedToken    = "locked-0123456789"
	overToken      = "over-0123456789"
	closedToken    = "closed-0123456789"
	fullToken      = "full-0123456789"
)

var noon = time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC)

var grace = turnout.Person{FirstName: "Grace", LastName: "Example", Email: "grace@example.com", Title: "Head of Programmes", Company: "Example Foundation"}

func ptr[T any](v T) *T { return &v }

// gala is an event with everything that an event can have.
func gala() *turnout.Event {
	day := time.Date(2027, 3, 18, 9, 0, 0, 0, time.FixedZone("CET", 3600))
	at := func(h, m int) time.Time { return day.Add(time.Duration(h-9)*time.Hour + time.Duration(m)*time.Minute) }
	return &turnout.Event{
		ID: "a01000000000001AAA", Slug: "spring-forum", Version: "7", Title: "Spring Forum 2027: Cities that listen",
		Summary: "One day on how cities plan with the people who live in them, with twelve talks, three workshops and an evening by the river.",
		Body: `<p>Every spring, planners, mayors and residents meet for a day of plain talk. This year asks one question: <strong>what changes when a city listens first?</strong></p>
<p>You hear from teams who rebuilt a school street in six weeks, moved a tram line after a winter of kitchen-table talks, and stopped a tower because four hundred people said why.</p>
<ul><li>Talks in the morning, workshops after lunch</li><li>Lunch and coffee are included</li><li>All rooms are reachable without steps; there is a hearing loop in the main hall</li></ul>`,
		Organizer: "Example Foundation", Starts: day, Ends: at(18, 30), Zone: "Europe/Vienna", Language: "en",
		Venue: "Riverside Hall", Address: "Quay 7, 1020 Vienna", Accent: "#0b6e4f", Picture: forumPicture(),
		Closes: at(9, 0).Add(-48 * time.Hour), Seats: 240, Waitlist: true, MaxGuests: 3, OncePerPerson: true,
		Tickets: []turnout.Ticket{
			{ID: "standard", Name: "Standard", About: "Talks, workshops and lunch", Seats: turnout.Unlimited},
			{ID: "student", Name: "Student", About: "With a student card at the door", Seats: 40},
			{ID: "evening", Name: "Evening only", About: "From 17:00, by the river", Seats: 60},
		},
		Agenda: []turnout.AgendaItem{
			{ID: "open", Name: "Opening: the street that asked", Room: "Main hall", Starts: at(9, 30), Ends: at(10, 30), Seats: turnout.Unlimited},
			{ID: "maps", Name: "Workshop: maps that residents draw", About: "Bring a place you know well.", Room: "Room 2", Starts: at(13, 0), Ends: at(14, 30), Seats: 30},
			{ID: "budget", Name: "Workshop: a budget in one evening", About: "We plan a park with real figures.", Room: "Room 4", Starts: at(13, 0), Ends: at(14, 30), Seats: 24},
			{ID: "river", Name: "Evening by the river", Room: "Terrace", Starts: at(17, 0), Ends: at(18, 30), Seats: turnout.Unlimited},
		},
		Form: turnout.Form{Version: "f3", Title: turnout.AskOptional, Company: turnout.AskRequired, Questions: []turnout.Question{
			{ID: "diet", Label: "What do you eat?", Kind: turnout.KindChoice, Choices: []string{"Everything", "Vegetarian", "Vegan", "Something else"}, Required: true},
			{ID: "diet_other", Label: "What should the kitchen know?", Kind: turnout.KindText, Required: true, ShowIf: &turnout.Condition{Question: "diet", Values: []string{"Something else"}}},
			{ID: "topics", Label: "Which topics matter to you?", Kind: turnout.KindChoices, Choices: []string{"Streets", "Parks", "Housing", "Schools"}},
			{ID: "train", Label: "Do you come by train?", Help: "We arrange a cheaper fare.", Kind: turnout.KindYesNo},
			{ID: "years", Label: "Years in your field", Kind: turnout.KindNumber, Min: ptr(0.0), Max: ptr(80.0)},
			{ID: "arrive", Label: "Day of arrival", Kind: turnout.KindDate},
			{ID: "phone", Label: "Mobile number", Help: "Only for changes on the day.", Kind: turnout.KindPhone},
			{ID: "note", Label: "Anything else we should know?", Kind: turnout.KindLongText, MaxLength: 500},
		}},
	}
}

func galaSeats() turnout.Seatings {
	return turnout.Seatings{
		turnout.PoolEvent:             {Pool: turnout.PoolEvent, Limit: 240, Taken: 203},
		turnout.PoolTicket("student"): {Pool: turnout.PoolTicket("student"), Limit: 40, Taken: 40},
		turnout.PoolTicket("evening"): {Pool: turnout.PoolTicket("evening"), Limit: 60, Taken: 12},
		turnout.PoolAgenda("maps"):    {Pool: turnout.PoolAgenda("maps"), Limit: 30, Taken: 26},
		turnout.PoolAgenda("budget"):  {Pool: turnout.PoolAgenda("budget"), Limit: 24, Taken: 24},
	}
}

// talk is a small event on the web with a locked e-mail address.
func talk() *turnout.Event {
	start := time.Date(2027, 2, 24, 16, 0, 0, 0, time.UTC)
	return &turnout.Event{
		ID: "a01000000000002AAA", Slug: "member-briefing", Version: "1", Title: "Members’ briefing: the year in numbers",
		Summary: "Forty minutes of figures, twenty of questions.", Organizer: "Example Foundation",
		Starts: start, Ends: start.Add(time.Hour), Zone: "America/New_York", Online: true, JoinURL: "https://meet.example.org/briefing",
		Accent: "#ffd166", Seats: turnout.Unlimited, LockEmail: true,
		Tickets: []turnout.Ticket{{ID: "seat", Name: "Online seat", Seats: turnout.Unlimited}},
		Form:    turnout.Form{Version: "f1", Title: turnout.AskHidden, Company: turnout.AskHidden},
	}
}

// full is an event without a place left, with a waitlist if wait.
func full(wait bool) (*turnout.Event, turnout.Seatings) {
	e := talk()
	e.ID, e.Slug, e.Title, e.Waitlist = "a01000000000003AAA", "dinner", "Founders’ dinner", wait
	e.Starts, e.Ends, e.Online, e.JoinURL, e.Venue = e.Starts.AddDate(0, 2, 0), time.Time{}, false, "", "The Old Mill"
	e.Seats, e.Accent, e.LockEmail, e.Zone = 12, "", false, "Europe/London"
	return e, turnout.Seatings{turnout.PoolEvent: {Pool: turnout.PoolEvent, Limit: 12, Taken: 12}}
}

// over is an event of the past.
func over() *turnout.Event {
	e := talk()
	e.ID, e.Slug, e.Title = "a01000000000004AAA", "last-year", "Last year’s meeting"
	e.Starts, e.Ends = noon.AddDate(-1, 0, 0), noon.AddDate(-1, 0, 0).Add(time.Hour)
	return e
}

// closed is an event to come that takes no registrations any more.
func closed() *turnout.Event {
	e := talk()
	e.ID, e.Slug, e.Title, e.Private = "a01000000000006AAA", "walk", "Members’ walk", true
	e.Closes = noon.Add(-time.Hour)
	return e
}

// site is the pages over fakes.
type site struct {
	catalog *fakeCatalog
	links   fakeLinks
	intake  *fakeIntake
	log     *bytes.Buffer
	now     time.Time
	handler http.Handler
}

func newSite(t testing.TB) *site {
	t.Helper()
	return newSiteWith(t, web.Options{})
}

// newSiteWith adds what o says of sessions.
func newSiteWith(t testing.TB, o web.Options) *site {
	t.Helper()
	s := &site{now: noon, log: &bytes.Buffer{}}
	clock := func() time.Time { return s.now }
	pages, err := web.NewRenderer(page.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	org := &turnout.Org{ID: "acme", Name: "Example Foundation", Hosts: []string{"events.example.org"}}
	s.catalog, s.intake = &fakeCatalog{pages: pages, org: org}, &fakeIntake{now: clock}
	s.catalog.publish(t, talk(), nil)
	s.catalog.publish(t, gala(), galaSeats())
	e, seats := full(true)
	s.catalog.publish(t, e, seats)
	past := over()
	past.Private = true
	s.catalog.publish(t, past, nil)
	s.catalog.publish(t, closed(), nil)
	s.links = fakeLinks{
		graceToken:  link(1, "a01000000000001AAA"),
		lockedToken: link(2, "a01000000000002AAA"),
		overToken:   link(3, "a01000000000004AAA"),
		closedToken: link(4, "a01000000000006AAA"),
		fullToken:   link(5, "a01000000000003AAA"),
	}
	w, err := web.New(web.Options{
		Sessions: o.Sessions, Stack: o.Stack, Catalog: s.catalog, Links: s.links, Intake: s.intake, Pictures: fakePictures{}, Pages: pages, Now: clock,
		Logger: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.handler = w.Handler()
	return s
}

func link(n byte, event turnout.EventID) catalog.Link {
	return catalog.Link{
		AttendeeLink: turnout.AttendeeLink{ID: turnout.LinkID{n}, Org: "acme", Event: event, Person: turnout.PersonID{n}},
		Invite:       turnout.Invite{Person: grace, Record: "a02000000000001AAA"},
	}
}

func (s *site) do(r *http.Request) *httptest.ResponseRecorder {
	if r.Host == "example.com" { // httptest's own
		r.Host = "events.example.org"
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func (s *site) get(path string) *httptest.ResponseRecorder {
	return s.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func (s *site) post(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(r)
}

// filledForm is a form for gala that breaks no rule.
func filledForm() url.Values {
	return url.Values{
		"key": {string(turnout.NewKey(noon))}, "form": {"f3"}, "first_name": {"Ada"}, "last_name": {"Sample"},
		"email": {"ada@example.com"}, "company": {"Sample Works"}, "title": {"Engineer"}, "ticket": {"standard"},
		"agenda": {"open", "maps"}, "answers.diet": {"Vegan"}, "answers.topics": {"Streets", "Parks"}, "answers.train": {"yes"},
		"guests.0.first_name": {""}, "guests.0.last_name": {""}, "guests.1.first_name": {"Bo"}, "guests.1.last_name": {"Sample"},
	}
}

// register sends filledForm and returns the path of the registration.
func (s *site) register(t testing.TB, form url.Values) string {
	t.Helper()
	w := s.post("/events/spring-forum/register", form)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("register: %d\n%s", w.Code, w.Body)
	}
	return w.Header().Get("Location")
}

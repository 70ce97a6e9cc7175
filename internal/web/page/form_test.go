package page_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/web/page"
)

var noon = time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC)

// allPages are the pages in every language, as of now.
func allPages(t testing.TB, now time.Time) *page.Pages {
	t.Helper()
	p, err := page.New(page.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newPages are the pages in English at noon.
func newPages(t testing.TB) *page.Edition {
	t.Helper()
	return allPages(t, noon).Of(org, nil)
}

var org = &turnout.Org{ID: "acme", Name: "Example Foundation", Hosts: []string{"events.example.org"}}

func event() *turnout.Event {
	return &turnout.Event{
		ID: "a01000000000001AAA", Slug: "open-day", Version: "1", Title: "Open day", Starts: noon.AddDate(0, 1, 0), Zone: "Europe/Vienna",
		Seats: 10, MaxGuests: 2, Accent: "#0b6e4f", Tickets: []turnout.Ticket{{ID: "a", Name: "A", Seats: 5}, {ID: "b", Name: "B", Seats: turnout.Unlimited}},
		Agenda: []turnout.AgendaItem{{ID: "x", Name: "X", Seats: 3}},
		Form: turnout.Form{Version: "f1", Questions: []turnout.Question{
			{ID: "q", Label: "Q", Kind: turnout.KindYesNo},
			{ID: "r", Label: "R", Kind: turnout.KindText, ShowIf: &turnout.Condition{Question: "q", Values: []string{"yes"}}},
		}},
	}
}

// variants are the shapes that a form has without any fault.
func variants() map[string]struct {
	event *turnout.Event
	seats turnout.Seatings
} {
	type variant = struct {
		event *turnout.Event
		seats turnout.Seatings
	}
	locked, hidden, waiting, plain, foreign := event(), event(), event(), event(), event()
	foreign.Language, foreign.Opens = "de-AT", noon.AddDate(0, 0, -1)
	locked.LockEmail = true
	hidden.Form.Title, hidden.Form.Company = turnout.AskHidden, turnout.AskHidden
	waiting.Waitlist = true
	plain.Tickets, plain.Agenda, plain.MaxGuests = plain.Tickets[:1], nil, 0
	full := turnout.Seatings{turnout.PoolEvent: {Pool: turnout.PoolEvent, Limit: 10, Taken: 10}}
	return map[string]variant{
		"open": {event(), nil}, "locked": {locked, nil}, "hidden": {hidden, nil}, "waiting": {waiting, full}, "full": {event(), full}, "plain": {plain, nil}, "foreign": {foreign, nil},
	}
}

func hostile() []string {
	return []string{"", "Ada", `"><script>alert(1)</script>`, "' autofocus onfocus='x", "a&amp;b+c", "\x00\xff", "{{.Key}}", "日本 🎟", "</textarea>"}
}

func compare(t *testing.T, p *page.Edition, e *turnout.Event, seats turnout.Seatings, s page.FormState) {
	t.Helper()
	template, err := p.Form(org, e, seats)
	if err != nil {
		t.Fatal(err)
	}
	values := p.FormValues(e, seats, s)
	got := template.AppendTo(nil, values[:]...)
	want, err := p.FormPage(org, e, seats, s)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("the cut form differs from the full rendering\ngot:\n%s\nwant:\n%s", got, want)
	}
}

// TestCutFormEqualsFullRendering holds the promise that lets the hot path do
// without html/template.
func TestCutFormEqualsFullRendering(t *testing.T) {
	p := newPages(t)
	for name, v := range variants() {
		t.Run(name, func(t *testing.T) {
			for i, h := range hostile() {
				person := turnout.Person{FirstName: h, LastName: hostile()[(i+1)%9], Email: hostile()[(i+2)%9], Title: h, Company: h}
				for _, invited := range []bool{false, true} {
					compare(t, p, v.event, v.seats, page.FormState{Key: "k", Invited: invited, Invitee: person.Name(), Details: turnout.Details{Person: person}})
				}
			}
		})
	}
}

func FuzzCutFormEqualsFullRendering(f *testing.F) {
	for _, h := range hostile() {
		f.Add(h, h, h, h, h, true)
	}
	p := newPages(f)
	e := event()
	e.LockEmail = true
	f.Fuzz(func(t *testing.T, first, last, email, title, company string, invited bool) {
		person := turnout.Person{FirstName: first, LastName: last, Email: email, Title: title, Company: company}
		compare(t, p, e, nil, page.FormState{Key: "k", Invited: invited, Invitee: person.Name(), Details: turnout.Details{Person: person}})
	})
}

func TestFormOfALink(t *testing.T) {
	p, e := newPages(t), event()
	e.LockEmail = true
	person := turnout.Person{FirstName: "Grace", LastName: "Example", Email: "grace@example.com"}
	draw := func(s page.FormState) string {
		html, err := p.FormPage(org, e, nil, s)
		if err != nil {
			t.Fatal(err)
		}
		return string(html)
	}
	public := draw(page.FormState{Key: "k"})
	if strings.Contains(public, "readonly") || strings.Contains(public, `value="decline"`) {
		t.Error("a public form has a locked address or a decline button")
	}
	link := draw(page.FormState{Key: "k", Invited: true, Invitee: "Grace Hopper", Details: turnout.Details{Person: person}})
	for _, want := range []string{`value="grace@example.com"`, " readonly", `name="action" value="decline"`, "This invitation is for Grace Hopper"} {
		if !strings.Contains(link, want) {
			t.Errorf("a link's form lacks %q", want)
		}
	}
}

// An organiser's own word is on the buttons to register, in its language, and nowhere else.
func TestAButtonSaysWhatItsOrganiserWants(t *testing.T) {
	p, e := newPages(t), event()
	e.Button, e.Language, e.Waitlist = "Místo <pro mě>", "cs", true
	draw := func(seats turnout.Seatings, s page.FormState) string {
		form, err := p.FormPage(org, e, seats, s)
		if err != nil {
			t.Fatal(err)
		}
		about, err := p.Event(org, e, seats)
		if err != nil {
			t.Fatal(err)
		}
		return string(form) + string(about.HTML)
	}
	if html := draw(nil, page.FormState{Key: "k"}); strings.Count(html, ` lang="cs">Místo &lt;pro mě&gt;</`) != 2 || strings.Contains(html, ">Register</a>") || strings.Contains(html, ">Register</button>") {
		t.Errorf("the buttons say otherwise:\n%s", html)
	}
	full := turnout.Seatings{turnout.PoolEvent: {Limit: 10, Taken: 10}}
	if html := draw(full, page.FormState{Key: "k"}); strings.Contains(html, "Místo") || !strings.Contains(html, "Join the waitlist</button>") {
		t.Errorf("the waitlist's button says otherwise:\n%s", html)
	}
	if html := draw(full, page.FormState{Key: "k", Revision: 1}); strings.Contains(html, "Místo") || !strings.Contains(html, "Save changes</button>") {
		t.Errorf("an edit's button says otherwise:\n%s", html)
	}
	e.Language, e.Button = "en", strings.Repeat("x", turnout.MaxButton+1)
	if html := draw(nil, page.FormState{Key: "k"}); strings.Contains(html, ` lang=">`) {
		t.Error("words in the page's own language are marked as foreign")
	}
	if err := e.Validate(); !strings.Contains(fmt.Sprint(turnout.FieldsOf(err)), "shorten what the button says to 40") {
		t.Errorf("a long word is %v", err)
	}
}

func TestTakenChoicesAreDisabledOnlyWithoutWaitlist(t *testing.T) {
	p, e := newPages(t), event()
	seats := turnout.Seatings{turnout.PoolTicket("a"): {Limit: 5, Taken: 5}, turnout.PoolAgenda("x"): {Limit: 3, Taken: 3}}
	count := func(s page.FormState) int {
		html, err := p.FormPage(org, e, seats, s)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(html), " disabled")
	}
	if n := count(page.FormState{Key: "k"}); n != 2 {
		t.Errorf("%d choices are disabled, want the taken ticket and session", n)
	}
	mine := page.FormState{Key: "k", Revision: 1, Details: turnout.Details{Ticket: "a", Agenda: []string{"x"}}}
	if n := count(mine); n != 0 {
		t.Errorf("%d choices that the registrant holds are disabled", n)
	}
	e.Waitlist = true
	if n := count(page.FormState{Key: "k"}); n != 0 {
		t.Errorf("%d choices are disabled although there is a waitlist", n)
	}
}

func benchmarkForm(b *testing.B, draw func(p *page.Edition, e *turnout.Event) func()) {
	run := draw(newPages(b), event())
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}

func state() page.FormState {
	return page.FormState{Key: turnout.NewKey(noon), Invited: true, Invitee: "Grace Example", Details: turnout.Details{Person: turnout.Person{FirstName: "Grace", LastName: "Example", Email: "grace@example.com"}}}
}

func BenchmarkFormCut(b *testing.B) {
	benchmarkForm(b, func(p *page.Edition, e *turnout.Event) func() {
		template, err := p.Form(org, e, nil)
		if err != nil {
			b.Fatal(err)
		}
		s, dst := state(), []byte(nil)
		return func() {
			values := p.FormValues(e, nil, s)
			dst = template.AppendTo(dst[:0], values[:]...)
		}
	})
}

func BenchmarkFormFull(b *testing.B) {
	benchmarkForm(b, func(p *page.Edition, e *turnout.Event) func() {
		s := state()
		return func() { _, _ = p.FormPage(org, e, nil, s) }
	})
}

// What may be left out is not marked as required: a guest who does not come, a
// question that counts only after a certain answer. A choice that must be made is.
func TestRequiredIsTrue(t *testing.T) {
	e := &turnout.Event{MaxGuests: 1, Tickets: []turnout.Ticket{{ID: "a", Name: "A", Seats: turnout.Unlimited}, {ID: "b", Name: "B", Seats: turnout.Unlimited}},
		Form: turnout.Form{Questions: []turnout.Question{
			{ID: "diet", Label: "Diet", Kind: turnout.KindChoice, Choices: []string{"Any", "Other"}, Required: true},
			{ID: "which", Label: "Which", Kind: turnout.KindText, Required: true, ShowIf: &turnout.Condition{Question: "diet", Values: []string{"Other"}}},
			{ID: "why", Label: "Why", Kind: turnout.KindLongText, Required: true},
		}}}
	html, err := newPages(t).FormPage(&turnout.Org{ID: "acme", Name: "Acme"}, e, nil, page.FormState{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"first_name": true, "company": false, "ticket": true, "guests.0.first_name": false, "answers.diet": true, "answers.which": false, "answers.why": true} {
		_, tag, found := strings.Cut(string(html), `id="`+id+`"`)
		tag, _, _ = strings.Cut(tag, ">")
		if !found || strings.Contains(tag, " required") != want {
			t.Errorf("%s: <%s>, required should be %v", id, tag, want)
		}
	}
}

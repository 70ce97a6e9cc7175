package edge

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/edgetest"
	"github.com/turnout-events/turnout/internal/edge/routing"
	"github.com/turnout-events/turnout/internal/edge/speech"
)

const form = "/events/gala/register"

// crowded is an edge whose first org lets five visitors in.
func crowded(t *testing.T, change func(*routing.Org)) *stage {
	plan := stacks()
	plan.Orgs[0].Name = "Acme & Daughters"
	plan.Orgs[0].Placement.Allowance.Sessions = 5
	if change != nil {
		change(&plan.Orgs[0])
	}
	return onStage(t, plan, nil)
}

// run lets seconds go by, with what the edge does each second.
func (s *stage) run(seconds int) {
	for range seconds {
		s.pass(time.Second)
		s.stepRooms(s.t.Context(), s.now())
	}
}

// inLine reports whether a page says that the visitor has to wait.
func (b *browser) inLine(path string) bool {
	b.s.t.Helper()
	w := b.ask("GET", path, "")
	if w.Code != http.StatusOK {
		b.s.t.Fatalf("%s answered %d %s", path, w.Code, w.Body)
	}
	line := strings.Contains(w.Body.String(), "You are in line")
	if line && (w.Header().Get("Refresh") == "" || w.Header().Get("Cache-Control") != "no-store" || (!b.has(ticketCookie) && !strings.Contains(w.Body.String(), "<b></b>"))) {
		b.s.t.Errorf("whoever waits is told %v", w.Header())
	}
	return line
}

// has reports whether the browser keeps a cookie whose name begins so.
func (b *browser) has(prefix string) bool {
	for name := range b.cookies {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// fill lets five in.
func (s *stage) fill() (in []*browser) {
	s.t.Helper()
	for range 5 {
		b := s.browser("acme.example")
		if b.inLine(form) {
			s.t.Fatal("there was room, and somebody waits")
		}
		in = append(in, b)
	}
	return in
}

// P11: beyond capacity there is a line and not an error; it moves as visitors
// leave, in order; whoever is in stays in.
func TestP11OverloadIsALine(t *testing.T) {
	s := crowded(t, nil)
	in := s.fill()
	var waiting []*browser
	for range 3 {
		b := s.browser("acme.example")
		if !b.inLine(form) {
			t.Fatal("a sixth was let in")
		}
		waiting = append(waiting, b)
	}
	for _, b := range in {
		if b.inLine(form) {
			t.Error("one who was in is sent back")
		}
	}
	if other := s.browser("umbra.example"); other.inLine(form) {
		t.Error("another org has to wait")
	}
	for i := range 8 * 60 / 5 { // four of those who are in go on, one leaves
		s.run(5)
		if i%10 == 0 {
			for _, b := range in[:4] {
				if b.inLine(form) {
					t.Fatal("one who was in is sent back")
				}
			}
		}
		if i > 70 {
			continue
		}
		for j, b := range waiting[1:] {
			if !b.inLine(form) {
				t.Fatalf("number %d was let in before the first", j+2)
			}
		}
		if !waiting[0].inLine(form) {
			return
		}
	}
	t.Error("nobody was let in, though one left")
}

// P11: nobody loses what they typed, and public pages stay readable.
func TestP11WhatNeverWaits(t *testing.T) {
	s := crowded(t, nil)
	s.fill()
	b := s.browser("acme.example")
	for _, path := range []string{"/", "/events/gala", "/events/gala.ics", "/assets/style.css", "/registrations/abc", "/registrations/abc/edit", "/api/v1/events"} {
		if b.inLine(path) {
			t.Errorf("%s waits", path)
		}
	}
	if w := b.ask("POST", form, "key=k"); strings.Contains(w.Body.String(), "in line") {
		t.Error("a form that was filled in waits")
	}
	if !b.inLine(form) {
		t.Error("the form itself does not wait")
	}
}

// P11: a personal link keeps the place on another device, and says so.
func TestP11ALinkKeepsThePlace(t *testing.T) {
	s := crowded(t, nil)
	s.fill()
	first := s.browser("acme.example")
	w := first.ask("GET", "/l/token-of-one", "")
	if !strings.Contains(w.Body.String(), "Your link keeps your place") || !strings.Contains(w.Body.String(), "<b>1</b>") {
		t.Errorf("told %s", w.Body)
	}
	for i := range 4 {
		s.browser("acme.example").ask("GET", fmt.Sprintf("/l/other-%d", i), "")
	}
	s.run(2)
	elsewhere := s.browser("acme.example")
	if w := elsewhere.ask("GET", "/l/token-of-one", ""); !strings.Contains(w.Body.String(), "<b>1</b>") {
		t.Errorf("on another device it stands elsewhere: %s", w.Body)
	}
	if w := s.browser("acme.example").ask("GET", "/l/late", ""); !strings.Contains(w.Body.String(), "<b>6</b>") {
		t.Errorf("one that came last stands at %s", w.Body)
	}
}

// P11: a rush that reads first and registers then waits all the same; whoever was
// on a form before the line, though long ago, does not.
func TestP11ReadersWait(t *testing.T) {
	s := crowded(t, nil)
	var readers []*browser
	for range 12 {
		b := s.browser("acme.example")
		b.at("/events/gala")
		readers = append(readers, b)
	}
	s.pass(3 * time.Minute)
	s.fill()
	early := s.browser("acme.example")
	s.pass(6 * time.Minute)
	if early.inLine(form) {
		t.Fatal("there was room, and somebody waits")
	}
	for range 4 {
		s.browser("acme.example").inLine(form)
	}
	for i, b := range readers {
		if !b.inLine(form) {
			t.Errorf("reader %d was let in beyond the limit", i)
		}
	}
	s.pass(6 * time.Minute)
	if early.inLine(form) {
		t.Error("one who was on a form is sent back")
	}
}

// An event may have a limit of its own; others of its org do not wait for it.
func TestP11AnEventOfItsOwn(t *testing.T) {
	s := crowded(t, func(o *routing.Org) {
		o.Placement.Allowance.Sessions = 100
		o.Placement.Events = []turnout.EventAllowance{{Slug: "gala", Sessions: 5}}
	})
	s.fill()
	b := s.browser("acme.example")
	if !b.inLine(form) {
		t.Error("the event's limit does not hold")
	}
	if b.inLine("/events/other/register") {
		t.Error("another event waits for it")
	}
}

// P11: a pass of one org, host or room is none elsewhere, and a ticket neither.
func TestP11TicketsAndPassesDoNotCross(t *testing.T) {
	s := crowded(t, func(o *routing.Org) { o.Hosts = append(o.Hosts, "two.example") })
	in := s.fill()
	b := s.browser("two.example")
	b.cookies[passCookie] = in[0].cookies[passCookie]
	b.cookies[sessionCookie] = in[0].cookies[sessionCookie]
	if !b.inLine(form) {
		t.Error("a pass of one host lets in at another")
	}
	b = s.browser("acme.example")
	b.cookies[passCookie] = in[0].cookies[sessionCookie]
	if !b.inLine(form) {
		t.Error("a session passes for a pass")
	}
}

// An address that asks for a great many places gets few.
func TestP11NoThousandPlaces(t *testing.T) {
	s := crowded(t, nil)
	s.fill()
	places := 0
	for range 1000 {
		b := s.browser("acme.example")
		switch w := b.ask("GET", form, ""); w.Code {
		case http.StatusOK:
			places++
		case http.StatusTooManyRequests:
			if w.Header().Get("Retry-After") == "" {
				t.Fatal("it is not told when to come back")
			}
		default:
			t.Fatalf("answered %d", w.Code)
		}
	}
	if places > 25 {
		t.Errorf("one address got %d places", places)
	}
}

func TestWaitsInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "too early", 20 * time.Second: "Less than a minute", 50 * time.Second: "About a minute", 61 * time.Second: "About 2 minutes",
		89 * time.Minute: "About 89 minutes", 3 * time.Hour: "About 3 hours",
	} {
		if got := about(speech.New().Of("en"), d); !strings.Contains(got, want) {
			t.Errorf("%v: %s", d, got)
		}
	}
}

// Whoever waits is spoken to in the language that their browser likes best, or in the
// org's, or in English.
func TestTheLineSpeaksTheVisitorsLanguage(t *testing.T) {
	s := crowded(t, func(o *routing.Org) { o.Language = "de-AT" })
	s.fill()
	for accepted, want := range map[string]string{"": "de", "en-GB,en;q=0.9": "en", "de": "de", "tlh": "de"} {
		w := s.browser("acme.example").ask("GET", form, "", "Accept-Language", accepted)
		if title := speech.New().Of(want).Say("line.title"); !strings.Contains(w.Body.String(), "<title>"+title) || !strings.Contains(w.Body.String(), `<html lang="`+want+`">`) {
			t.Errorf("%q is told %s", accepted, w.Body)
		}
	}
}

func TestTheLineNamesTheOrg(t *testing.T) {
	s := crowded(t, nil)
	s.fill()
	if w := s.browser("acme.example").ask("GET", form, ""); !strings.Contains(w.Body.String(), "You are in line · Acme &amp; Daughters</title>") {
		t.Errorf("told %s", w.Body)
	}
}

// A pass for one event's form is none for another's.
func TestP11APassIsForItsRoom(t *testing.T) {
	s := crowded(t, func(o *routing.Org) {
		o.Placement.Events = []turnout.EventAllowance{{Slug: "gala", Sessions: 5}, {Slug: "talk", Sessions: 1}}
	})
	s.browser("acme.example").inLine("/events/talk/register")
	b := s.browser("acme.example")
	if b.inLine(form) {
		t.Fatal("there was room at the gala")
	}
	if !b.inLine("/events/talk/register") {
		t.Error("a pass for the gala lets in to the talk")
	}
}

// Whoever was let in just when nobody answered is in when somebody does.
func TestP11LetInWhileNobodyAnswers(t *testing.T) {
	plan := routing.Plan{
		Stacks: []routing.Stack{{Name: "blue", Pools: []routing.Pool{{Region: "home", Upstreams: []routing.Upstream{{Name: "one"}}}}}},
		Orgs:   []routing.Org{{ID: "acme", Hosts: []string{"acme.example"}, Placement: turnout.Placement{Allowance: turnout.Allowance{Sessions: 1}}}},
	}
	s := onStage(t, plan, func(o *Options) { o.Patience = time.Nanosecond })
	s.instances["one"].Will(edgetest.Lose)
	b := s.browser("acme.example")
	if w := b.ask("GET", form, ""); w.Code != http.StatusServiceUnavailable {
		t.Fatalf("answered %d", w.Code)
	}
	s.instances["one"].Will(nil)
	if b.inLine(form) {
		t.Error("it has to wait behind itself")
	}
}

package edge

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/room"
	"github.com/turnout-events/turnout/internal/edge/routing"
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

// Where no limit is configured, the line begins when the instances have no place
// left, and ends when they have.
func TestP11ALimitIsLearnt(t *testing.T) {
	s := onStage(t, stacks(), nil)
	for range 3 {
		if s.browser("acme.example").inLine(form) {
			t.Fatal("somebody waits")
		}
	}
	tenant := s.view.Load().sites["acme.example"].tenant
	for range 400 { // it is this org that asks for so much
		tenant.share.Acquire(1<<20, 1)
		defer tenant.share.Release()
	}
	var full []func()
	for _, name := range []string{"blue-home-1", "blue-home-2"} {
		u := s.upstream(name)
		for u.Places.InFlight() < u.Places.Limit() {
			u.Places.Enter()
			full = append(full, func() { u.Places.Release(time.Millisecond, 0) })
		}
	}
	b := s.browser("acme.example")
	if b.inLine(form) {
		t.Error("a moment makes a line")
	}
	b = s.browser("acme.example")
	s.run(3)
	if !b.inLine(form) {
		t.Error("beyond what the instances hold nobody waits")
	}
	if s.browser("umbra.example").inLine(form) {
		t.Error("another org waits for it")
	}
	for _, release := range full {
		release()
	}
	for range 30 {
		s.run(5)
		if !b.inLine(form) {
			return
		}
	}
	t.Error("with places free again it still waits")
}

func TestWaitsInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "too early", 20 * time.Second: "Less than a minute", 50 * time.Second: "About a minute", 61 * time.Second: "About 2 minutes",
		89 * time.Minute: "About 89 minutes", 3 * time.Hour: "About 3 hours",
	} {
		if got := about(d); !strings.Contains(got, want) {
			t.Errorf("%v: %s", d, got)
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
	s.instances["one"].answer = lose
	b := s.browser("acme.example")
	if w := b.ask("GET", form, ""); w.Code != http.StatusServiceUnavailable {
		t.Fatalf("answered %d", w.Code)
	}
	s.instances["one"].will(nil)
	if b.inLine(form) {
		t.Error("it has to wait behind itself")
	}
}

// P11: an org that has taken its share of places gets a line for its forms, and
// refusals only for what never waits.
func TestP11AShareThatIsTakenIsALine(t *testing.T) {
	plan := stacks()
	plan.Orgs[0].Placement.Allowance.Share = 0.01
	s := onStage(t, plan, nil)
	site := s.view.Load().sites["acme.example"]
	for range site.part() {
		site.tenant.share.Acquire(site.part(), 1)
	}
	b := s.browser("acme.example")
	if !b.inLine(form) {
		t.Error("a form is not waited for")
	}
	if w := b.ask("GET", "/api/v1/events", ""); w.Code != http.StatusTooManyRequests {
		t.Errorf("a program is answered %d", w.Code)
	}
	for range site.part() {
		site.tenant.share.Release()
	}
	s.run(1)
	for range 60 {
		if s.run(1); !b.inLine(form) {
			return
		}
	}
	t.Error("with places free again it still waits")
}

// An outage makes no line: who comes then is waited with, and afterwards all is
// as it was.
func TestP11AnOutageMakesNoLine(t *testing.T) {
	s := onStage(t, stacks(), func(o *Options) { o.Patience = time.Nanosecond })
	for _, u := range s.view.Load().upstreams {
		u.Probed(false, time.Time{}, s.now())
	}
	s.run(10)
	for range 3 {
		s.browser("acme.example").ask("GET", form, "")
	}
	for _, u := range s.view.Load().upstreams {
		for range 2 {
			u.Probed(true, time.Time{}, s.now())
		}
	}
	for range 10 {
		if s.browser("acme.example").inLine(form) {
			t.Fatal("somebody waits")
		}
	}
}

// Scanners fill no room, and one pass in many hands counts once a minute.
func TestP11WhoIsCounted(t *testing.T) {
	s := crowded(t, func(o *routing.Org) { o.Placement.Allowance.Sessions = 300 })
	lobby := s.view.Load().sites["acme.example"].lobbies[""]
	for range 400 {
		b := s.browser("acme.example")
		b.ask("HEAD", "/l/made-up", "")
		b.ask("GET", "/l/made-up", "")
	}
	if n := lobby.in.count(s.now()); n > 50 {
		t.Errorf("one address that keeps nothing counts as %d", n)
	}
	b := s.browser("acme.example")
	b.inLine(form)
	s.pass(2 * time.Minute)
	old := b.cookies
	before := lobby.in.count(s.now())
	for range 60 {
		stale := &browser{s: s, host: b.host, cookies: map[string]string{}}
		for name, value := range old {
			stale.cookies[name] = value
		}
		stale.inLine(form)
	}
	if n := lobby.in.count(s.now()) - before; n > 1 {
		t.Errorf("one pass counts %d times", n)
	}
}

// P11: being in one event's form and looking at another's disturb each other not.
func TestP11TwoRoomsAtOnce(t *testing.T) {
	s := crowded(t, func(o *routing.Org) {
		o.Placement.Events = []turnout.EventAllowance{{Slug: "gala", Sessions: 5}, {Slug: "talk", Sessions: 5}}
	})
	s.fill()
	b := s.browser("acme.example")
	for range 3 {
		s.browser("acme.example").inLine(form)
	}
	place := func() string {
		_, rest, _ := strings.Cut(b.ask("GET", form, "").Body.String(), "<b>")
		n, _, _ := strings.Cut(rest, "<")
		return n
	}
	first := place()
	for range 2 {
		if b.inLine("/events/talk/register") {
			t.Error("there is room at the talk")
		}
	}
	if again := place(); again != first || first != "4" {
		t.Errorf("the place at the gala went from %s to %s", first, again)
	}
	if b.inLine("/events/talk/register") {
		t.Error("sent back from the talk")
	}
}

// P11: where edges share a line, one that has just started does not let anybody
// past it.
func TestP11AnotherEdgeKnowsTheLine(t *testing.T) {
	shelf := room.NewMemoryLedger()
	plan := stacks()
	plan.Orgs[0].Placement.Allowance.Sessions = 5
	s := onStage(t, plan, func(o *Options) { o.Ledger, o.Name = shelf, "one" })
	s.fill()
	if !s.browser("acme.example").inLine(form) {
		t.Fatal("there is no line")
	}
	s.run(2)
	o := s.o
	o.Name = "two"
	other := &stage{Edge: New(o, s.Table()), t: t, instances: s.instances, at: s.now()}
	other.o.Now = other.now
	other.Edge.now = other.now
	for range 5 {
		if !other.browser("acme.example").inLine(form) {
			t.Error("another edge lets somebody past the line")
		}
	}
}

// P7, P11: where there are as many rooms as may be, other orgs' limits hold all the
// same, and the log says it once.
func TestP11LimitsHoldWithoutARoom(t *testing.T) {
	var log bytes.Buffer
	plan := stacks()
	plan.Orgs[0].Placement.Allowance.Sessions = 5
	s := onStage(t, plan, func(o *Options) {
		o.Ledger, o.Logger = room.NewMemoryLedger(), slog.New(slog.NewTextHandler(&log, nil))
	})
	s.lines.rooms.Store(mostRooms)
	var in []*browser
	for range 40 {
		if b := s.browser("acme.example"); !b.inLine(form) {
			in = append(in, b)
		}
	}
	if len(in) != 5 {
		t.Fatalf("%d were let in where 5 have room", len(in))
	}
	if in[0].inLine(form) {
		t.Error("who is in is sent back")
	}
	s.stepRooms(t.Context(), s.now())
	if n := strings.Count(log.String(), "cannot be made"); n != 1 {
		t.Errorf("it is said %d times:\n%s", n, &log)
	}
	if s.browser("acme.example").inLine(form); s.lobby("").room.Load() == nil {
		t.Error("when there is room for a room, it is made")
	}
}

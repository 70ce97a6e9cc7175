package edge

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/room"
	"github.com/turnout-events/turnout/internal/edge/routing"
)

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
	if n := lobby.in.Count(s.now()); n > 50 {
		t.Errorf("one address that keeps nothing counts as %d", n)
	}
	b := s.browser("acme.example")
	b.inLine(form)
	s.pass(2 * time.Minute)
	old := b.cookies
	before := lobby.in.Count(s.now())
	for range 60 {
		stale := &browser{s: s, host: b.host, cookies: map[string]string{}}
		for name, value := range old {
			stale.cookies[name] = value
		}
		stale.inLine(form)
	}
	if n := lobby.in.Count(s.now()) - before; n > 1 {
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

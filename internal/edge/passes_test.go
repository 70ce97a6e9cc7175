package edge

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/room"
	"github.com/turnout-events/turnout/internal/edge/routing"
)

// everywhere has all instances answer like this.
func (s *stage) everywhere(answer func(w http.ResponseWriter, r *http.Request)) {
	for _, in := range s.instances {
		in.Will(answer)
	}
}

// asked is how many requests reached an instance.
func (s *stage) asked() (n int) {
	for _, in := range s.instances {
		n += in.Seen()
	}
	return n
}

func (s *stage) lobby(slug string) *lobby { return s.view.Load().sites["acme.example"].lobbies[slug] }

// P11: whoever found no form keeps no place: at once where there is none, when
// they come back where they were sent elsewhere, within a minute where nobody was
// well. Who is let in and found nobody well is not sent back.
func TestP11WhoFindsNoFormKeepsNoPlace(t *testing.T) {
	for status, want := range map[int]struct {
		in     int // that moment
		passes bool
	}{
		http.StatusOK: {3, true}, http.StatusNotModified: {3, true}, http.StatusFound: {0, true}, http.StatusNotFound: {0, false},
		http.StatusGone: {0, false}, http.StatusTooManyRequests: {3, true}, http.StatusServiceUnavailable: {3, true},
	} {
		s := crowded(t, nil)
		s.everywhere(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		s.pass(30 * time.Second) // in the middle of a minute
		var all []*browser
		for i := range 3 {
			b := s.browser("acme.example")
			if w := b.ask("GET", fmt.Sprint("/l/made-up-", i), ""); w.Code != status {
				t.Fatalf("answered %d", w.Code)
			}
			all = append(all, b)
		}
		in := s.lobby("").in.Count(s.now())
		if in != want.in || all[0].has(passCookie) != want.passes {
			t.Errorf("%d: %d are in, a pass was given: %v", status, in, all[0].has(passCookie))
		}
		s.pass(time.Minute)
		if well := status < 400 && in > 0; (s.lobby("").in.Count(s.now()) > 0) != well {
			t.Errorf("%d: a minute later %d are in", status, s.lobby("").in.Count(s.now()))
		}
		s.everywhere(nil)
		for i := 0; !s.browser("acme.example").inLine(form); i++ {
			if i > 5 {
				t.Fatal("more are let in than may be")
			}
		}
		if got := all[0].inLine("/l/made-up-0"); got != !want.passes {
			t.Errorf("%d: coming back they wait: %v", status, got)
		}
	}
}

// P11: a burst at the very first moment lets in as many as may be.
func TestP11ABurstDoesNotOvershoot(t *testing.T) {
	for _, shared := range []bool{false, true} {
		plan := stacks()
		plan.Orgs[0].Placement.Allowance.Sessions = 5
		s := onStage(t, plan, func(o *Options) {
			if shared {
				o.Ledger = room.NewMemoryLedger()
			}
		})
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() { s.browser("acme.example").ask("GET", form, "") })
		}
		all.Wait()
		if n := s.asked(); n != 5 {
			t.Errorf("%d of 64 were let in where 5 have room", n)
		}
	}
}

// P11: an edge that was started again lets in nobody beyond what the pool holds,
// though it has seen none of those who are in; nor does one that takes over from
// another. As they leave, others get in.
func TestP11AnEdgeThatWasStartedAgain(t *testing.T) {
	plan := stacks()
	plan.Orgs[0].Placement.Allowance.Sessions = 5
	s := onStage(t, plan, func(o *Options) { o.Ledger, o.Name = room.NewMemoryLedger(), "one" })
	in := s.fill()
	s.run(2)
	s.pass(time.Second)
	s.Edge = New(s.o, s.Table()) // under the same name
	first := s.browser("acme.example")
	if !first.inLine(form) {
		t.Error("a sixth is let in at once")
	}
	for range 20 {
		if s.run(1); !first.inLine(form) {
			t.Fatal("a sixth is let in")
		}
	}
	if n := s.lobby("").in.Count(s.now()); n != 5 {
		t.Errorf("it counts %d inside", n)
	}
	for range 7 {
		s.run(60)
		first.inLine(form)
		for _, b := range in[:4] { // the fifth is gone
			if b.inLine(form) {
				t.Fatal("one who was in is sent back")
			}
		}
	}
	if first.inLine(form) {
		t.Error("when one has left nobody is let in")
	}
	if n := s.lobby("").in.Count(s.now()); n != 5 {
		t.Errorf("in the end it counts %d inside", n)
	}
}

// linked is an edge whose org has room for plenty and whose gala has for one; an
// instance says what a link is for.
func linked(t *testing.T) *stage {
	s := crowded(t, func(o *routing.Org) {
		o.Placement.Allowance.Sessions = 100
		o.Placement.Events = []turnout.EventAllowance{{Slug: "gala", Sessions: 1}}
	})
	s.everywhere(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/l/gala") {
			w.Header().Set(eventHeader, "gala")
		}
		if strings.HasPrefix(r.URL.Path, "/l/talk") {
			w.Header().Set(eventHeader, "talk")
		}
		if strings.HasPrefix(r.URL.Path, "/l/gala-large") {
			_, _ = io.WriteString(w, strings.Repeat("a form", 20_000))
		}
		_, _ = io.WriteString(w, "a form")
	})
	return s
}

// P11: a personal link waits for its event. The edge learns from the first answer
// which that is, keeps the answer from whoever has to wait, and asks nobody while
// they do.
func TestP11ALinkGoesByItsEvent(t *testing.T) {
	s := linked(t)
	in := s.browser("acme.example")
	w := in.ask("GET", "/l/gala-1", "")
	if w.Body.String() != "a form" || w.Header().Get(eventHeader) != "" {
		t.Errorf("the first gets %v %s", w.Header(), w.Body)
	}
	if gala, org := s.lobby("gala").in.Count(s.now()), s.lobby("").in.Count(s.now()); gala != 1 || org != 0 {
		t.Errorf("%d count at the event and %d at the org", gala, org)
	}
	for _, path := range []string{"/l/gala-2", "/l/gala-large"} {
		second := s.browser("acme.example")
		w = second.ask("GET", path, "")
		if !strings.Contains(w.Body.String(), "Your link keeps your place") || strings.Contains(w.Body.String(), "a form") || second.has(passCookie) {
			t.Errorf("%s: where the event is full the next one gets %v %.300s", path, w.Header(), w.Body)
		}
	}
	before := s.asked()
	for _, b := range []*browser{s.browser("acme.example"), s.browser("acme.example")} { // other devices
		s.run(2)
		if w := b.ask("GET", "/l/gala-2", ""); !strings.Contains(w.Body.String(), "<b>1</b>") {
			t.Errorf("on another device it stands elsewhere: %s", w.Body)
		}
	}
	if n := s.asked() - before; n > 0 {
		t.Errorf("whoever waits was passed on %d times", n)
	}
	for _, path := range []string{"/l/talk-1", "/l/talk-2", "/l/none"} {
		if b := s.browser("acme.example"); b.inLine(path) || !b.has(passCookie) {
			t.Errorf("%s waits for another event", path)
		}
	}
	if w := s.browser("acme.example").ask("GET", "/l/gala-2/", ""); !strings.Contains(w.Body.String(), "<b>1</b>") {
		t.Errorf("with a slash at its end it is another link: %s", w.Body)
	}
	s.lines.links = links{} // forgotten
	s.lobby("").sessions.Store(1)
	for range 2 {
		if in.inLine("/l/gala-1") {
			t.Error("one who is in a form is sent back")
		}
	}
	s.run(5 * 60)
	if s.browser("acme.example").inLine("/l/gala-2") {
		t.Error("with a place free again the link waits")
	}
}

func TestLinksAreForgotten(t *testing.T) {
	var l links
	if l.event("acme", "t") != "" {
		t.Error("something is known before it was said")
	}
	for i := range 3 * mostLinks {
		l.learn("acme", fmt.Sprint(i), "gala")
	}
	known := 0
	for i := range 3 * mostLinks {
		if l.event("acme", fmt.Sprint(i)) == "gala" {
			known++
		}
		if l.event("umbra", fmt.Sprint(i)) != "" {
			t.Fatal("another org's link is known")
		}
	}
	if len(l.slots) != mostLinks || known > mostLinks || known < mostLinks/2 {
		t.Errorf("%d of %d are known in %d", known, 3*mostLinks, len(l.slots))
	}
}

// P11: whoever's turn is near waits for it in the request, and takes the place
// with the step that frees it; whoever has not seen their place is shown it.
func TestP11TheNextStaysForTheirTurn(t *testing.T) {
	s := crowded(t, nil)
	s.o.Stay = time.Minute
	s.fill()
	next := s.browser("acme.example")
	if !next.inLine(form) {
		t.Fatal("a sixth was let in")
	}
	answered := make(chan *httptest.ResponseRecorder)
	go func() { answered <- next.ask("GET", form, "") }()
	for s.lines.staying.Load() == 0 {
		select {
		case w := <-answered:
			t.Fatalf("they did not stay: %s", w.Body)
		default:
		}
	}
	s.run(60)
	select {
	case w := <-answered:
		t.Fatalf("with nobody gone they get %s", w.Body)
	default:
	}
	s.pass(6 * time.Minute) // all have left; the clock stands from now on
	for {
		s.stepRooms(t.Context(), s.now())
		select {
		case w := <-answered:
			if n := s.lines.staying.Load(); n != 0 || !strings.HasPrefix(w.Body.String(), "blue") {
				t.Errorf("%d stay; they get %s", n, w.Body)
			}
			return
		default:
			runtime.Gosched()
		}
	}
}

// Nobody stays for an edge that ends, and none stays who has gone.
func TestWhoStaysIsLetGo(t *testing.T) {
	for name, end := range map[string]func(s *stage, gone context.CancelFunc){
		"the edge ends":    func(s *stage, _ context.CancelFunc) { close(s.lines.ended) },
		"the visitor goes": func(_ *stage, gone context.CancelFunc) { gone() },
	} {
		s := crowded(t, nil)
		s.o.Stay = time.Minute
		s.fill()
		b := s.browser("acme.example")
		b.inLine(form)
		ctx, gone := context.WithCancel(t.Context())
		r := httptest.NewRequest("GET", "http://acme.example"+form, nil).WithContext(ctx)
		for name, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		w, done := httptest.NewRecorder(), make(chan bool)
		go func() { s.ServeHTTP(w, r); close(done) }()
		for s.lines.staying.Load() == 0 {
			select {
			case <-done:
				t.Fatalf("%s: they did not stay", name)
			default:
			}
		}
		end(s, gone)
		<-done
		gone()
		if !strings.Contains(w.Body.String(), "You are in line") {
			t.Errorf("%s: answered %s", name, w.Body)
		}
	}
}

// What an event that is no longer limited left behind goes with the routes.
func TestLobbiesGoWithTheirEvents(t *testing.T) {
	with := func(slugs ...string) routing.Plan {
		plan := stacks()
		for _, slug := range slugs {
			plan.Orgs[0].Placement.Events = append(plan.Orgs[0].Placement.Events, turnout.EventAllowance{Slug: slug, Sessions: 5})
		}
		return plan
	}
	s := onStage(t, with("gala"), nil)
	for i := range 20 {
		s.Swap(s.table(with(fmt.Sprint("event-", i))))
	}
	if n := len(s.view.Load().sites["acme.example"].tenant.lobbies); n > 3 {
		t.Errorf("%d lobbies are kept for two", n)
	}
}

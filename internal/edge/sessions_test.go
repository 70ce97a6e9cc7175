package edge

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/routing"
)

// P6: a visitor stays on one instance, told so once; visitors spread over all.
func TestP6SessionsStay(t *testing.T) {
	s := onStage(t, stacks(), nil)
	seen := map[string]bool{}
	for range 40 {
		b := s.browser("acme.example")
		first := b.at("/")
		seen[first] = true
		for range 10 {
			if got := b.at("/events/x"); got != first {
				t.Fatalf("it went from %s to %s", first, got)
			}
		}
		if b.set != 1 {
			t.Fatalf("%d cookies were set", b.set)
		}
	}
	if len(seen) != 2 || !seen["blue-home-1"] || !seen["blue-home-2"] {
		t.Errorf("visitors went to %v", seen)
	}
}

// P6: each session is tried on each other org, host and stack. It is none there.
func TestP6SessionsAreWorthlessElsewhere(t *testing.T) {
	plan := stacks()
	plan.Orgs = append(plan.Orgs, routing.Org{ID: "verd", Hosts: []string{"verd.example"}, Placement: turnout.Placement{Stack: "green"}})
	s := onStage(t, plan, nil)
	hosts := []string{"acme.example", "acme.localhost", "umbra.example", "second.example", "verd.example"}
	for _, from := range hosts {
		b := s.browser(from)
		b.at("/")
		for _, to := range hosts {
			other := &browser{s: s, host: to, cookies: map[string]string{sessionCookie: b.cookies[sessionCookie]}}
			got := other.at("/")
			if foreign := from != to; (other.set == 1) != foreign {
				t.Errorf("a session of %s on %s: a new one began: %v", from, to, other.set == 1)
			}
			if green := to == "verd.example"; strings.HasPrefix(got, "green") != green {
				t.Errorf("%s was answered by %s", to, got)
			}
		}
	}
	// A session whose org is on another stack than the one it is signed for.
	forged := s.o.Signer.Sign(affinity.Fresh(affinity.Handle("green-home-1"), noon), affinity.Binding{Org: "acme", Host: "acme.example", Stack: "green"})
	b := &browser{s: s, host: "acme.example", cookies: map[string]string{sessionCookie: forged}}
	if got := b.at("/"); !strings.HasPrefix(got, "blue") || b.set != 1 {
		t.Errorf("a session of a stack that the org was never on led to %s", got)
	}
}

// Somebody else's cookie of the same name may come first.
func TestP6OurCookieAmongOthers(t *testing.T) {
	s := onStage(t, stacks(), nil)
	b := s.browser("acme.example")
	first := b.at("/")
	mine := b.cookies[sessionCookie]
	b.cookies = nil
	for range 20 {
		w := b.ask("GET", "/", "", "Cookie", "a=b; "+sessionCookie+"=rubbish; "+sessionCookie+"="+mine+"; x")
		if w.Body.String() != first || len(w.Result().Cookies()) != 0 {
			t.Fatalf("answered by %s instead of %s", w.Body, first)
		}
	}
}

// An edge that was started again knows the sessions of the one before.
func TestP6SessionsOutliveTheEdge(t *testing.T) {
	s := onStage(t, stacks(), nil)
	b := s.browser("acme.example")
	first := b.at("/")
	s.Edge = New(s.o, s.Table())
	for range 10 {
		if got := b.at("/"); got != first || b.set != 1 {
			t.Fatalf("it went from %s to %s", first, got)
		}
	}
}

// P6: losing an instance moves its own sessions and no other's, each once, and
// nobody moves back when it is there again.
func TestP6LosingOneMovesItsOwnOnce(t *testing.T) {
	plan := stacks()
	plan.Stacks[0].Pools[0].Upstreams = append(plan.Stacks[0].Pools[0].Upstreams, routing.Upstream{Name: "blue-home-3"}, routing.Upstream{Name: "blue-home-4"})
	s := onStage(t, plan, nil)
	all, where := s.crowd(400) // a hundred of which move, by chance to one of three each
	gone := s.upstream("blue-home-2")
	for range 2 {
		gone.Probed(false, time.Time{}, s.now())
	}
	spread := map[string]bool{}
	for i, b := range all {
		got := b.at("/")
		if where[i] == "blue-home-2" {
			spread[got] = true
			where[i] = got
			if got == "blue-home-2" || b.set != 2 {
				t.Errorf("session %d is still at %s, %d cookies", i, got, b.set)
			}
		} else if got != where[i] || b.set != 1 {
			t.Errorf("session %d moved from %s to %s", i, where[i], got)
		}
	}
	if len(spread) != 3 {
		t.Errorf("those that moved went to %v", spread)
	}
	for range 3 {
		gone.Probed(true, time.Time{}, s.now())
	}
	s.pass(time.Hour)
	for i, b := range all {
		if got := b.at("/"); got != where[i] {
			t.Errorf("session %d moved back from %s to %s", i, where[i], got)
		}
	}
}

// API clients, which keep no cookies, go by their credentials.
func TestP6ProgramsGoByTheirToken(t *testing.T) {
	s := onStage(t, stacks(), nil)
	seen := map[string]bool{}
	for i := range 30 {
		b := s.browser("acme.example")
		token := fmt.Sprint("Bearer ", i)
		first := b.ask("GET", "/api/v1/events", "", "Authorization", token)
		seen[first.Body.String()] = true
		for range 5 {
			if got := b.ask("GET", "/api/v1/events", "", "Authorization", token); got.Body.String() != first.Body.String() {
				t.Fatalf("token %d went from %s to %s", i, first.Body, got.Body)
			}
		}
		if b.set != 0 {
			t.Fatal("a program was given a cookie")
		}
		link := fmt.Sprintf("/api/v1/links/token-%d", i)
		shown := b.ask("GET", link, "").Body.String()
		if declined := b.ask("POST", link+"/decline", "{}", "Idempotency-Key", fmt.Sprint(i)).Body.String(); declined != shown {
			t.Errorf("link %d is shown by %s and declined at %s", i, shown, declined)
		}
	}
	if len(seen) != 2 {
		t.Errorf("programs went to %v", seen)
	}
}

// What carries a cookie is private, and what everybody may keep carries none.
func TestCookiesAndCaches(t *testing.T) {
	s := onStage(t, stacks(), nil)
	for _, in := range s.instances {
		in.Will(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "public, no-cache")
			_, _ = io.WriteString(w, "x")
		})
	}
	b := s.browser("acme.example")
	for _, path := range []string{"/assets/style.css", "/embed.js"} {
		if w := b.ask("GET", path, ""); w.Header().Get("Set-Cookie") != "" || w.Header().Get("Cache-Control") != "public, no-cache" {
			t.Errorf("%s: %v", path, w.Header())
		}
	}
	if w := b.ask("GET", "/events/x", ""); w.Header().Get("Set-Cookie") == "" || w.Header().Get("Cache-Control") != "private, no-cache" {
		t.Errorf("a page: %v", w.Header())
	}
	if w := b.ask("GET", "/events/x", ""); w.Header().Get("Set-Cookie") != "" || w.Header().Get("Cache-Control") != "public, no-cache" {
		t.Errorf("the next page: %v", w.Header())
	}
}

// Active sessions are counted though none is remembered.
func TestActiveSessions(t *testing.T) {
	s := onStage(t, stacks(), nil)
	all, _ := s.crowd(30)
	count := func() int { return s.Status().Orgs[0].Active }
	for range 4 {
		s.pass(time.Minute)
		for _, b := range all[:20] {
			b.at("/")
			b.at("/")
		}
	}
	if n := count(); n != 30 {
		t.Errorf("%d are active, want 30", n)
	}
	s.pass(2 * time.Minute)
	if n := count(); n != 20 {
		t.Errorf("%d are active, want 20", n)
	}
	s.pass(10 * time.Minute)
	if n := count(); n != 0 {
		t.Errorf("%d are active, want none", n)
	}
}

// P6: what a browser asks for at once when its instance is gone goes to one
// other instance, whichever answer it hears first.
func TestP6ASessionMovesAsOne(t *testing.T) {
	plan := stacks()
	for i := range 6 {
		plan.Stacks[0].Pools[0].Upstreams = append(plan.Stacks[0].Pools[0].Upstreams, routing.Upstream{Name: fmt.Sprintf("more-%d", i)})
	}
	s := onStage(t, plan, nil)
	for range 20 {
		b := s.browser("acme.example")
		gone := s.upstream(b.at("/"))
		gone.Probed(false, time.Time{}, s.now())
		copies := map[string]bool{}
		for range 6 {
			same := &browser{s: s, host: b.host, cookies: map[string]string{sessionCookie: b.cookies[sessionCookie]}}
			copies[same.at("/")] = true
		}
		if len(copies) != 1 {
			t.Errorf("one session went to %v", copies)
		}
		for range 3 {
			gone.Probed(true, time.Time{}, s.now())
		}
	}
}

// Pictures do not count as visitors.
func TestPicturesAreNoVisitors(t *testing.T) {
	s := onStage(t, stacks(), nil)
	b := s.browser("acme.example")
	b.at("/")
	s.pass(90 * time.Second)
	for range 30 {
		b.ask("GET", "/assets/a.css", "")
	}
	if n := s.Status().Orgs[0].Active; n != 1 {
		t.Errorf("one visitor counts as %d", n)
	}
}

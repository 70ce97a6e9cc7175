package edge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/routing"
)

// P9: an org that moves to another stack takes its new sessions there; the old
// ones end where they began, and both ways back.
func TestP9SessionsEndOnTheirStack(t *testing.T) {
	s := onStage(t, stacks(), nil)
	old, where := s.crowd(10)
	moved := stacks()
	moved.Orgs[0].Placement.Stack = "green"
	s.Swap(s.table(moved))
	fresh, newWhere := s.crowd(10)
	check := func(when string) {
		t.Helper()
		for i := range old {
			if got := old[i].at("/"); got != where[i] || old[i].set != 1 {
				t.Errorf("%s: an old session went from %s to %s", when, where[i], got)
			}
			if got := fresh[i].at("/"); got != newWhere[i] || fresh[i].set != 1 || !strings.HasPrefix(got, "green") {
				t.Errorf("%s: a new session went from %s to %s", when, newWhere[i], got)
			}
		}
	}
	check("after the move")
	moved = stacks() // another change, of something else
	moved.Orgs[0].Placement.Stack = "green"
	moved.Orgs = append(moved.Orgs, routing.Org{ID: "new"})
	s.Swap(s.table(moved))
	check("after another change")
	for range 2 {
		if !s.Back() {
			t.Fatal("there is no way back")
		}
	}
	check("there and back")
	s.Swap(s.table(stacks()))
	check("after the rollback")
	if got := s.browser("acme.example").at("/"); !strings.HasPrefix(got, "blue") {
		t.Errorf("after the rollback a new session is at %s", got)
	}
}

// P9: a session whose stack is gone goes to the one that the org is on now.
func TestP9AStackThatIsGone(t *testing.T) {
	s := onStage(t, stacks(), nil)
	b := s.browser("acme.example")
	b.at("/")
	moved := stacks()
	moved.Orgs[0].Placement.Stack = "green"
	s.Swap(s.table(moved))
	if got := b.at("/"); !strings.HasPrefix(got, "blue") {
		t.Fatalf("it is at %s", got)
	}
	for _, name := range []string{"blue-home-1", "blue-home-2", "blue-away-1", "blue-away-2"} {
		s.upstream(name).Probed(false, time.Time{}, s.now())
	}
	if w := b.ask("POST", form, "key=k"); strings.HasPrefix(w.Body.String(), "green") {
		t.Error("what was typed for one stack went to another")
	}
	if got := b.at("/"); !strings.HasPrefix(got, "green") {
		t.Errorf("it is at %s", got)
	}
	empty := stacks()
	empty.Orgs[0].Placement = turnout.Placement{Stack: "green", Previous: "blue", Home: "home", Nearest: true}
	empty.Stacks[0].Pools[0].Upstreams, empty.Stacks[0].Pools[1].Upstreams = nil, nil
	s.Swap(s.table(empty))
	old := &browser{s: s, host: "acme.example", cookies: map[string]string{
		sessionCookie: s.o.Signer.Sign(affinity.Fresh(affinity.Handle("blue-home-1"), s.now()), affinity.Binding{Org: "acme", Host: "acme.example", Stack: "blue"}),
	}}
	if got := old.at("/"); !strings.HasPrefix(got, "green") {
		t.Errorf("one of a stack without instances is at %s", got)
	}
}

// P9: an edge that was started after an org moved knows where its sessions began.
func TestP9PreviousStackOutlivesTheEdge(t *testing.T) {
	s := onStage(t, stacks(), nil)
	b := s.browser("acme.example")
	first := b.at("/")
	moved := stacks()
	moved.Orgs[0].Placement = turnout.Placement{Stack: "green"}.MovedFrom(turnout.Placement{})
	s.Edge = New(s.o, s.table(moved))
	if got := b.at("/"); got != first || b.set != 1 {
		t.Errorf("it went from %s to %s", first, got)
	}
	if got := s.browser("acme.example").at("/"); !strings.HasPrefix(got, "green") {
		t.Errorf("a new one is at %s", got)
	}
}

// Back and forth keeps what is known of instances and what orgs have used.
func TestBackKeepsWhatIsLive(t *testing.T) {
	s := onStage(t, stacks(), nil)
	more := stacks()
	more.Orgs = append(more.Orgs, routing.Org{ID: "verd", Hosts: []string{"verd.example"}, Placement: turnout.Placement{
		Allowance: turnout.Allowance{PerSecond: 0.01, Burst: 1},
	}})
	more.Stacks[0].Pools[0].Upstreams = append(more.Stacks[0].Pools[0].Upstreams, routing.Upstream{Name: "blue-home-3"})
	s.Swap(s.table(more))
	s.Drain("blue-home-3", s.now().Add(time.Hour))
	s.browser("verd.example").at("/")
	for range 2 {
		s.Back()
	}
	if c := s.upstream("blue-home-3").State(s.now()).Condition; c != pool.Draining {
		t.Errorf("the one that was drained is %s", c)
	}
	if w := s.browser("verd.example").ask("GET", "/", ""); w.Code != http.StatusTooManyRequests {
		t.Errorf("an org beyond its allowance is answered %d", w.Code)
	}
}

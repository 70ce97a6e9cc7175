package edge

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/routing"
)

// P6, P10: an instance that is added gets new sessions and nobody's old one.
func TestP10AddingMovesNobody(t *testing.T) {
	s := onStage(t, stacks(), nil)
	all, where := s.crowd(60)
	plan := stacks()
	plan.Stacks[0].Pools[0].Upstreams = append(plan.Stacks[0].Pools[0].Upstreams, routing.Upstream{Name: "blue-home-3"})
	s.Swap(s.table(plan))
	if w := s.upstream("blue-home-3").State(s.now()).Weight; w >= 1 || s.upstream("blue-home-1").State(s.now()).Weight < 1 {
		t.Errorf("the new one begins with a weight of %v", w)
	}
	s.pass(time.Minute)
	for i, b := range all {
		if got := b.at("/"); got != where[i] {
			t.Errorf("session %d moved from %s to %s", i, where[i], got)
		}
	}
	_, fresh := s.crowd(60)
	if n := strings.Count(strings.Join(fresh, " "), "blue-home-3"); n == 0 {
		t.Error("the new one gets nobody")
	}
}

// P10: a draining instance keeps its sessions until the deadline and gets no
// new ones; past it each moves once, and not with something typed on its way.
func TestP10Drain(t *testing.T) {
	s := onStage(t, stacks(), nil)
	all, where := s.crowd(40)
	if !s.Drain("blue-home-1", noon.Add(10*time.Minute)) || s.Drain("nobody", noon) {
		t.Fatal("it does not know who drains")
	}
	_, fresh := s.crowd(40)
	if strings.Contains(strings.Join(fresh, " "), "blue-home-1") {
		t.Error("a draining one gets new sessions")
	}
	for i, b := range all {
		if got := b.at("/"); got != where[i] {
			t.Errorf("session %d moved to %s before the deadline", i, got)
		}
	}
	s.pass(11 * time.Minute)
	for i, b := range all {
		if got := b.ask("POST", "/events/x/register", "key=k").Body.String(); got != where[i] {
			t.Errorf("session %d moved to %s with a POST", i, got)
		}
		if got := b.at("/"); got != "blue-home-2" {
			t.Errorf("session %d is at %s past the deadline", i, got)
		}
	}
	s.Drain("blue-home-1", time.Time{})
	for i, b := range all {
		if got := b.at("/"); got != "blue-home-2" {
			t.Errorf("session %d moved back to %s", i, got)
		}
	}
}

// P10: when a region is gone the next one serves, sessions and new ones alike,
// and those that moved stay there.
func TestP10RegionGone(t *testing.T) {
	s := onStage(t, stacks(), nil)
	all, _ := s.crowd(20)
	s.instances["blue-home-1"].CloseClientConnections()
	s.instances["blue-home-1"].Close()
	s.instances["blue-home-2"].CloseClientConnections()
	s.instances["blue-home-2"].Close()
	var where []string
	for _, b := range all { // no probe has noticed
		got := b.at("/")
		where = append(where, got)
		if !strings.HasPrefix(got, "blue-away") {
			t.Errorf("answered by %s", got)
		}
	}
	for i, b := range all {
		if got := b.at("/"); got != where[i] || b.set != 2 {
			t.Errorf("it moved twice, to %s, with %d cookies", got, b.set)
		}
	}
}

// A region of which every instance drains sends new sessions to the next.
func TestP10RegionDrains(t *testing.T) {
	s := onStage(t, stacks(), nil)
	all, where := s.crowd(10)
	s.Drain("blue-home-1", noon.Add(time.Hour))
	s.Drain("blue-home-2", noon.Add(time.Hour))
	for i, b := range all {
		if got := b.at("/"); got != where[i] {
			t.Errorf("session %d moved to %s", i, got)
		}
	}
	if got := s.browser("acme.example").at("/"); !strings.HasPrefix(got, "blue-away") {
		t.Errorf("a new session is at %s", got)
	}
}

// P10: an instance that answers, and fails too often, loses its sessions once;
// when all fail it is not them, and nobody moves.
func TestP10FailingInstances(t *testing.T) {
	s := onStage(t, stacks(), nil)
	all, where := s.crowd(30)
	failing := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }
	s.instances["blue-home-1"].Will(failing)
	for i, b := range all {
		if where[i] == "blue-home-1" {
			b.ask("GET", "/", "")
		}
	}
	if c := s.upstream("blue-home-1").State(s.now()).Condition; c != pool.Ejected {
		t.Fatalf("it is %s", c)
	}
	for i, b := range all {
		if got := b.at("/"); got != "blue-home-2" {
			t.Errorf("session %d is at %s", i, got)
		}
	}
	s.instances["blue-home-2"].Will(failing)
	for range 10 {
		all[0].ask("GET", "/", "")
	}
	moved := s.Status().Orgs[0].Moved
	for _, b := range all {
		b.ask("GET", "/", "")
	}
	if again := s.Status().Orgs[0].Moved; again != moved {
		t.Errorf("%d sessions moved though everybody fails", again-moved)
	}
}

// closing is an exchange that counts how often it is closed.
type closing struct {
	pool.Exchange
	closed *int
}

func (c closing) Close() error { *c.closed++; return c.Exchange.Close() }

// Connections of an instance that no table names any more are closed; the former
// table still counts.
func TestOldConnectionsAreClosed(t *testing.T) {
	closed := 0
	s := onStage(t, stacks(), func(o *Options) {
		connect := o.Connect
		o.Connect = func(origin *url.URL) pool.Exchange { return closing{connect(origin), &closed} }
	})
	less := stacks()
	less.Stacks = less.Stacks[:1]
	s.Swap(s.table(less))
	if closed != 0 {
		t.Errorf("%d were closed though there is a way back", closed)
	}
	s.Swap(s.table(less))
	if closed != 4 || len(s.live.upstreams) != 4 {
		t.Errorf("%d were closed, %d are left", closed, len(s.live.upstreams))
	}
}

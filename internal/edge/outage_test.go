package edge

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/edgetest"
	"github.com/turnout-events/turnout/internal/edge/routing"
)

// alone is an edge by the real clock before one instance, with the allowance that
// an edge gives where nothing is said.
func alone(t *testing.T, more ...string) *stage {
	t.Helper()
	plan := routing.Plan{
		Stacks: []routing.Stack{{Name: "blue", Pools: []routing.Pool{{Region: "home", Upstreams: []routing.Upstream{{Name: "one"}}}}}},
		Orgs:   []routing.Org{{ID: "acme", Hosts: []string{"acme.example"}}, {ID: "umbra", Hosts: []string{"umbra.example"}}},
	}
	for _, name := range more {
		plan.Stacks[0].Pools[0].Upstreams = append(plan.Stacks[0].Pools[0].Upstreams, routing.Upstream{Name: name})
	}
	return onStage(t, plan, func(o *Options) {
		o.Default = turnout.Allowance{PerSecond: 100000, Burst: 100000, Share: 0.5}
		o.Now = nil
	})
}

// ask sends n requests at once and counts how they were answered.
func (s *stage) ask(n int) map[int]int {
	s.t.Helper()
	codes := make(chan int, n)
	for range n {
		go func() { codes <- s.browser("acme.example").ask("GET", "/", "").Code }()
	}
	counts := map[int]int{}
	for range n {
		counts[<-codes]++
	}
	return counts
}

// P10: what was lost in an outage does not narrow the org down afterwards.
func TestP10AnOutageLeavesNoTrace(t *testing.T) {
	s := alone(t)
	u := s.upstream("one")
	before := u.Places.Limit()
	s.instances["one"].Will(edgetest.Lose)
	for range 250 {
		s.browser("acme.example").ask("POST", "/x", "")
	}
	if after := u.Places.Limit(); after != before {
		t.Errorf("of %d places %d are left", before, after)
	}
}

// An instance's places grow though each org keeps within its share of them.
func TestP7PlacesGrowBeyondAShare(t *testing.T) {
	s := alone(t)
	u := s.upstream("one")
	for range 400 { // narrow it down
		u.Places.Enter()
		u.Places.Release(0, 1)
	}
	narrow := u.Places.Limit()
	c := s.view.Load().sites["acme.example"].courses[0]
	for range 2000 {
		u.Places.Enter()
		c.press()
		u.Places.Release(time.Millisecond, 0)
	}
	if wide := u.Places.Limit(); wide <= 2*narrow {
		t.Errorf("they grew from %d to %d", narrow, wide)
	}
	u.Probed(false, time.Time{}, time.Now())
	u.Probed(true, time.Time{}, time.Now())
	u.Probed(true, time.Time{}, time.Now())
	if n := u.Places.Limit(); n != 256 {
		t.Errorf("its successor begins with %d", n)
	}
}

// P10: readers wait for the only instance while that is started again; nobody is
// told that they ask too often.
func TestP10PatienceWithTheOnlyInstance(t *testing.T) {
	s := alone(t)
	s.upstream("one").Probed(false, time.Time{}, time.Now())
	s.instances["one"].Will(edgetest.Lose)
	time.AfterFunc(400*time.Millisecond, func() { s.instances["one"].Will(nil) })
	if codes := s.ask(3); codes[http.StatusOK] != 3 { // what is sent twice has a budget
		t.Errorf("3 readers were answered %v", codes)
	}
}

// hung is an instance that takes requests and never answers, probes neither,
// and an edge that knows it.
func (s *stage) hung(name string) {
	s.t.Helper()
	over := make(chan struct{})
	s.instances[name].Will(func(http.ResponseWriter, *http.Request) { <-over })
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	go func() {
		_ = s.Run(ctx)
		close(ended)
	}()
	s.t.Cleanup(func() {
		cancel()
		<-ended
		close(over)
	})
	for !s.upstream(name).IsDown() {
		<-time.After(20 * time.Millisecond)
	}
}

// P10: a request to an instance that is known to hang ends.
func TestP10AHungInstanceHoldsNobodyForEver(t *testing.T) {
	s := alone(t)
	s.hung("one")
	if w := s.browser("acme.example").ask("GET", "/", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("answered %d", w.Code)
	}
}

// P10: who is away for a moment is waited for; who hangs is not asked meanwhile.
func TestP10WaitingBeatsHanging(t *testing.T) {
	s := alone(t, "two")
	s.hung("one")
	s.instances["two"].Will(edgetest.Lose)
	time.AfterFunc(300*time.Millisecond, func() { s.instances["two"].Will(nil) })
	if w := s.browser("acme.example").ask("GET", "/page", ""); w.Code != http.StatusOK || w.Body.String() != "two" {
		t.Errorf("answered %d by %s", w.Code, w.Body)
	}
	if slices.Contains(s.instances["one"].Paths(), "/page") {
		t.Error("the one that hangs was asked")
	}
}

// Patience begins when a request is here whole, however long that took.
func TestPatienceBeginsWithTheWholeRequest(t *testing.T) {
	s := alone(t)
	s.o.Patience = 500 * time.Millisecond
	s.instances["one"].Will(edgetest.Lose)
	body, typing := io.Pipe()
	time.AfterFunc(700*time.Millisecond, func() {
		_, _ = io.WriteString(typing, "key=1&a=b")
		_ = typing.Close()
		time.AfterFunc(200*time.Millisecond, func() { s.instances["one"].Will(nil) })
	})
	r := httptest.NewRequest("POST", "http://acme.example"+form, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != http.StatusOK {
		t.Errorf("answered %d", w.Code)
	}
}

// P7: what fails for one org alone is no fault of the instance, and moves nobody.
func TestP7AnOrgsFailuresAreItsOwn(t *testing.T) {
	s := alone(t, "two")
	for _, in := range s.instances {
		in.Will(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.Host, "acme") {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
	}
	var others []*browser
	for range 20 {
		b := s.browser("umbra.example")
		b.at("/")
		others = append(others, b)
	}
	bad := s.browser("acme.example")
	for range 10 {
		bad.ask("GET", "/broken", "")
	}
	for _, b := range others {
		b.at("/")
	}
	if n := s.Status().Orgs[1].Moved; n != 0 {
		t.Errorf("%d sessions of another org were moved", n)
	}
	for _, in := range s.instances { // when it fails for everybody it is the instance
		in.Will(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	}
	ejected := 0
	for range 10 {
		for _, b := range append(others, bad) {
			b.ask("GET", "/", "")
		}
	}
	for _, u := range []string{"one", "two"} {
		if s.upstream(u).State(time.Now()).Condition == "ejected" {
			ejected++
		}
	}
	if ejected == 0 {
		t.Error("instances that fail everybody are not ejected")
	}
}

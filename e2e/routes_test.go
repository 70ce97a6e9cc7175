//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// regulars are visitors who read on, each in a session and over one connection.
type regulars struct {
	stop                    chan struct{}
	all                     sync.WaitGroup
	asked, lost, moved, new atomic.Int64
	first                   sync.Map
}

// regulars starts n of them at an edge.
func (e *edgeProcess) regulars(n int) *regulars {
	r := &regulars{stop: make(chan struct{})}
	for i := range n {
		r.all.Go(func() { r.read(e, i) })
	}
	waitFor(e.t, "all sessions", func() bool { return r.asked.Load() > int64(3*n) })
	return r
}

func (r *regulars) read(e *edgeProcess, i int) {
	jar, _ := cookiejar.New(nil)
	dialed := 0
	client := &http.Client{Jar: jar, Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		if dialed++; dialed > 1 {
			r.new.Add(1)
		}
		return new(net.Dialer).DialContext(ctx, network, e.plain)
	}}}
	defer client.CloseIdleConnections()
	where := ""
	for {
		select {
		case <-r.stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
		resp, err := client.Get("http://events.acme.example/")
		r.asked.Add(1)
		if err != nil {
			r.lost.Add(1)
			continue
		}
		name, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			r.lost.Add(1)
			continue
		}
		if where != "" && where != string(name) {
			r.moved.Add(1)
		}
		where = string(name)
		r.first.LoadOrStore(i, where)
	}
}

func (r *regulars) leave(t *testing.T) {
	t.Helper()
	close(r.stop)
	r.all.Wait()
	t.Logf("%d requests, %d lost, %d sessions moved, %d connections made anew", r.asked.Load(), r.lost.Load(), r.moved.Load(), r.new.Load())
}

// P6, P10: a hundred changes of the routes, an added instance among them, move no
// session, drop no connection and lose no request; one with a fault is refused.
func TestP10ChangesMoveNobody(t *testing.T) {
	t.Parallel()
	one, two, three, added := named(t, "one"), named(t, "two"), named(t, "three"), named(t, "four")
	e := startEdge(t, routesOf(one, two, three))
	r := e.regulars(60)
	for i := range 100 {
		all := []*httptest.Server{one, two, three}
		if i >= 50 {
			all = append(all, added)
		}
		e.write(routesOf(all...) + fmt.Sprintf("- {id: org-%d, name: Other}\n", i))
		if i == 70 {
			e.write("stacks: [{name: blue, pools: [{region: here, upstreams: [{name: u1, url: nonsense}]}]}]\nnobody: knows\n")
		}
		pass(100 * time.Millisecond)
	}
	waitFor(t, "the last change", func() bool { return len(e.status().Orgs) == 2 && e.status().Orgs[1].Org == "org-99" })
	r.leave(t)
	if r.lost.Load() != 0 || r.moved.Load() != 0 || r.new.Load() != 0 {
		t.Error("P10: a change was felt")
	}
	fresh := e.regulars(60)
	fresh.leave(t)
	found := false
	fresh.first.Range(func(_, name any) bool { found = found || name == "four"; return true })
	if !found {
		t.Error("the added instance gets no sessions")
	}
}

// P9, P10: an org's flag is flipped and flipped back: new sessions follow within
// a second, old ones end where they began, nothing is lost.
func TestP9AFlagFlips(t *testing.T) {
	t.Parallel()
	blue, green := named(t, "blue"), named(t, "green")
	file := func(stack string) string {
		return fmt.Sprintf(`stacks:
- {name: blue, pools: [{region: here, upstreams: [{name: b1, url: %q}]}]}
- {name: green, pools: [{region: here, upstreams: [{name: g1, url: %q}]}]}
orgs:
- {id: acme, name: Acme, hosts: [events.acme.example], placement: {stack: %s}}
`, blue.URL, green.URL, stack)
	}
	e := startEdge(t, file("blue"))
	old := e.regulars(30)
	for _, stack := range []string{"green", "blue", "green", "blue"} {
		e.write(file(stack))
		flipped := time.Now()
		waitFor(t, "the flip", func() bool { return e.status().Orgs[0].Stack == stack })
		t.Logf("flipped to %s within %v", stack, time.Since(flipped))
		fresh := e.regulars(5)
		pass(300 * time.Millisecond)
		fresh.leave(t)
		fresh.first.Range(func(_, name any) bool {
			if name != stack {
				t.Errorf("a new session is on %s, the flag on %s", name, stack)
			}
			return true
		})
		if fresh.lost.Load() != 0 || fresh.moved.Load() != 0 {
			t.Error("P9: a new session was lost or moved")
		}
	}
	old.leave(t)
	if old.lost.Load() != 0 || old.moved.Load() != 0 || old.new.Load() != 0 {
		t.Error("P9: an old session felt it")
	}
}

// P10: a whole region dies; the next one serves, and nothing is lost.
func TestP10ARegionDies(t *testing.T) {
	t.Parallel()
	home, away := named(t, "home"), named(t, "away")
	e := startEdge(t, fmt.Sprintf(`stacks:
- name: blue
  pools:
  - {region: emea, upstreams: [{name: h1, url: %q}]}
  - {region: apac, upstreams: [{name: a1, url: %q}]}
orgs:
- {id: acme, name: Acme, hosts: [events.acme.example]}
`, home.URL, away.URL))
	r := e.regulars(40)
	home.CloseClientConnections()
	home.Close()
	waitFor(t, "the other region", func() bool { return e.status().Pools[1].Upstreams[0].Requests > 200 })
	r.leave(t)
	if r.lost.Load() != 0 || r.moved.Load() != 40 {
		t.Errorf("P10: %d lost, %d moves of 40 sessions", r.lost.Load(), r.moved.Load())
	}
}

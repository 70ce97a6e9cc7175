package edge

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/edgetest"
	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/room"
	"github.com/turnout-events/turnout/internal/edge/routing"
	"github.com/turnout-events/turnout/internal/exchange"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// stage is an edge over instances that answer their names, with a clock of its own.
type stage struct {
	*Edge
	t         *testing.T
	instances map[string]*edgetest.Instance
	server    *httptest.Server
	log       *bytes.Buffer
	plan      routing.Plan
	mu        sync.Mutex
	at        time.Time
}

// stacks are two stacks in two regions with two instances each; every org is on
// the first unless its placement says otherwise.
func stacks() routing.Plan {
	var p routing.Plan
	for _, s := range []string{"blue", "green"} {
		stack := routing.Stack{Name: s}
		for _, region := range []string{"home", "away"} {
			pl := routing.Pool{Region: region}
			for i := range 2 {
				pl.Upstreams = append(pl.Upstreams, routing.Upstream{Name: fmt.Sprintf("%s-%s-%d", s, region, i+1)})
			}
			stack.Pools = append(stack.Pools, pl)
		}
		p.Stacks = append(p.Stacks, stack)
	}
	p.Orgs = []routing.Org{{ID: "acme", Hosts: []string{"acme.example"}}, {ID: "umbra", Hosts: []string{"umbra.example", "second.example"}}}
	return p
}

// with starts an instance for each upstream that has no URL, and makes a table.
func (s *stage) table(plan routing.Plan) *routing.Table {
	s.t.Helper()
	for i := range plan.Stacks {
		for j := range plan.Stacks[i].Pools {
			ups := plan.Stacks[i].Pools[j].Upstreams
			for k := range ups {
				if s.instances[ups[k].Name] == nil {
					s.instances[ups[k].Name] = edgetest.New(s.t, ups[k].Name)
				}
				ups[k].URL = s.instances[ups[k].Name].URL
			}
		}
	}
	s.plan = plan
	table, err := routing.New(plan)
	if err != nil {
		s.t.Fatal(err)
	}
	return table
}

func onStage(t *testing.T, plan routing.Plan, change func(*Options)) *stage {
	t.Helper()
	s := &stage{t: t, instances: map[string]*edgetest.Instance{}, log: &bytes.Buffer{}, at: noon}
	signer, err := affinity.NewSigner(bytes.Repeat([]byte{7}, affinity.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	tickets, err := room.NewKeys(bytes.Repeat([]byte{8}, 32))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Signer: signer, Tickets: tickets, AccessLog: s.log, Now: s.now, Default: turnout.Allowance{Share: 1}, Stay: -1,
		Connect: func(origin *url.URL) pool.Exchange { return exchange.New(exchange.Options{Addr: origin.Host}) },
	}
	if change != nil {
		change(&o)
	}
	s.Edge = New(o, s.table(plan))
	s.server = httptest.NewUnstartedServer(s.Edge)
	s.server.Config.ConnContext = nil
	s.server.Start()
	t.Cleanup(s.server.Close)
	return s
}

func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *stage) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = s.at.Add(d)
}

// visitor is a browser without a network of its own.
type browser struct {
	s    *stage
	host string
	// cookies by name.
	cookies map[string]string
	set     int // cookies that were set
}

func (s *stage) browser(host string) *browser {
	return &browser{s: s, host: host, cookies: map[string]string{}}
}

func (b *browser) ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	b.s.t.Helper()
	r := httptest.NewRequest(method, "http://"+b.host+path, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.1:1234"
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.s.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookies[c.Name] = c.Value
		b.set++
	}
	return w
}

// at is the instance that answers a page.
func (b *browser) at(path string) string {
	b.s.t.Helper()
	w := b.ask("GET", path, "")
	if w.Code != http.StatusOK {
		b.s.t.Fatalf("%s answered %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// crowd is n sessions, and where they are.
func (s *stage) crowd(n int) (all []*browser, where []string) {
	for range n {
		b := s.browser("acme.example")
		all, where = append(all, b), append(where, b.at("/"))
	}
	return all, where
}

func (s *stage) upstream(name string) *pool.Upstream {
	s.t.Helper()
	for _, u := range s.view.Load().upstreams {
		if u.Name == name {
			return u
		}
	}
	s.t.Fatalf("there is no upstream %s", name)
	return nil
}

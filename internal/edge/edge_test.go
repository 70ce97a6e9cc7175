package edge

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/affinity"
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
	instances map[string]*instance
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
					s.instances[ups[k].Name] = newInstance(s.t, ups[k].Name)
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
	s := &stage{t: t, instances: map[string]*instance{}, log: &bytes.Buffer{}, at: noon}
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

// crowd is n sessions, and where they are.
func (s *stage) crowd(n int) (all []*browser, where []string) {
	for range n {
		b := s.browser("acme.example")
		all, where = append(all, b), append(where, b.at("/"))
	}
	return all, where
}

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

// P6: losing an instance moves its own sessions and no other's, each once, and
// nobody moves back when it is there again.
func TestP6LosingOneMovesItsOwnOnce(t *testing.T) {
	plan := stacks()
	plan.Stacks[0].Pools[0].Upstreams = append(plan.Stacks[0].Pools[0].Upstreams, routing.Upstream{Name: "blue-home-3"}, routing.Upstream{Name: "blue-home-4"})
	s := onStage(t, plan, nil)
	all, where := s.crowd(80)
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
		in.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "public, no-cache")
			_, _ = io.WriteString(w, "x")
		}
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

func TestUnknownHostsNameNobody(t *testing.T) {
	s := onStage(t, stacks(), nil)
	for host, want := range map[string]int{"nobody.example": 421, "acme.example.evil": 421, "": 421, "acme.example": 200} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != want || (want == 421 && (strings.Contains(w.Body.String(), "acme") || w.Header().Get("Set-Cookie") != "")) {
			t.Errorf("%q: %d %s", host, w.Code, w.Body)
		}
	}
	b := s.browser("acme.example")
	if w := b.ask("GET", pool.Path, ""); w.Code != http.StatusNotFound {
		t.Errorf("what is between edge and instances is open to all: %d", w.Code)
	}
	if w := b.ask("TRACE", "/", ""); w.Code != http.StatusNotFound {
		t.Errorf("TRACE answered %d", w.Code)
	}
}

// P8: the log holds nothing of a person.
func TestP8AccessLog(t *testing.T) {
	s := onStage(t, stacks(), nil)
	b := s.browser("acme.example")
	for path, want := range map[string]string{
		"/l/secret-token?email=odilia@example.com": `"/l/*"`,
		"/registrations/secret-token/edit":         `"/registrations/*/edit"`,
		"/events/summer-night/register?x=secret":   `"/events/summer-night/register"`,
		"/events/Odilia%20Secret/register":         `"/events/*/register"`,
		"/api/v1/links/secret-token/decline":       `"/api/v1/links/*/decline"`,
		"/odilia@example.com":                      `"/*"`,
		"/a/b/c/d/e/f/g/h/secret":                  `"/…"`,
	} {
		s.log.Reset()
		b.ask("GET", path, "")
		_ = s.access.flush()
		line := s.log.String()
		if !strings.Contains(line, want) || strings.Contains(line, "ecret") || strings.Contains(line, "dilia") || strings.Contains(line, "192.0.2") {
			t.Errorf("%s is logged as %s", path, line)
		}
	}
	if line := s.log.String(); !strings.Contains(line, `"status":200`) || !strings.Contains(line, `"org":"acme","upstream":"blue-home-`) {
		t.Errorf("a line is %s", line)
	}
}

func TestClientsBehindProxies(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	e := &Edge{o: Options{Trusted: trusted}}
	for _, c := range []struct{ remote, forwarded, proto, want string }{
		{"192.0.2.1:5", "", "", "192.0.2.1 false"},
		{"192.0.2.1:5", "198.51.100.9", "https", "192.0.2.1 false"}, // not believed
		{"10.1.1.1:5", "198.51.100.9", "https", "198.51.100.9 true"},
		{"10.1.1.1:5", "6.6.6.6, 198.51.100.9, 10.2.2.2", "", "198.51.100.9 false"},
		{"10.1.1.1:5", "rubbish, 10.2.2.2", "", "10.2.2.2 false"},
		{"10.1.1.1:5", "203.0.113.9:4711", "", "203.0.113.9 false"},
		{"10.1.1.1:5", "[2001:db9::1]:99", "", "2001:db9::1 false"},
		{"10.1.1.1:5", "", "", "10.1.1.1 false"},
		{"[2001:db8::1]:5", "::ffff:198.51.100.9", "", "198.51.100.9 false"},
		{"[::ffff:192.0.2.1]:5", "", "", "192.0.2.1 false"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if c.proto != "" {
			r.Header.Set("X-Forwarded-Proto", c.proto)
		}
		a, https := e.visitor(r)
		if got := fmt.Sprint(a, " ", https); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

// P10: an instance that answers, and fails too often, loses its sessions once;
// when all fail it is not them, and nobody moves.
func TestP10FailingInstances(t *testing.T) {
	s := onStage(t, stacks(), nil)
	all, where := s.crowd(30)
	failing := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }
	s.instances["blue-home-1"].will(failing)
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
	s.instances["blue-home-2"].will(failing)
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

func TestToHTTPS(t *testing.T) {
	s := onStage(t, stacks(), nil)
	for _, c := range []struct {
		port, host, want string
		status           int
	}{
		{"8443", "acme.example:8080", "https://acme.example:8443/l/x?y=z", 308},
		{"443", "ACME.example", "https://acme.example/l/x?y=z", 308},
		{"443", "evil.example", "", 421},
	} {
		r := httptest.NewRequest("GET", "/l/x?y=z", nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		s.ToHTTPS(c.port).ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("Location") != c.want {
			t.Errorf("%s: %d %s", c.host, w.Code, w.Header().Get("Location"))
		}
	}
}

// Browsers are told to keep to HTTPS, whoever answers, but not under certificates
// for development: their names are served without it on other days.
func TestKeepingToHTTPS(t *testing.T) {
	for trial, want := range map[bool]string{false: "max-age=31536000", true: ""} {
		s := onStage(t, stacks(), func(o *Options) {
			o.Trial, o.Trusted = trial, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		})
		for _, host := range []string{"acme.example", "nobody.example"} {
			w := s.browser(host).ask("GET", "/", "", "X-Forwarded-Proto", "https", "X-Forwarded-For", "198.51.100.9")
			if got := w.Header().Get("Strict-Transport-Security"); got != want {
				t.Errorf("trial %v, %s: %d with %q, want %q", trial, host, w.Code, got, want)
			}
		}
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

// An offer to speak HTTP/2 instead is declined by an answer, nothing is lost by it.
func TestOtherUpgradesAreDeclined(t *testing.T) {
	s := onStage(t, stacks(), nil)
	b := s.browser("acme.example")
	offer := []string{"Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "HTTP2-Settings", "AAEAAEAAAAIAAAAB"}
	if w := b.ask("GET", "/", "", offer...); w.Code != http.StatusOK || b.set != 1 {
		t.Errorf("a page is answered %d with %d cookies", w.Code, b.set)
	}
	w := b.ask("POST", "/api/v1/x", `{"a":1}`, append(offer, "Idempotency-Key", "k")...)
	if w.Code != http.StatusOK {
		t.Errorf("a program is answered %d", w.Code)
	}
	for _, in := range s.instances {
		for i, r := range in.got {
			if r.Header.Get("Upgrade") != "" || (r.Method == "POST" && in.bodies[i] != `{"a":1}`) {
				t.Errorf("an instance was sent %s %v %q", r.Method, r.Header, in.bodies[i])
			}
		}
	}
}

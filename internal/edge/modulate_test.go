package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/limit"
)

// P7: an org that asks for 50 times its allowance gets its allowance; another
// one is refused nothing.
func TestP7AnAbuserGetsItsAllowance(t *testing.T) {
	plan := stacks()
	plan.Orgs[0].Placement.Allowance = turnout.Allowance{PerSecond: 20, Burst: 20}
	s := onStage(t, plan, nil)
	abuser, victim := s.browser("acme.example"), s.browser("umbra.example")
	served := 0
	const seconds = 30
	for i := range seconds * 1000 {
		s.pass(time.Millisecond)
		if abuser.ask("GET", "/", "").Code == http.StatusOK {
			served++
		}
		if i%100 == 0 {
			victim.at("/")
		}
	}
	if part := float64(served) / (20*seconds + 20); part < 0.95 || part > 1.2 {
		t.Errorf("it was served %d times, %.0f %% of its allowance", served, 100*part)
	}
	if o := s.Status().Orgs; o[0].Refused != int64(seconds*1000-served) || o[1].Refused != 0 {
		t.Errorf("counted as refused: %d and %d", o[0].Refused, o[1].Refused)
	}
}

// P7: two hosts of one org have an allowance each, and share the org's.
func TestP7DomainsHaveTheirOwn(t *testing.T) {
	plan := stacks()
	plan.Orgs[1].Placement.Allowance = turnout.Allowance{PerSecond: 10, Burst: 10}
	plan.Orgs[1].Placement.Domain = turnout.Rate{PerSecond: 6, Burst: 6}
	s := onStage(t, plan, nil)
	count := func(host string) (n int) {
		b := s.browser(host)
		for range 20 {
			if b.ask("GET", "/", "").Code == http.StatusOK {
				n++
			}
		}
		return n
	}
	if one, two := count("umbra.example"), count("second.example"); one != 6 || two != 4 {
		t.Errorf("they were served %d and %d times, want 6 and 4", one, two)
	}
}

// P7: one client address has an allowance, whatever it asks for; IPv6 goes by
// the network of a household.
func TestP7Clients(t *testing.T) {
	s := onStage(t, stacks(), func(o *Options) { o.Client = limit.Rate{PerSecond: 1, Burst: 5} })
	count := func(remote, host string) (n int) {
		for range 10 {
			r := httptest.NewRequest("GET", "http://"+host+"/", nil)
			r.RemoteAddr = remote
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != http.StatusTooManyRequests {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		remote, host string
		want         int
	}{
		{"192.0.2.1:5", "acme.example", 5},
		{"192.0.2.1:6", "umbra.example", 0},
		{"192.0.2.1:6", "nobody.example", 0},
		{"192.0.2.2:5", "acme.example", 5},
		{"[2001:db8:0:1::1]:5", "acme.example", 5},
		{"[2001:db8:0:1:ffff::2]:5", "acme.example", 0},
		{"[2001:db8:0:2::1]:5", "acme.example", 5},
		{"192.0.2.3:5", "nobody.example", 5},
	} {
		if n := count(c.remote, c.host); n != c.want {
			t.Errorf("%s at %s was served %d times, want %d", c.remote, c.host, n, c.want)
		}
	}
	if n := s.throttled.Load(); n != 80-25 {
		t.Errorf("%d refusals were counted, want 55", n)
	}
	for _, o := range s.Status().Orgs {
		if o.Refused != 0 {
			t.Errorf("%s is told of %d refusals, though none is its own", o.Org, o.Refused)
		}
	}
}

// A refusal says how long to wait, in the words of its face, and names the policy.
func TestRefusalsSayHowLong(t *testing.T) {
	plan := stacks()
	plan.Orgs[0].Placement.Allowance = turnout.Allowance{PerSecond: 0.1, Burst: 1}
	s := onStage(t, plan, nil)
	b := s.browser("acme.example")
	b.at("/")
	for path, want := range map[string]string{"/": "<!doctype html>", "/api/v1/events": `"code":"throttled"`} {
		w := b.ask("GET", path, "")
		h := w.Header()
		if w.Code != 429 || h.Get("Retry-After") != "10" || !strings.Contains(w.Body.String(), want) || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %s", path, w.Code, h, w.Body)
		}
		if !strings.HasSuffix(h.Get("RateLimit-Policy"), ";q=1") || !strings.Contains(h.Get("RateLimit"), ";r=0;t=") {
			t.Errorf("%s: policy %s, limit %s", path, h.Get("RateLimit-Policy"), h.Get("RateLimit"))
		}
	}
	s.pass(10 * time.Second)
	b.at("/")
}

// P7: whoever keeps within the rate with requests that take long has its part of
// the places and no more; others have theirs.
func TestP7TheSlowRunOutOfPlaces(t *testing.T) {
	plan := stacks()
	plan.Orgs[0].Placement.Allowance = turnout.Allowance{Share: 0.01}
	s := onStage(t, plan, nil)
	held := make(chan struct{})
	for _, in := range s.instances {
		in.Will(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-held
			}
		})
	}
	places := s.view.Load().sites["acme.example"].courses[0].places()
	part := places / 100
	codes := make(chan int, 3*part)
	for range 3 * part {
		go func() {
			r := httptest.NewRequest("GET", "http://acme.example/slow", nil)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			codes <- w.Code
		}()
	}
	for range 2 * part {
		if code := <-codes; code != http.StatusTooManyRequests {
			t.Fatalf("one beyond the share was answered %d", code)
		}
	}
	if w := s.browser("umbra.example").ask("GET", "/", ""); w.Code != http.StatusOK {
		t.Errorf("another org was answered %d", w.Code)
	}
	close(held)
	for range part {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("one within the share was answered %d", code)
		}
	}
	if w := s.browser("acme.example").ask("GET", "/", ""); w.Code != http.StatusOK {
		t.Errorf("with its places free again it was answered %d", w.Code)
	}
	if n := s.Status().Orgs[0].InFlight; n != 0 {
		t.Errorf("%d places are still taken", n)
	}
}

// Whoever goes on asking on one connection loses that.
func TestConnectionsThatInsistEnd(t *testing.T) {
	plan := stacks()
	plan.Orgs[0].Placement.Allowance = turnout.Allowance{PerSecond: 0.001, Burst: 1}
	s := onStage(t, plan, nil)
	server := httptest.NewUnstartedServer(s.Edge)
	server.Config.ConnContext = CountRefusals
	server.Start()
	t.Cleanup(server.Close)
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	in := bufio.NewReader(c)
	for i := range 1 + most {
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: acme.example\r\n\r\n")
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want := i == most; resp.Close != want {
			t.Fatalf("answer %d was %d, close %v", i, resp.StatusCode, resp.Close)
		}
	}
}

// P7: a sender who takes long over a body takes nobody's place meanwhile.
func TestP7SlowBodiesTakeNoPlace(t *testing.T) {
	s := onStage(t, stacks(), nil)
	r, w := io.Pipe()
	arriving := make(chan struct{})
	req := httptest.NewRequest("POST", "http://acme.example"+form, &noticing{r, arriving})
	answered := make(chan int)
	go func() {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		answered <- rec.Code
	}()
	<-arriving
	if n := s.Status().Orgs[0].InFlight; n != 0 {
		t.Errorf("it has taken %d places", n)
	}
	_, _ = io.WriteString(w, "key=k")
	w.Close()
	if code := <-answered; code != http.StatusOK {
		t.Errorf("in the end it was answered %d", code)
	}
}

// noticing says when it is first read.
type noticing struct {
	io.Reader
	first chan struct{}
}

func (n *noticing) Read(p []byte) (int, error) {
	if n.first != nil {
		close(n.first)
		n.first = nil
	}
	return n.Reader.Read(p)
}

package edge

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// instance is an upstream that notes what it was sent.
type instance struct {
	*httptest.Server
	mu     sync.Mutex
	got    []*http.Request
	bodies []string
	// answer is what it does with a request; nil answers its name.
	answer func(w http.ResponseWriter, r *http.Request)
}

func newInstance(t *testing.T, name string) *instance {
	t.Helper()
	in := &instance{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		in.got, in.bodies = append(in.got, r), append(in.bodies, string(body))
		answer := in.answer
		in.mu.Unlock()
		if answer == nil {
			_, _ = io.WriteString(w, name)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(in.Close)
	return in
}

// will answers like this from now on.
func (in *instance) will(answer func(w http.ResponseWriter, r *http.Request)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.answer = answer
}

func (in *instance) seen() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.got)
}

// paths are what it was asked for.
func (in *instance) paths() (all []string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, r := range in.got {
		all = append(all, r.URL.Path)
	}
	return all
}

func (in *instance) last() *http.Request {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.got[len(in.got)-1]
}

// lose takes a request and ends the connection without a reply.
func lose(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// dead is an address where nobody listens, nor begins to meanwhile.
func dead() *url.URL { return &url.URL{Scheme: "http", Host: "127.0.0.1:1"} }

func origin(t *testing.T, in *instance) *url.URL {
	t.Helper()
	u, err := url.Parse(in.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// front serves a proxy over upstreams.
func front(t *testing.T, upstreams ...*url.URL) (*httptest.Server, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	s := httptest.NewServer(NewProxy(ProxyOptions{Upstreams: upstreams, Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	t.Cleanup(s.Close)
	return s, &log
}

func send(t *testing.T, method, target string, body io.Reader) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func TestTurns(t *testing.T) {
	one, two, three := newInstance(t, "1"), newInstance(t, "2"), newInstance(t, "3")
	s, _ := front(t, origin(t, one), origin(t, two), origin(t, three))
	for range 9 {
		send(t, "GET", s.URL, nil)
	}
	if one.seen() != 3 || two.seen() != 3 || three.seen() != 3 {
		t.Errorf("9 requests went %d, %d, %d", one.seen(), two.seen(), three.seen())
	}
}

// P10: an instance that is gone costs nobody a request, whatever it is.
func TestDeadInstanceIsSkipped(t *testing.T) {
	alive := newInstance(t, "alive")
	s, _ := front(t, dead(), origin(t, alive), dead())
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		for range 3 { // wherever the turn is
			body := strings.NewReader("x=1")
			if status, _ := send(t, method, s.URL, body); status != http.StatusOK {
				t.Errorf("%s was answered %d", method, status)
			}
		}
	}
	if alive.seen() != 21 {
		t.Errorf("%d requests arrived, want 21", alive.seen())
	}
}

func TestNobodyAnswers(t *testing.T) {
	for name, upstreams := range map[string][]*url.URL{"all dead": {dead(), dead()}, "no upstream": nil} {
		t.Run(name, func(t *testing.T) {
			s, log := front(t, upstreams...)
			resp, err := http.Get(s.URL + "/l/secret-token?email=odilia@example.com")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
				t.Errorf("answered %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
			}
			// P8: neither token nor address are in the log.
			if l := log.String(); !strings.Contains(l, "no instance answered") || strings.Contains(l, "secret-token") || strings.Contains(l, "odilia") {
				t.Errorf("logged %s", l)
			}
		})
	}
}

// P1: the reply to a submission is lost with its instance. The same bytes,
// with the same key in them, go to one other instance.
func TestLostReplyIsAskedElsewhere(t *testing.T) {
	for _, method := range []string{"GET", "POST", "PUT"} {
		t.Run(method, func(t *testing.T) {
			dying, alive := newInstance(t, "dying"), newInstance(t, "alive")
			dying.answer = lose
			s, _ := front(t, origin(t, alive), origin(t, dying)) // the second is first in turn
			status, text := send(t, method, s.URL+"/events/x/register", strings.NewReader("key=abc&name=n"))
			if status != http.StatusOK || text != "alive" {
				t.Errorf("answered %d %q", status, text)
			}
			if dying.seen() != 1 || alive.seen() != 1 {
				t.Errorf("sent %d and %d times", dying.seen(), alive.seen())
			}
			if dying.bodies[0] != "key=abc&name=n" || alive.bodies[0] != dying.bodies[0] {
				t.Errorf("sent %q and %q", dying.bodies, alive.bodies)
			}
			if r := alive.last(); r.ContentLength != 14 || r.URL.Path != "/events/x/register" {
				t.Errorf("the second got %d bytes at %s", r.ContentLength, r.URL)
			}
		})
	}
}

// What may have been done and carries no key is not done twice.
func TestLostReplyOfOthersIsNotRepeated(t *testing.T) {
	for _, method := range []string{"DELETE", "PATCH"} {
		dying, alive := newInstance(t, "dying"), newInstance(t, "alive")
		dying.answer = lose
		s, _ := front(t, origin(t, alive), origin(t, dying))
		if status, _ := send(t, method, s.URL, nil); status != http.StatusServiceUnavailable || alive.seen() != 0 {
			t.Errorf("%s was answered %d, and sent elsewhere %d times", method, status, alive.seen())
		}
	}
}

// A reply that broke off is the visitor's to see: its first part is with them.
func TestBrokenReplyIsNotRepeated(t *testing.T) {
	dying, alive := newInstance(t, "dying"), newInstance(t, "alive")
	dying.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "the first part")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	s, _ := front(t, origin(t, alive), origin(t, dying))
	if resp, err := http.Get(s.URL); err == nil {
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("a broken reply reads as whole: %q", text)
		}
	}
	if dying.seen() != 1 || alive.seen() != 0 {
		t.Errorf("it was sent %d times, and elsewhere %d times", dying.seen(), alive.seen())
	}
}

// An error that an instance answers is an answer.
func TestErrorsOfAnInstancePassThrough(t *testing.T) {
	busy, other := newInstance(t, "busy"), newInstance(t, "other")
	busy.answer = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "later", http.StatusServiceUnavailable) }
	s, _ := front(t, origin(t, other), origin(t, busy))
	if status, text := send(t, "POST", s.URL, strings.NewReader("x")); status != 503 || text != "later\n" || other.seen() != 0 {
		t.Errorf("answered %d %q", status, text)
	}
}

func TestLargeBodies(t *testing.T) {
	random := make([]byte, maxHeld+1)
	_, _ = rand.Read(random)
	large, fits := string(random), string(random[:maxHeld])
	dying, alive := newInstance(t, "dying"), newInstance(t, "alive")
	dying.answer = lose
	s, _ := front(t, origin(t, alive), origin(t, dying))
	if status, _ := send(t, "POST", s.URL, strings.NewReader(large)); status != http.StatusServiceUnavailable || alive.seen() != 0 {
		t.Errorf("a body that is not held was answered %d, and sent elsewhere %d times", status, alive.seen())
	}
	// The next one in turn is alive: what is not held still arrives whole.
	if status, _ := send(t, "POST", s.URL, strings.NewReader(large)); status != http.StatusOK || alive.bodies[0] != large {
		t.Errorf("answered %d; %d bytes arrived", status, len(alive.bodies[0]))
	}
	if status, _ := send(t, "POST", s.URL, strings.NewReader(fits)); status != http.StatusOK || alive.bodies[1] != fits {
		t.Errorf("the largest body that is held was answered %d", status)
	}
	// Of unknown length, in chunks.
	if status, _ := send(t, "POST", s.URL, io.MultiReader(strings.NewReader(large))); status != http.StatusOK || alive.bodies[2] != large {
		t.Errorf("a chunked body was answered %d", status)
	}
}

// P6, P7: the org is found by Host, and limits go by the visitor's address,
// so neither can be made up from outside.
func TestHeaders(t *testing.T) {
	in := newInstance(t, "in")
	s, _ := front(t, origin(t, in))
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/events/a%2Fb?q=1&r=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "events.acme.example"
	for _, h := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"} {
		req.Header.Set(h, "forged.example")
	}
	req.Header.Set("Connection", "X-Hop")
	req.Header.Set("X-Hop", "1")
	req.Header.Set("Cookie", "session=1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	got := in.last()
	if got.Host != "events.acme.example" || got.URL.EscapedPath() != "/events/a%2Fb" || got.URL.RawQuery != "q=1&r=2" {
		t.Errorf("asked %s for %s", got.Host, got.URL)
	}
	want := map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "events.acme.example", "X-Forwarded-Proto": "http",
		"Forwarded": "", "X-Hop": "", "Cookie": "session=1",
	}
	for name, value := range want {
		if got.Header.Get(name) != value || len(got.Header.Values(name)) > 1 {
			t.Errorf("%s: %q, want %q", name, got.Header.Values(name), value)
		}
	}
}

// A visitor who went away is sent nowhere else.
func TestClientGone(t *testing.T) {
	arrived, over := make(chan struct{}), make(chan struct{})
	slow, other := newInstance(t, "slow"), newInstance(t, "other")
	slow.answer = func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done() // the proxy hung up
		close(over)
	}
	s, log := front(t, origin(t, other), origin(t, slow))
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", s.URL, strings.NewReader("key=abc"))
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		failed <- err
	}()
	<-arrived
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
	<-over
	s.Close() // waits for the proxy's handler
	if other.seen() != 0 {
		t.Error("it was sent elsewhere")
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log)
	}
}

// A body that never comes whole reaches no instance.
func TestClientGoneInTheMiddleOfABody(t *testing.T) {
	in := newInstance(t, "in")
	proxy := NewProxy(ProxyOptions{Upstreams: []*url.URL{origin(t, in)}})
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://acme.localhost/", io.MultiReader(strings.NewReader("key="), broken{}))
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || in.seen() != 0 {
		t.Errorf("answered %d; %d requests arrived", w.Code, in.seen())
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// listenAt gives a way to listen at an address later.
func listenAt(t *testing.T, at *url.URL) func() net.Listener {
	t.Helper()
	return func() net.Listener {
		l, err := net.Listen("tcp", at.Host)
		if err != nil {
			t.Error(err)
		}
		return l
	}
}

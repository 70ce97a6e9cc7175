package proxy

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
	"testing"

	"github.com/turnout-events/turnout/internal/edge/edgetest"
	"github.com/turnout-events/turnout/internal/edge/held"
)

// dead is an address where nobody listens, nor begins to meanwhile.
func dead() *url.URL { return &url.URL{Scheme: "http", Host: "127.0.0.1:1"} }

func origin(t *testing.T, in *edgetest.Instance) *url.URL {
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
	s := httptest.NewServer(New(Options{Upstreams: upstreams, Logger: slog.New(slog.NewTextHandler(&log, nil))}))
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
	one, two, three := edgetest.New(t, "1"), edgetest.New(t, "2"), edgetest.New(t, "3")
	s, _ := front(t, origin(t, one), origin(t, two), origin(t, three))
	for range 9 {
		send(t, "GET", s.URL, nil)
	}
	if one.Seen() != 3 || two.Seen() != 3 || three.Seen() != 3 {
		t.Errorf("9 requests went %d, %d, %d", one.Seen(), two.Seen(), three.Seen())
	}
}

// P10: an instance that is gone costs nobody a request, whatever it is.
func TestDeadInstanceIsSkipped(t *testing.T) {
	alive := edgetest.New(t, "alive")
	s, _ := front(t, dead(), origin(t, alive), dead())
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		for range 3 { // wherever the turn is
			body := strings.NewReader("x=1")
			if status, _ := send(t, method, s.URL, body); status != http.StatusOK {
				t.Errorf("%s was answered %d", method, status)
			}
		}
	}
	if alive.Seen() != 21 {
		t.Errorf("%d requests arrived, want 21", alive.Seen())
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
			dying, alive := edgetest.New(t, "dying"), edgetest.New(t, "alive")
			dying.Will(edgetest.Lose)
			s, _ := front(t, origin(t, alive), origin(t, dying)) // the second is first in turn
			status, text := send(t, method, s.URL+"/events/x/register", strings.NewReader("key=abc&name=n"))
			if status != http.StatusOK || text != "alive" {
				t.Errorf("answered %d %q", status, text)
			}
			if dying.Seen() != 1 || alive.Seen() != 1 {
				t.Errorf("sent %d and %d times", dying.Seen(), alive.Seen())
			}
			if dying.Bodies()[0] != "key=abc&name=n" || alive.Bodies()[0] != dying.Bodies()[0] {
				t.Errorf("sent %q and %q", dying.Bodies(), alive.Bodies())
			}
			if r := alive.Last(); r.ContentLength != 14 || r.URL.Path != "/events/x/register" {
				t.Errorf("the second got %d bytes at %s", r.ContentLength, r.URL)
			}
		})
	}
}

// What may have been done and carries no key is not done twice.
func TestLostReplyOfOthersIsNotRepeated(t *testing.T) {
	for _, method := range []string{"DELETE", "PATCH"} {
		dying, alive := edgetest.New(t, "dying"), edgetest.New(t, "alive")
		dying.Will(edgetest.Lose)
		s, _ := front(t, origin(t, alive), origin(t, dying))
		if status, _ := send(t, method, s.URL, nil); status != http.StatusServiceUnavailable || alive.Seen() != 0 {
			t.Errorf("%s was answered %d, and sent elsewhere %d times", method, status, alive.Seen())
		}
	}
}

// A reply that broke off is the visitor's to see: its first part is with them.
func TestBrokenReplyIsNotRepeated(t *testing.T) {
	dying, alive := edgetest.New(t, "dying"), edgetest.New(t, "alive")
	dying.Will(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "the first part")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	s, _ := front(t, origin(t, alive), origin(t, dying))
	if resp, err := http.Get(s.URL); err == nil {
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("a broken reply reads as whole: %q", text)
		}
	}
	if dying.Seen() != 1 || alive.Seen() != 0 {
		t.Errorf("it was sent %d times, and elsewhere %d times", dying.Seen(), alive.Seen())
	}
}

// An error that an instance answers is an answer.
func TestErrorsOfAnInstancePassThrough(t *testing.T) {
	busy, other := edgetest.New(t, "busy"), edgetest.New(t, "other")
	busy.Will(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "later", http.StatusServiceUnavailable) })
	s, _ := front(t, origin(t, other), origin(t, busy))
	if status, text := send(t, "POST", s.URL, strings.NewReader("x")); status != 503 || text != "later\n" || other.Seen() != 0 {
		t.Errorf("answered %d %q", status, text)
	}
}

func TestLargeBodies(t *testing.T) {
	random := make([]byte, held.Most+1)
	_, _ = rand.Read(random)
	large, fits := string(random), string(random[:held.Most])
	dying, alive := edgetest.New(t, "dying"), edgetest.New(t, "alive")
	dying.Will(edgetest.Lose)
	s, _ := front(t, origin(t, alive), origin(t, dying))
	if status, _ := send(t, "POST", s.URL, strings.NewReader(large)); status != http.StatusServiceUnavailable || alive.Seen() != 0 {
		t.Errorf("a body that is not held was answered %d, and sent elsewhere %d times", status, alive.Seen())
	}
	// The next one in turn is alive: what is not held still arrives whole.
	if status, _ := send(t, "POST", s.URL, strings.NewReader(large)); status != http.StatusOK || alive.Bodies()[0] != large {
		t.Errorf("answered %d; %d bytes arrived", status, len(alive.Bodies()[0]))
	}
	if status, _ := send(t, "POST", s.URL, strings.NewReader(fits)); status != http.StatusOK || alive.Bodies()[1] != fits {
		t.Errorf("the largest body that is held was answered %d", status)
	}
	// Of unknown length, in chunks.
	if status, _ := send(t, "POST", s.URL, io.MultiReader(strings.NewReader(large))); status != http.StatusOK || alive.Bodies()[2] != large {
		t.Errorf("a chunked body was answered %d", status)
	}
}

// P6, P7: the org is found by Host, and limits go by the visitor's address,
// so neither can be made up from outside.
func TestHeaders(t *testing.T) {
	in := edgetest.New(t, "in")
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
	got := in.Last()
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
	slow, other := edgetest.New(t, "slow"), edgetest.New(t, "other")
	slow.Will(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done() // the proxy hung up
		close(over)
	})
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
	if other.Seen() != 0 {
		t.Error("it was sent elsewhere")
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log)
	}
}

// A body that never comes whole reaches no instance.
func TestClientGoneInTheMiddleOfABody(t *testing.T) {
	in := edgetest.New(t, "in")
	proxy := New(Options{Upstreams: []*url.URL{origin(t, in)}})
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://acme.localhost/", io.MultiReader(strings.NewReader("key="), broken{}))
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || in.Seen() != 0 {
		t.Errorf("answered %d; %d requests arrived", w.Code, in.Seen())
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

package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/edge/edgetest"
	"github.com/turnout-events/turnout/internal/edge/held"
)

// hurried serves a proxy that gives a body 100 ms.
func hurried(t *testing.T, upstreams ...*url.URL) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(New(Options{Upstreams: upstreams}))
	s.Config.ReadTimeout = 100 * time.Millisecond
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// answerTo writes text to a connection and reads the answer.
func answerTo(t *testing.T, s *httptest.Server, text string, more io.Reader) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.Copy(c, io.MultiReader(strings.NewReader(text), more)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// A body that is slow is its sender's affair: 408, and no instance is blamed,
// whether it would have been held or passed on.
func TestSlowBody(t *testing.T) {
	for name, first := range map[string]int{"held": 3, "passed on": held.Most + 10} {
		t.Run(name, func(t *testing.T) {
			in := edgetest.New(t, "in")
			resp := answerTo(t, hurried(t, origin(t, in)),
				fmt.Sprintf("POST /events/x/register HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", held.Most+20, strings.Repeat("x", first)), strings.NewReader(""))
			if resp.StatusCode != http.StatusRequestTimeout || !resp.Close {
				t.Errorf("answered %d, close %v", resp.StatusCode, resp.Close)
			}
		})
	}
}

// A body beyond everything that anybody takes is refused here, in words that a
// client gets to read though it writes all before it reads.
func TestEndlessBody(t *testing.T) {
	in := edgetest.New(t, "in")
	s, _ := front(t, origin(t, in))
	const size = held.MostPassed + 8<<20
	resp := answerTo(t, s, fmt.Sprintf("POST /api/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size), io.LimitReader(zeros{}, size))
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %d", resp.StatusCode)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// The proxy gave the go-ahead when it read the body; the instance is not to wait
// for the client to ask again.
func TestExpectStaysHere(t *testing.T) {
	in := edgetest.New(t, "in")
	s, _ := front(t, origin(t, in))
	resp := answerTo(t, s, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", strings.NewReader(""))
	if resp.StatusCode != http.StatusContinue {
		t.Errorf("answered %d first", resp.StatusCode)
	}
	s.Close()
	if got := in.Last().Header.Get("Expect"); got != "" || in.Bodies()[0] != "abc" {
		t.Errorf("the instance was sent Expect %q, body %q", got, in.Bodies()[0])
	}
}

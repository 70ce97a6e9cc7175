package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/edge/edgetest"
)

func refused(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	s, _ := front(t) // there is no instance
	resp, err := http.Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "5" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s was answered %d %v", path, resp.StatusCode, resp.Header)
	}
	return resp, string(body)
}

// Programs get a problem (RFC 9457).
func TestRefusalForPrograms(t *testing.T) {
	for _, path := range []string{"/api/v1/events", "/hooks/salesforce", "/admin/v1/orgs"} {
		resp, body := refused(t, path)
		var p map[string]any
		if err := json.Unmarshal([]byte(body), &p); err != nil || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%s was answered %s, %v", path, body, err)
		}
		if p["type"] != "urn:turnout:problem:unavailable" || p["status"] != 503.0 || p["code"] != "unavailable" || p["title"] == "" || p["detail"] == "" {
			t.Errorf("%s was answered %v", path, p)
		}
	}
}

// People get a page that says what to do, works by itself, and names nobody.
func TestRefusalForPeople(t *testing.T) {
	for _, path := range []string{"/", "/l/secret-token", "/events/x/register", "/apiary"} {
		resp, body := refused(t, path)
		if resp.Header.Get("Content-Type") != "text/html; charset=utf-8" || resp.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s was answered %v", path, resp.Header)
		}
		for _, want := range []string{`<html lang="en">`, `name="viewport"`, `name="color-scheme" content="light dark"`, "<title>", "Try again in a few seconds", "Nothing you typed is lost"} {
			if !strings.Contains(body, want) {
				t.Errorf("the page at %s lacks %s", path, want)
			}
		}
		for _, never := range []string{"{{", "secret-token", "http:", "src=", "href="} {
			if strings.Contains(body, never) {
				t.Errorf("the page at %s has %s", path, never)
			}
		}
	}
}

// P10: an instance that is back within two seconds was never away for anybody
// whose request may be sent again, and for all others neither: nobody saw it.
func TestWaitsForAnInstance(t *testing.T) {
	for _, method := range []string{"GET", "POST", "DELETE"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			address := quiet(t)
			s, _ := front(t, address)
			back := edgetest.New(t, "back")
			l := listenAt(t, address)
			server := &http.Server{Handler: back.Config.Handler}
			timer := time.AfterFunc(300*time.Millisecond, func() { _ = server.Serve(l()) })
			defer timer.Stop()
			defer server.Close()
			if status, text := send(t, method, s.URL+"/events/x/register", strings.NewReader("key=abc")); status != http.StatusOK || text != "back" {
				t.Errorf("answered %d %q", status, text)
			}
		})
	}
}

// quiet is an address where nobody listens until the test does: below the ports
// that are given to whoever asks for any.
func quiet(t *testing.T) *url.URL {
	t.Helper()
	for range 1000 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(10000)))
		if err == nil {
			defer l.Close()
			return &url.URL{Scheme: "http", Host: l.Addr().String()}
		}
	}
	t.Fatal("there is no free port")
	return nil
}

// A request that ends every instance it meets does not go round for two seconds.
func TestPoisonIsNotPassedRound(t *testing.T) {
	one, two := edgetest.New(t, "1"), edgetest.New(t, "2")
	one.Will(edgetest.Lose)
	two.Will(edgetest.Lose)
	s, _ := front(t, origin(t, one), origin(t, two))
	if status, _ := send(t, "POST", s.URL, strings.NewReader("key=abc")); status != http.StatusServiceUnavailable {
		t.Errorf("answered %d", status)
	}
	if n := one.Seen() + two.Seen(); n != 3 {
		t.Errorf("it was sent %d times, want 3", n)
	}
}

// An order that is given is kept, and may change from one request to the next.
func TestOrder(t *testing.T) {
	first, second := edgetest.New(t, "first"), edgetest.New(t, "second")
	gone, one, two := dead(), origin(t, first), origin(t, second)
	order := []*url.URL{gone, one, two}
	s := httptest.NewServer(New(Options{Upstreams: order, Order: func() []*url.URL { return order }}))
	defer s.Close()
	want := func(name string) {
		t.Helper()
		for range 5 {
			if _, text := send(t, "GET", s.URL, nil); text != name {
				t.Errorf("%s answered, not %s", text, name)
			}
		}
	}
	want("first")
	order = []*url.URL{two, one}
	want("second")
}

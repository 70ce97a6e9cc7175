package browse

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestOnlyThisMachineUnlessNamedTwice(t *testing.T) {
	for raw, ok := range map[string]bool{
		"http://127.0.0.1:8080": true, "http://[::1]:80/x": true, "http://localhost": true, "http://acme.localhost:8080": true,
		"https://127.8.9.1": true, "http://192.0.2.1": false, "http://[::ffff:192.0.2.1]/": false, "http://0x7f.1.2.3.4.invalid": false,
		"ftp://127.0.0.1": false, "127.0.0.1:8080": false, "http://": false, "http://u:p@127.0.0.1": false, "http://localhost.": true,
		"https://events.acme.example": true, "https://EVENTS.acme.example:8443": true, "https://acme.example": false,
	} {
		g := Guard{Owned: []string{"events.acme.example"}, Resolver: nobody()}
		if _, err := g.Check(t.Context(), raw); (err == nil) != ok {
			t.Errorf("%s: %v, want allowed: %v", raw, err, ok)
		}
	}
}

// nobody is a resolver that asks no server.
func nobody() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("there is no DNS in tests")
	}}
}

// A name that was this machine when it was checked and is another one when it is
// dialled gets no connection.
func TestEveryDialledAddressIsChecked(t *testing.T) {
	_, err := Guard{}.Dial(t.Context(), "tcp", "192.0.2.1:80")
	if !errors.Is(err, ErrNotOwned) {
		t.Errorf("%v", err)
	}
	if Kind(err) != "an address that may not be loaded" {
		t.Errorf("its kind is %q", Kind(err))
	}
}

func site(t *testing.T, h http.HandlerFunc) *Site {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	u, err := url.Parse(strings.Replace(s.URL, "127.0.0.1", "acme.localhost", 1))
	if err != nil {
		t.Fatal(err)
	}
	return NewSite(u, Guard{}, "test")
}

func TestABrowserKeepsCookiesAndFollowsNothing(t *testing.T) {
	s := site(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/first":
			w.Header().Add("Set-Cookie", "a=1; Path=/; HttpOnly")
			w.Header().Add("Set-Cookie", "b=2")
		case "/second":
			w.Header().Add("Set-Cookie", "a=3")
			w.Header().Add("Set-Cookie", "b=; Max-Age=0")
			w.Header().Set("Location", "/first")
			w.WriteHeader(http.StatusSeeOther)
		}
		_, _ = io.WriteString(w, r.Method+" "+r.Host[:14]+" "+r.Header.Get("Cookie")+" "+string(body))
	})
	b, ctx := s.New(), t.Context()
	if p, err := b.Get(ctx, "/first", true); err != nil || p.Status != 200 || p.Body != "GET acme.localhost  " {
		t.Errorf("%v %+v", err, p)
	}
	if p, err := b.Post(ctx, "/second", "x=y"); err != nil || p.Status != 303 || p.Location != "/first" || p.Body != "POST acme.localhost a=1; b=2 x=y" {
		t.Errorf("%v %+v", err, p)
	}
	if p, err := b.Get(ctx, "/third", true); err != nil || p.Body != "GET acme.localhost a=3 " {
		t.Errorf("%v %+v", err, p)
	}
	if p, err := s.New().Get(ctx, "/third", false); err != nil || p.Body != "" || p.Length != 20 {
		t.Errorf("another's browser: %v %+v", err, p)
	}
	if _, err := b.Get(ctx, "http://127.0.0.1:1/", true); err == nil {
		t.Error("it left its site")
	}
}

func TestResolve(t *testing.T) {
	u, _ := url.Parse("http://acme.localhost:8080")
	b := NewSite(u, Guard{}, "").New()
	for link, want := range map[string]string{
		"?send": "/l/x?send", "": "/l/x", "/events/a?b=1#c": "/events/a?b=1", "y": "/l/y",
		"https://elsewhere.example/": "", "//elsewhere.example/": "", "mailto:a@example.com": "", "http://acme.localhost:8080/z": "/z",
	} {
		if got, ok := b.Resolve("/l/x", link); got != want || ok != (want != "") {
			t.Errorf("%q leads to %q", link, got)
		}
	}
}

func TestKinds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	u, _ := url.Parse("http://127.0.0.1:1")
	_, err := NewSite(u, Guard{}, "").New().Get(t.Context(), "/", false)
	if Kind(err) != Refused {
		t.Errorf("%v is %q", err, Kind(err))
	}
	slow := site(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if _, err = slow.New().Get(ctx, "/", false); Kind(err) != Timeout {
		t.Errorf("%v is %q", err, Kind(err))
	}
	broken := site(t, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	if _, err = broken.New().Get(t.Context(), "/", false); Kind(err) != Reset {
		t.Errorf("%v is %q", err, Kind(err))
	}
	if Kind(nil) != "" || Kind(errors.New("x")) != Other {
		t.Error("kinds of nothing and of anything")
	}
}

package exchange_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout/internal/exchange"
)

// patience is for connecting to a listener of this machine, which is there: what is
// tested is not how long that takes while other tests have the processors.
const patience = time.Minute

// upstream is one in memory: serve gets each connection in a goroutine.
type upstream struct {
	dials atomic.Int32
	serve func(c net.Conn)
}

func (u *upstream) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	u.dials.Add(1)
	go func() {
		defer theirs.Close()
		u.serve(theirs)
	}()
	return ours, nil
}

func (u *upstream) client(t *testing.T) *exchange.Client {
	c := exchange.New(exchange.Options{Addr: "upstream:80", Dial: u.dial})
	t.Cleanup(func() {
		c.Break(nil)
		c.Close()
	})
	return c
}

// answering serves each request with the same bytes.
func answering(answer string) func(net.Conn) {
	return func(c net.Conn) {
		reader := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			io.WriteString(c, answer)
		}
	}
}

func request(t *testing.T, method string, body io.Reader) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), method, "http://acme.example/x", body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// read asks and reads the answer to its end.
func read(t *testing.T, c *exchange.Client, r *http.Request) (string, error) {
	t.Helper()
	resp, err := c.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// failure checks that err tells how far a request got.
func failure(t *testing.T, err error, op string, sent bool, cause error) {
	t.Helper()
	var e *exchange.Error
	if !errors.As(err, &e) || e.Op != op || e.Sent != sent || !errors.Is(err, cause) {
		t.Errorf("failed with %+v, want %s, sent %v: %v", err, op, sent, cause)
	}
}

// A connection serves again only when nothing is in doubt about it.
func TestConnectionsAreUsedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		method, answer string
		dials          int32
	}{
		"length":             {"GET", plain, 1},
		"chunks":             {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 1},
		"trailers":           {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n\r\n", 1},
		"nothing":            {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1},
		"no content":         {"POST", "HTTP/1.1 204 No Content\r\n\r\n", 1},
		"not modified":       {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 1},
		"head":               {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 1},
		"old but kept alive": {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", 1},
		"early hints":        {"GET", "HTTP/1.1 103 Early Hints\r\n\r\n" + plain, 1},
		"old":                {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 2},
		"close":              {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", 2},
		"bytes behind":       {"GET", plain + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", 2},
		"a head's body":      {"HEAD", plain, 2},
		"a 204's body":       {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", 2},
	} {
		t.Run(name, func(t *testing.T) {
			u := &upstream{serve: answering(c.answer)}
			client := u.client(t)
			for range 2 {
				body, err := read(t, client, request(t, c.method, nil))
				if err != nil || strings.Contains(body, "forged") {
					t.Fatalf("got %q, %v", body, err)
				}
			}
			if n := u.dials.Load(); n != c.dials {
				t.Errorf("dialled %d times, want %d", n, c.dials)
			}
		})
	}
}

// Nor does one whose answer was not read, or that the request closes.
func TestConnectionsAreNotUsedAgain(t *testing.T) {
	for name, ask := range map[string]func(*exchange.Client, *http.Request) error{
		"unread": func(c *exchange.Client, r *http.Request) error {
			resp, err := c.RoundTrip(r)
			if err == nil {
				err = resp.Body.Close()
			}
			return err
		},
		"request says close": func(c *exchange.Client, r *http.Request) error {
			r.Close = true
			_, err := read(t, c, r)
			return err
		},
		"header says close": func(c *exchange.Client, r *http.Request) error {
			r.Header.Set("Connection", "Close")
			_, err := read(t, c, r)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := &upstream{serve: answering(plain)}
			c := u.client(t)
			for range 2 {
				if err := ask(c, request(t, "GET", nil)); err != nil {
					t.Fatal(err)
				}
			}
			if u.dials.Load() != 2 {
				t.Errorf("dialled %d times", u.dials.Load())
			}
		})
	}
}

func TestReadingAfterTheEnd(t *testing.T) {
	u := &upstream{serve: answering(plain)}
	c := u.client(t)
	for _, whole := range []bool{true, false} {
		resp, err := c.RoundTrip(request(t, "GET", nil))
		if err != nil {
			t.Fatal(err)
		}
		want := http.ErrBodyReadAfterClose
		if whole {
			io.ReadAll(resp.Body)
			want = io.EOF
		}
		resp.Body.Close()
		resp.Body.Close()
		if _, err := resp.Body.Read(make([]byte, 1)); !errors.Is(err, want) {
			t.Errorf("whole %v: %v", whole, err)
		}
	}
}

// An answer that cannot be trusted is an error that does not quote it (P8).
func TestRefusedAnswers(t *testing.T) {
	const secret = "kim@acme.example"
	for name, c := range map[string]struct {
		answer string
		want   error
	}{
		"lengths that differ": {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + secret, exchange.ErrMalformed},
		"unknown coding":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + secret + "\r\n\r\n", exchange.ErrMalformed},
		"no field":            {"HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n", exchange.ErrMalformed},
		"not HTTP":            {secret + "\r\n\r\n", exchange.ErrMalformed},
		"low status":          {"HTTP/1.1 099 " + secret + "\r\n\r\n", exchange.ErrMalformed},
		"upgrade":             {"HTTP/1.1 101 " + secret + "\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", exchange.ErrSwitching},
		"large head":          {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat(secret, 5000) + "\r\n\r\n", exchange.ErrTooLarge},
		"many hints":          {strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 3000), exchange.ErrTooLarge},
		"half a head":         {"HTTP/1.1 200 OK\r\nX: " + secret, io.ErrUnexpectedEOF},
		"nothing":             {"", io.ErrUnexpectedEOF},
		"half a body":         {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n" + secret, io.ErrUnexpectedEOF},
		"bad chunk":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + "\r\n", exchange.ErrMalformed},
		"bad trailer":         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + secret + "\r\n\r\n", exchange.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			u := &upstream{serve: func(conn net.Conn) {
				http.ReadRequest(bufio.NewReader(conn))
				io.WriteString(conn, c.answer)
			}}
			_, err := read(t, u.client(t), request(t, "GET", nil))
			failure(t, err, "read", true, c.want)
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("it quotes: %v", err)
			}
		})
	}
}

// P10: an upstream that hung up while nobody asked loses nobody's request, and
// what it said meanwhile is nobody's answer.
func TestP10StaleConnections(t *testing.T) {
	for name, c := range map[string]struct{ unasked string }{"closed": {""}, "spoke": {"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"}} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			stale := make(chan struct{})
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					http.ReadRequest(bufio.NewReader(conn))
					io.WriteString(conn, plain)
					stale <- struct{}{} // the answer was read
					io.WriteString(conn, c.unasked)
					if c.unasked == "" {
						conn.Close()
					}
					stale <- struct{}{}
				}
			}()
			client := exchange.New(exchange.Options{Addr: l.Addr().String(), DialTimeout: patience})
			defer client.Break(nil)
			for range 20 {
				if body, err := read(t, client, request(t, "POST", strings.NewReader("key=abc"))); err != nil || body != "hello" {
					t.Fatalf("got %q, %v", body, err)
				}
				<-stale
				<-stale
			}
		})
	}
}

// How far a request got is told from what was written.
func TestHowFarItGot(t *testing.T) {
	refused := errors.New("refused")
	dial := func(c net.Conn, err error) *exchange.Client {
		return exchange.New(exchange.Options{Addr: "x:1", Dial: func(context.Context, string, string) (net.Conn, error) { return c, err }})
	}
	_, err := dial(nil, refused).RoundTrip(request(t, "GET", nil))
	failure(t, err, "dial", false, refused)

	closed, _ := net.Pipe()
	closed.Close()
	_, err = dial(closed, nil).RoundTrip(request(t, "GET", nil))
	failure(t, err, "write", false, io.ErrClosedPipe)

	for _, much := range []int{1, 1000} { // some of it, or all
		ours, theirs := net.Pipe()
		go func() {
			io.ReadAtLeast(theirs, make([]byte, much), min(much, 20))
			theirs.Close()
		}()
		_, err = dial(ours, nil).RoundTrip(request(t, "GET", nil))
		if op := "write"; much == 1 {
			failure(t, err, op, true, io.ErrClosedPipe)
		} else {
			failure(t, err, "read", true, io.ErrUnexpectedEOF)
		}
	}
}

// An idle connection that fails its next request is no secret.
func TestAUsedConnectionThatFails(t *testing.T) {
	u := &upstream{serve: func(c net.Conn) {
		reader := bufio.NewReader(c)
		http.ReadRequest(reader)
		io.WriteString(c, plain)
		http.ReadRequest(reader) // and no answer
	}}
	c := u.client(t)
	if _, err := read(t, c, request(t, "GET", nil)); err != nil {
		t.Fatal(err)
	}
	_, err := read(t, c, request(t, "GET", nil))
	failure(t, err, "read", true, io.ErrUnexpectedEOF)
}

// Idle connections end when their time has come, whether anybody asks or not,
// and no more wait than may.
func TestIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int32
		u := &upstream{serve: func(c net.Conn) {
			open.Add(1)
			answering(plain)(c)
			open.Add(-1)
		}}
		c := exchange.New(exchange.Options{Addr: "x:1", Dial: u.dial, MaxIdle: 2})
		answers := make([]*http.Response, 3)
		for i := range answers {
			resp, err := c.RoundTrip(request(t, "GET", nil))
			if err != nil {
				t.Fatal(err)
			}
			answers[i] = resp
		}
		for _, want := range []int32{3, 3, 2} { // the third has no place
			resp := answers[0]
			io.ReadAll(resp.Body)
			synctest.Wait()
			if open.Load() != want {
				t.Errorf("%d connections are open, want %d", open.Load(), want)
			}
			answers = answers[1:]
			<-time.After(10 * time.Second)
		}
		for _, want := range []int32{1, 0} { // idle since 0 s and 10 s, now 30 s
			synctest.Wait()
			if open.Load() != want {
				t.Errorf("%d connections are open, want %d", open.Load(), want)
			}
			<-time.After(10 * time.Second)
		}
		if _, err := read(t, c, request(t, "GET", nil)); err != nil {
			t.Fatal(err)
		}
		<-time.After(30 * time.Second)
		synctest.Wait()
		if open.Load() != 0 {
			t.Error("the timer was not set again")
		}
	})
}

// A hundred callers at once get their own answers.
func TestManyCallers(t *testing.T) {
	s := quietServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		io.WriteString(w, r.URL.RawQuery+string(body))
	}))
	c := exchange.New(exchange.Options{Addr: s.Listener.Addr().String(), DialTimeout: patience, MaxIdle: 8})
	defer c.Close()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			for j := range 20 {
				body := strings.Repeat(strconv.Itoa(j), 1<<(j%18))
				r := request(t, "POST", strings.NewReader(body))
				r.URL.RawQuery = strconv.Itoa(i)
				if got, err := read(t, c, r); err != nil || got != strconv.Itoa(i)+body {
					t.Errorf("caller %d got %d bytes, %v", i, len(got), err)
				}
			}
		})
	}
	wg.Wait()
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	var dials atomic.Int32
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := exchange.New(exchange.Options{Addr: s.Listener.Addr().String(), DialTimeout: patience, TLS: &tls.Config{RootCAs: roots}, Dial: dial})
	defer c.Close()
	for range 3 {
		resp, err := c.RoundTrip(request(t, "GET", nil))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil || string(b) != "HTTP/1.1" || resp.TLS == nil {
			t.Errorf("got %q, %v, %v", b, resp.TLS, err)
		}
	}
	if dials.Load() != 1 {
		t.Errorf("dialled %d times", dials.Load())
	}
	stranger := exchange.New(exchange.Options{Addr: s.Listener.Addr().String(), DialTimeout: patience, TLS: &tls.Config{RootCAs: x509.NewCertPool()}})
	var unknown x509.UnknownAuthorityError
	if _, err := stranger.RoundTrip(request(t, "GET", nil)); !errors.As(err, &unknown) {
		t.Errorf("a stranger's certificate: %v", err)
	}
}

package exchange_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/turnout-events/turnout/internal/exchange"
)

// recording keeps the raw bytes of one request and answers once they end in end.
type recording struct {
	upstream
	bytes bytes.Buffer
}

func record(end, answer string) *recording {
	r := new(recording)
	r.serve = func(c net.Conn) {
		for buf := make([]byte, 1<<16); !strings.HasSuffix(r.bytes.String(), end); {
			n, err := c.Read(buf)
			r.bytes.Write(buf[:n])
			if err != nil {
				return
			}
		}
		io.WriteString(c, answer)
	}
	return r
}

// What goes out is what was asked for and nothing else.
func TestRequestBytes(t *testing.T) {
	with := func(method, body string, change func(*http.Request)) *http.Request {
		r := request(t, method, strings.NewReader(body))
		if change != nil {
			change(r)
		}
		return r
	}
	unknown := func(r *http.Request) { r.ContentLength = -1 }
	for name, c := range map[string]struct {
		r    *http.Request
		want string
	}{
		"read":         {with("GET", "", nil), "GET /x HTTP/1.1\r\nHost: acme.example\r\n\r\n"},
		"no method":    {with("", "", nil), "GET /x HTTP/1.1\r\nHost: acme.example\r\n\r\n"},
		"host":         {with("GET", "", func(r *http.Request) { r.Host = "other:81" }), "GET /x HTTP/1.1\r\nHost: other:81\r\n\r\n"},
		"target":       {with("GET", "", func(r *http.Request) { r.URL = &url.URL{Path: "/a/b", RawPath: "/a%2Fb", RawQuery: "q;"} }), "GET /a%2Fb?q; HTTP/1.1\r\nHost: acme.example\r\n\r\n"},
		"small body":   {with("POST", "key", nil), "POST /x HTTP/1.1\r\nHost: acme.example\r\nContent-Length: 3\r\n\r\nkey"},
		"empty body":   {with("POST", "", nil), "POST /x HTTP/1.1\r\nHost: acme.example\r\nContent-Length: 0\r\n\r\n"},
		"unknown body": {with("PUT", "key=abc", unknown), "PUT /x HTTP/1.1\r\nHost: acme.example\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nkey=abc\r\n0\r\n\r\n"},
		"in pieces": {with("PUT", "", func(r *http.Request) {
			r.ContentLength, r.Body = -1, io.NopCloser(iotest.DataErrReader(iotest.OneByteReader(strings.NewReader("ab"))))
		}), "PUT /x HTTP/1.1\r\nHost: acme.example\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"},
		"large pieces": {with("PUT", strings.Repeat("a", 40000), unknown), "PUT /x HTTP/1.1\r\nHost: acme.example\r\nTransfer-Encoding: chunked\r\n\r\n7ff8\r\n" +
			strings.Repeat("a", 0x7ff8) + "\r\n" + strconv.FormatInt(40000-0x7ff8, 16) + "\r\n" + strings.Repeat("a", 40000-0x7ff8) + "\r\n0\r\n\r\n"},
		"large body": {with("POST", strings.Repeat("a", 1<<17), nil), "POST /x HTTP/1.1\r\nHost: acme.example\r\nContent-Length: 131072\r\n\r\n" + strings.Repeat("a", 1<<17)},
		"trailers": {with("PUT", "k", func(r *http.Request) {
			r.ContentLength = -1
			r.Trailer = http.Header{"X-Sum": {"1"}, "X-None": nil, "Content-Length": {"5"}, "Host": {"x"}}
		}), "PUT /x HTTP/1.1\r\nHost: acme.example\r\nTransfer-Encoding: chunked\r\nTrailer: X-None, X-Sum\r\n\r\n1\r\nk\r\n0\r\nX-Sum: 1\r\n\r\n"},
		"field": {with("GET", "", func(r *http.Request) { r.Header.Set("User-Agent", "") }), "GET /x HTTP/1.1\r\nHost: acme.example\r\nUser-Agent: \r\n\r\n"},
		"framing is not the header's": {with("GET", "", func(r *http.Request) {
			r.Header = http.Header{"content-length": {"5"}, "Transfer-Encoding": {"chunked"}, "HOST": {"x"}, "trailer": {"x"}}
		}), "GET /x HTTP/1.1\r\nHost: acme.example\r\n\r\n"},
		"close": {with("GET", "", func(r *http.Request) { r.Close = true }), "GET /x HTTP/1.1\r\nHost: acme.example\r\nConnection: close\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			u := record(c.want, plain)
			if _, err := read(t, u.client(t), c.r); err != nil || u.bytes.String() != c.want {
				t.Errorf("%v; sent %.300q", err, u.bytes.String())
			}
		})
	}
}

// P6: nothing in a request can begin another one.
func TestP6InvalidRequests(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = []string{value} }
	}
	for name, change := range map[string]func(*http.Request){
		"value":        header("X", "a\r\nHost: b"),
		"line feed":    header("X", "a\nb"),
		"null":         header("X", "a\x00"),
		"name":         header("X: a\r\nY", "b"),
		"space":        header("X ", "b"),
		"no name":      header("", "b"),
		"method":       func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\nX:" },
		"tunnel":       func(r *http.Request) { r.Method = "CONNECT" },
		"query":        func(r *http.Request) { r.URL.RawQuery = "a HTTP/1.1\r\nX: b" },
		"query, space": func(r *http.Request) { r.URL.RawQuery = "a HTTP/1.1" },
		"opaque":       func(r *http.Request) { r.URL.Opaque = "/ HTTP/1.1\r\n" },
		"host":         func(r *http.Request) { r.Host = "a\r\nX: b" },
		"host, space":  func(r *http.Request) { r.Host = "a b" },
		"no body":      func(r *http.Request) { r.ContentLength = 5 },
	} {
		t.Run(name, func(t *testing.T) {
			u := &upstream{serve: func(net.Conn) {}}
			r := request(t, "GET", nil)
			change(r)
			_, err := u.client(t).RoundTrip(r)
			want := exchange.ErrRequest
			if name == "no body" {
				want = exchange.ErrLength
			}
			failure(t, err, "write", false, want)
			if u.dials.Load() > 0 {
				t.Error("it was dialled for")
			}
		})
	}
	r := request(t, "PUT", strings.NewReader("k"))
	r.ContentLength, r.Trailer = -1, http.Header{"X": {"a\r\n\r\nGET / HTTP/1.1"}}
	u := record("GET", plain)
	_, err := read(t, u.client(t), r)
	failure(t, err, "write", true, exchange.ErrRequest)
}

// A body that is not what it says never looks whole, and a small one that is not
// reaches nobody.
func TestBodiesThatLie(t *testing.T) {
	torn := errors.New("the client is gone")
	for name, c := range map[string]struct {
		length int64
		body   io.Reader
		want   error
	}{
		"short":          {5, strings.NewReader("four"), exchange.ErrLength},
		"long":           {5, strings.NewReader("sixsix"), exchange.ErrLength},
		"torn":           {5, io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(torn)), torn},
		"torn at end":    {2, io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(torn)), torn},
		"large, short":   {1 << 17, strings.NewReader(strings.Repeat("x", 1<<17-1)), exchange.ErrLength},
		"large, long":    {1 << 17, strings.NewReader(strings.Repeat("x", 1<<17+1)), exchange.ErrLength},
		"large, torn":    {1 << 17, io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(torn)), torn},
		"large, at end":  {1 << 17, io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<17)), iotest.ErrReader(torn)), torn},
		"unknown, torn":  {-1, io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(torn)), torn},
		"unknown, at it": {-1, iotest.ErrReader(torn), torn},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				whole := false
				u := &upstream{serve: func(conn net.Conn) {
					r, err := http.ReadRequest(bufio.NewReader(conn))
					if err == nil {
						_, err = io.Copy(io.Discard, r.Body)
					}
					whole = err == nil
				}}
				r := request(t, "POST", nil)
				body := &closing{Reader: c.body}
				r.ContentLength, r.Body = c.length, body
				_, err := read(t, u.client(t), r)
				large := c.length < 0 || c.length > 1<<16
				failure(t, err, "write", large, c.want)
				synctest.Wait()
				if whole || (!large && u.dials.Load() > 0) {
					t.Errorf("whole %v, dialled %d times", whole, u.dials.Load())
				}
				if !body.closed {
					t.Error("the body was left open")
				}
			})
		})
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

// An answer that comes before the body's end is heard, the body is left alone
// then, and the connection is not used again.
func TestEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{serve: func(c net.Conn) { start(plain)(c, t.Context().Done()) }}
		c := u.client(t)
		from, to := io.Pipe()
		r := request(t, "POST", from)
		if b, err := read(t, c, r); err != nil || b != "hello" {
			t.Errorf("got %q, %v", b, err)
		}
		go to.Write([]byte("too late"))
		synctest.Wait()
		if _, err := to.Write([]byte("later")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the body is still read from: %v", err)
		}
		if _, err := read(t, c, request(t, "GET", nil)); err != nil || u.dials.Load() != 2 {
			t.Errorf("%v, dialled %d times", err, u.dials.Load())
		}
	})
}

// Nothing is read from a body whose server may have put it away.
func TestBodyIsLeftAloneAfterTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{serve: func(c net.Conn) { start(plain)(c, t.Context().Done()) }}
		body := &slow{more: make(chan struct{})}
		if _, err := read(t, u.client(t), request(t, "POST", body)); err != nil {
			t.Fatal(err)
		}
		close(body.more)
		synctest.Wait()
		if body.reads > 1 {
			t.Errorf("read %d times", body.reads)
		}
	})
}

// slow has nothing to give, and takes its time the first time.
type slow struct {
	more  chan struct{}
	reads int
}

func (s *slow) Read([]byte) (int, error) {
	if s.reads++; s.reads > 2 {
		return 0, io.EOF
	}
	<-s.more
	return 0, nil
}

// An answer and a body may be under way at the same time.
func TestBothWaysAtOnce(t *testing.T) {
	u := &upstream{serve: func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for b := make([]byte, 1); ; {
			if _, err := r.Body.Read(b); err != nil {
				break
			}
			io.WriteString(c, "1\r\n"+string(b)+"\r\n")
		}
		io.WriteString(c, "0\r\n\r\n")
	}}
	from, to := io.Pipe()
	resp, err := u.client(t).RoundTrip(request(t, "POST", from))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	for _, letter := range "echo" {
		to.Write([]byte(string(letter)))
		if _, err := io.ReadFull(resp.Body, b); err != nil || b[0] != byte(letter) {
			t.Errorf("got %q, %v", b, err)
		}
	}
	to.Close()
	if n, err := resp.Body.Read(b); n != 0 || err != io.EOF {
		t.Errorf("ended with %d bytes, %v", n, err)
	}
}

// A connection serves again after a large body, whichever of the two ends first.
func TestLargeBodiesKeepTheirConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{serve: answering(plain)}
		c := u.client(t)
		for _, length := range []int64{1 << 20, -1} {
			for range 20 {
				r := request(t, "POST", strings.NewReader(strings.Repeat("x", 1<<20)))
				r.ContentLength = length
				if b, err := read(t, c, r); err != nil || b != "hello" {
					t.Fatalf("got %q, %v", b, err)
				}
				synctest.Wait()
			}
		}
		if n := u.dials.Load(); n != 1 {
			t.Errorf("dialled %d times", n)
		}
	})
}

package exchange_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/turnout-events/turnout/internal/exchange"
)

// The oracle is httputil.ReverseProxy over http.Transport. One request and one
// answer, both raw bytes, go through it and through Prepare, RoundTrip and
// Answer; what the upstream saw and what the client got have to be the same.
//
// Where we differ on purpose, and why (each is taken out in normalise or in odd):
//   - Expect is dropped, not passed on: the server here has given the go-ahead.
//   - Upgrades are not passed on, and CONNECT is refused: edge gives them to
//     ReverseProxy, since a tunnel is no exchange.
//   - User-Agent is a field like any other: ReverseProxy drops an empty one and
//     all but the first.
//   - The query goes on byte for byte; ReverseProxy would rewrite one that it
//     cannot parse. Nothing here decides by the query, so there are no two
//     readings of it to be played against each other.
//   - A request without Host (HTTP/1.0) is sent without one, and an IPv6 zone in
//     a host stays: it names no upstream of ours either way.
//   - An invalid host (from a target such as http://a"b/) is refused, where
//     http.Transport sends an empty one or, if it is not ASCII, Punycode.
//   - A target with a space in it, which HTTP/2 can bring, is refused: it would
//     be read as the end of the target.
//   - Request trailers arrive. ReverseProxy announces them and sends none.
//     Those that may not be trailers (RFC 9110, 6.5.1), or that are no names, are
//     not announced; ReverseProxy refuses the latter.
//   - An answer of unknown length that came in one piece goes on with its length
//     where ReverseProxy sends a chunk: it saves a write.
//   - An answer without Content-Type stays without one: ReverseProxy lets the
//     server guess, unless the answer's head happens to be flushed first.
//   - A status below 100 is a 502, where ReverseProxy panics.
//   - A head over 64 KiB is refused; http.Transport allows 10 MB. 1xx answers
//     count, even those that were passed on.
//   - A body of known length up to 64 KiB is read before the request goes out,
//     so one that breaks off reaches nobody.

// seen is what an upstream saw.
type seen struct {
	Method, Target, Host string
	Header, Trailer      http.Header
	Body                 string
	Length               int64
	Chunked              bool
}

// got is what a client got.
type got struct {
	Status  int
	Header  http.Header
	Trailer http.Header
	Body    string
	Length  int64
	Early   []string // 1xx answers
	Broken  bool
}

// backend answers every request with the same bytes and hangs up.
type backend struct {
	net.Listener
	mu     sync.Mutex
	answer []byte
	saw    []seen
}

func newBackend(tb testing.TB) *backend {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	b := &backend{Listener: l}
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(c)
		}
	}()
	return b
}

func (b *backend) serve(c net.Conn) {
	defer c.Close()
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saw = append(b.saw, seen{r.Method, r.RequestURI, r.Host, r.Header, r.Trailer, string(body), r.ContentLength, len(r.TransferEncoding) > 0})
	c.Write(b.answer)
}

func (b *backend) set(answer []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer, b.saw = answer, nil
}

func (b *backend) take() []seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.saw
}

// pair is both proxies before one backend.
type pair struct {
	backend      *backend
	ours, theirs *httptest.Server
}

func newPair(tb testing.TB) *pair {
	log.SetOutput(io.Discard) // http.Transport complains of every answer that is too long
	tb.Cleanup(func() { log.SetOutput(os.Stderr) })
	p := &pair{backend: newBackend(tb)}
	address := p.backend.Addr().String()
	p.ours = quietServer(tb, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := exchange.New(exchange.Options{Addr: address, DialTimeout: patience})
		defer c.Close()
		forward(c, w, r)
	}))
	p.theirs = quietServer(tb, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &http.Transport{DisableCompression: true}
		defer t.CloseIdleConnections()
		oracle(t, address).ServeHTTP(w, r)
	}))
	return p
}

func quietServer(tb testing.TB, h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	tb.Cleanup(s.Close)
	return s
}

// forward is the reverse proxy as edge has it, without its rules.
func forward(c http.RoundTripper, w http.ResponseWriter, r *http.Request) {
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		panic(err)
	}
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		maps.Copy(w.Header(), header)
		w.WriteHeader(code)
		clear(w.Header())
		return nil
	}}
	out := exchange.Prepare(r, client, "http")
	resp, err := c.RoundTrip(out.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if exchange.Answer(w, resp) != nil {
		panic(http.ErrAbortHandler)
	}
}

func oracle(t http.RoundTripper, address string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.Host = r.In.Host
			r.Out.URL.Scheme, r.Out.URL.Host = "http", address
			r.Out.URL.RawQuery = r.In.URL.RawQuery
		},
		Transport: t, ErrorLog: log.New(io.Discard, "", 0),
	}
}

// ask sends raw bytes to a proxy.
func ask(t *testing.T, s *httptest.Server, method string, request []byte) got {
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second)) // a hang is a failure
	c.Write(request)
	var g got
	reader := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(reader, &http.Request{Method: method})
		if timeout(err) {
			t.Fatalf("no answer to %q", request)
		}
		if err != nil {
			g.Broken = true
			return g
		}
		if resp.StatusCode/100 == 1 {
			g.Early = append(g.Early, strconv.Itoa(resp.StatusCode)+fmt.Sprint(resp.Header))
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if timeout(err) {
			t.Fatalf("the answer to %q does not end", request)
		}
		g.Status, g.Header, g.Trailer, g.Body, g.Length, g.Broken = resp.StatusCode, resp.Header, resp.Trailer, string(body), resp.ContentLength, err != nil
		return g
	}
}

func timeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// odd reports whether a request is one that we treat differently as a whole, or
// none at all.
func odd(request []byte) (method string, skip bool) {
	reader := bufio.NewReader(bytes.NewReader(request))
	r, err := http.ReadRequest(reader)
	if err != nil {
		return "", true
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil || reader.Buffered() > 0 {
		return "", true
	}
	for name := range r.Trailer {
		skip = skip || !httpguts.ValidHeaderFieldName(name)
	}
	return r.Method, skip || r.Method == http.MethodConnect || r.Method == "PRI" || strings.Contains(r.Host, "%") || !httpguts.ValidHostHeader(r.Host) ||
		r.Header.Get("Upgrade") != "" || r.Header.Get("Expect") != ""
}

func (s seen) normalise(address string) seen {
	if s.Host == address {
		s.Host = "" // what http.Transport puts where there is none
	}
	delete(s.Header, "User-Agent")
	s.Trailer = nil
	delete(s.Header, "Trailer")
	return s
}

func (g got) normalise(method string) got {
	if g.Broken { // how much of it got out is a matter of chance
		return got{Broken: true}
	}
	delete(g.Header, "Date")
	if method != http.MethodHead && g.Status != http.StatusNotModified {
		if n := g.Header.Get("Content-Length"); n != "" && n != strconv.Itoa(len(g.Body)) {
			g.Header.Set("Wrong-Length", n)
		}
		delete(g.Header, "Content-Length")
		g.Length = 0
	}
	for i, k := range g.Header["Trailer"] {
		names := strings.Split(k, ", ")
		slices.Sort(names)
		g.Header["Trailer"][i] = strings.Join(names, ", ")
	}
	return g
}

// outcome is what both ends had of one request.
type outcome struct {
	client   got
	upstream []seen
}

func (p *pair) through(t *testing.T, s *httptest.Server, method string, request, answer []byte) outcome {
	p.backend.set(answer)
	o := outcome{client: ask(t, s, method, request).normalise(method)}
	for _, one := range p.backend.take() {
		o.upstream = append(o.upstream, one.normalise(p.backend.Addr().String()))
	}
	return o
}

// same sends one request through both proxies. The oracle is asked again when it
// differs: on a busy machine its answer breaks off now and then when the upstream
// hangs up while its other goroutine is still at the request's body. We are not.
func (p *pair) same(t *testing.T, request, answer []byte) {
	t.Helper()
	method, skip := odd(request)
	if skip {
		return
	}
	ours := p.through(t, p.ours, method, request, answer)
	var theirs outcome
	for range 4 {
		theirs = p.through(t, p.theirs, method, request, answer)
		theirs.client = allow(ours.client, theirs.client, request, answer)
		if reflect.DeepEqual(ours, theirs) {
			return
		}
	}
	t.Errorf("%.500q answered with %.500q gave\n%.1500s from us, but\n%.1500s from ReverseProxy", request, answer, fmt.Sprintf("%+v", ours), fmt.Sprintf("%+v", theirs))
}

// allow turns what the oracle's client got into what ours may get.
func allow(ours, theirs got, request, answer []byte) got {
	if ours.Header["Content-Type"] == nil && theirs.Header.Get("Content-Type") == http.DetectContentType([]byte(theirs.Body)) {
		delete(theirs.Header, "Content-Type")
	}
	if ours.Broken && bytes.Contains(request, []byte(" HTTP/1.0\r\n")) {
		return ours // without chunks nobody can tell that the end is missing
	}
	if low(answer) && ours.Status == http.StatusBadGateway && theirs.Broken {
		return ours
	}
	return theirs
}

// low reports whether an answer's status, or that of a 1xx's successor, is below 100.
func low(answer []byte) bool {
	reader := bufio.NewReader(bytes.NewReader(answer))
	for {
		resp, err := http.ReadResponse(reader, nil)
		if err != nil || resp.StatusCode >= 200 {
			return false
		}
		if resp.StatusCode < 100 {
			return true
		}
	}
}

// Every request meets every answer.
func TestSameAsReverseProxy(t *testing.T) {
	p := newPair(t)
	for _, request := range requests() {
		for _, answer := range answers() {
			p.same(t, []byte(request), []byte(answer))
		}
	}
}

// What clients say in any mixture.
func TestSameAsReverseProxyForMixedFields(t *testing.T) {
	fields := []string{
		"Connection: close", "Connection: keep-alive", "Connection: X-Hop, x-end", "Connection: ,, te ,", "X-Hop: 1", "X-End: 2", "x-end: 3",
		"Te: trailers", "TE: gzip;q=1, trailers", "Te: deflate", "Trailer: X-Sum", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive",
		"Proxy-Authenticate: x", "Proxy-Authorization: x", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: ::1", "Forwarded: for=x", "X-Forwarded-Proto: https",
		"X-Forwarded-Host: y", "X-Forwarded-Port: 1", "Cookie: a=1; b=2", "Cookie: c=3", "User-Agent: test", "Accept-Encoding: gzip, br", "Accept:", "X-Empty:",
		"Range: bytes=0-1", "If-None-Match: \"1\"", "Origin: null", "Content-Type: application/x-www-form-urlencoded", "Idempotency-Key: 1", "X:  spaced  ",
	}
	bodies := []string{"\r\n", "Content-Length: 4\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"}
	methods := []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "ODD"}
	p := newPair(t)
	random := rand.New(rand.NewPCG(1, 2))
	all := answers()
	for range 600 {
		var b strings.Builder
		b.WriteString(methods[random.IntN(len(methods))] + " /x HTTP/1.1\r\nHost: acme.example\r\n")
		for range random.IntN(8) {
			b.WriteString(fields[random.IntN(len(fields))] + "\r\n")
		}
		b.WriteString(bodies[random.IntN(len(bodies))])
		p.same(t, []byte(b.String()), []byte(all[random.IntN(len(all))]))
		if t.Failed() {
			return
		}
	}
}

// Whatever a client sends, the upstream sees what it would see from ReverseProxy.
func FuzzRequest(f *testing.F) {
	for _, request := range requests() {
		f.Add([]byte(request))
	}
	p := newPair(f)
	f.Fuzz(func(t *testing.T, request []byte) { p.same(t, request, []byte(plain)) })
}

// Whatever an upstream answers, the client gets what it would get from ReverseProxy.
func FuzzAnswer(f *testing.F) {
	for i, answer := range answers() {
		f.Add(i%4 == 0, []byte(answer))
	}
	p := newPair(f)
	f.Fuzz(func(t *testing.T, head bool, answer []byte) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		p.same(t, []byte(method+" / HTTP/1.1\r\nHost: x\r\n\r\n"), answer)
	})
}

// A client that goes away takes its request with it, on both.
func TestCancellationReachesTheUpstream(t *testing.T) {
	arrived, over := make(chan struct{}), make(chan struct{})
	upstream := quietServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
		over <- struct{}{}
	}))
	address := upstream.Listener.Addr().String()
	c := exchange.New(exchange.Options{Addr: address, DialTimeout: patience})
	for name, h := range map[string]http.Handler{
		"ours":   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { forward(c, w, r) }),
		"theirs": oracle(&http.Transport{}, address),
	} {
		t.Run(name, func(t *testing.T) {
			s := quietServer(t, h)
			ctx, cancel := context.WithCancel(t.Context())
			r, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				<-arrived
				cancel()
			}()
			if _, err := http.DefaultClient.Do(r); err == nil {
				t.Error("answered")
			}
			<-over
		})
	}
}

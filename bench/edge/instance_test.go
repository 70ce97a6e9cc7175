package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/wiretest"
)

// listen is over TLS where there is a file of a certificate and its key.
func listen(addr, pair string) (net.Listener, error) {
	if pair == "" {
		return net.Listen("tcp", addr)
	}
	cert, err := tls.LoadX509KeyPair(pair, pair)
	if err != nil {
		return nil, err
	}
	return tls.Listen("tcp", addr, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}})
}

// serve is an HTTP server until ctx ends and its drain, if it has one, is over.
func serve(ctx context.Context, l net.Listener, h http.Handler, drain time.Duration) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	pass(drain)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}

// answerSize is that of every page, in bytes.
const answerSize = 1024

// serveFloor answers every request with the same bytes, as cheaply as a process
// of Go can: what is measured is what stands before it.
func serveFloor(ctx context.Context, settings []byte) error {
	var addresses []string
	if err := json.Unmarshal(settings, &addresses); err != nil {
		return err
	}
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n" +
		"Content-Security-Policy: default-src 'self'\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: same-origin\r\n" +
		"Content-Length: " + strconv.Itoa(answerSize) + "\r\n\r\n" + strings.Repeat("x", answerSize))
	for _, addr := range addresses {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go floor(c, answer)
			}
		}()
	}
	<-ctx.Done()
	return nil
}

// floor answers requests without bodies on one connection.
func floor(c net.Conn, answer []byte) {
	defer c.Close()
	buf, have := make([]byte, 16<<10), 0
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		if !bytes.HasSuffix(buf[:have], []byte("\r\n\r\n")) {
			continue
		}
		have = 0
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// instanceSettings are those of the role "instance".
type instanceSettings struct {
	// Name and Generation say who answered.
	Name       string
	Generation int
	Listen     string
	// Keys is the directory where all instances remember submissions, as
	// Turnout's share a store.
	Keys string
	// Service is how long a page takes, without CPU; Places how many requests
	// are worked on at once, 0 for any number.
	Service time.Duration
	Places  int
	// Drain is how long it serves its sessions after SIGTERM.
	Drain time.Duration
}

// instance is a stub of an app instance: a page, and a form whose submissions
// are stored once for each key.
type instance struct {
	s      instanceSettings
	places chan struct{}
	until  atomic.Int64 // when its drain ends, in seconds since 1970
	failed atomic.Int64 // of ten requests, how many fail
	n      atomic.Int64
	page   []byte
}

func serveInstance(ctx context.Context, settings []byte) error {
	i := &instance{page: bytes.Repeat([]byte("x"), answerSize)}
	if err := json.Unmarshal(settings, &i.s); err != nil {
		return err
	}
	if i.s.Places > 0 {
		i.places = make(chan struct{}, i.s.Places)
	}
	context.AfterFunc(ctx, func() { i.until.Store(time.Now().Add(i.s.Drain).Unix()) })
	l, err := listen(i.s.Listen, "")
	if err != nil {
		return err
	}
	return serve(ctx, l, i, i.s.Drain)
}

// Paths of an instance that are nobody's page.
const (
	drainPath = "/.bench/ready" // 404 while it drains, as HAProxy wants it
	faultPath = "/.bench/fail/" // then how many of ten requests fail
)

// whoHeader says which instance answered, and which generation of it.
const whoHeader = "Instance"

func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	draining := i.until.Load()
	switch {
	case r.URL.Path == pool.Path && draining != 0:
		w.Header().Set(pool.DrainHeader, strconv.FormatInt(draining, 10))
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == pool.Path, r.URL.Path == drainPath && draining == 0:
	case r.URL.Path == drainPath:
		w.WriteHeader(http.StatusNotFound)
	case strings.HasPrefix(r.URL.Path, faultPath):
		n, _ := strconv.ParseInt(r.URL.Path[len(faultPath):], 10, 64)
		i.failed.Store(n)
	default:
		i.work(w, r)
	}
}

func (i *instance) work(w http.ResponseWriter, r *http.Request) {
	if i.places != nil {
		i.places <- struct{}{}
		defer func() { <-i.places }()
	}
	w.Header().Set(whoHeader, fmt.Sprintf("%s.%d", i.s.Name, i.s.Generation))
	w.Header().Set("Cache-Control", "no-store")
	if i.n.Add(1)%10 < i.failed.Load() {
		http.Error(w, "this one fails", http.StatusInternalServerError)
		return
	}
	long := i.s.Service
	if d, err := time.ParseDuration(r.URL.Query().Get("takes")); err == nil {
		long = d
	}
	if r.Method != http.MethodPost {
		pass(long)
		_, _ = w.Write(i.page)
		if n, _ := strconv.Atoi(r.URL.Query().Get("more")); n > 0 {
			_, _ = w.Write(make([]byte, min(n, 64<<20))) // whoever went away does not need it
		}
		return
	}
	key, note := r.PostFormValue("key"), r.PostFormValue("note")
	pass(long / 2)
	if err := i.remember(key, note); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	pass(long / 2) // it is stored and nobody was told: the worst moment to be killed
	w.Header().Set("Location", "/registrations/"+key)
	w.WriteHeader(http.StatusSeeOther)
}

// remember stores what was typed under its key, in one step, once.
func (i *instance) remember(key, note string) error {
	f, err := os.CreateTemp(i.s.Keys, ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(note)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), filepath.Join(i.s.Keys, filepath.Base(key))); !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// house is a few instances that share what they remember.
type house struct {
	b    *testing.B
	keys string
	all  []*member
	ill  *journal
}

// member is one instance, which may be started again.
type member struct {
	instanceSettings
	*process
	second bool
}

// newHouse starts n instances.
func newHouse(b *testing.B, n int, like instanceSettings) *house {
	b.Helper()
	h := &house{b: b, keys: b.TempDir(), ill: &journal{}}
	for range n {
		h.add(like)
	}
	return h
}

// add starts one more.
func (h *house) add(like instanceSettings) *member {
	h.b.Helper()
	like.Name, like.Listen, like.Keys = fmt.Sprintf("i%d", len(h.all)+1), wiretest.FreeAddress(h.b), h.keys
	m := &member{instanceSettings: like}
	h.all = append(h.all, m)
	h.start(m)
	return m
}

// start starts one that is not there, as its own successor.
func (h *house) start(m *member) {
	h.b.Helper()
	m.Generation++
	m.process = launchRole(h.b, "instance", m.instanceSettings)
	awaitListener(h.b, m.Listen)
}

func (m *member) who() string { return fmt.Sprintf("%s.%d", m.Name, m.Generation) }

// fails lets n of ten requests at an instance fail.
func (m *member) fails(b *testing.B, n int) {
	b.Helper()
	resp, err := http.Get("http://" + m.Listen + faultPath + strconv.Itoa(n))
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

// end ends all of them without their drains.
func (h *house) end() {
	for _, m := range h.all {
		m.kill()
	}
}

// plan is all of them, for a proxy.
func (h *house) plan() plan {
	p := plan{}
	for _, m := range h.all {
		p.upstreams = append(p.upstreams, upstream{m.Name, m.Listen, m.second})
	}
	return p
}

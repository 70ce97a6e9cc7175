//go:build e2e

package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// tell writes text on a connection of its own and reads what comes, until limit.
func tell(address, text string, limit time.Duration) string {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return ""
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(limit))
	_, _ = io.WriteString(c, text)
	all, _ := io.ReadAll(c)
	return string(all)
}

// What is ambiguous, malformed or absurd is refused, and reaches no instance as
// something else than it was here.
func TestEdgeRefusesWhatIsAmbiguous(t *testing.T) {
	t.Parallel()
	var seen atomic.Int64
	paths := sync.Map{}
	in := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		paths.Store(r.Method+" "+r.URL.Path, true)
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "ok")
	}))
	defer in.Close()
	e := startEdge(t, routesOf(in))
	const host = "Host: events.acme.example\r\n"
	for name, c := range map[string]struct{ text, want string }{
		"two lengths":             {"POST / HTTP/1.1\r\n" + host + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcdeGET /smuggled HTTP/1.1\r\n" + host + "\r\n", " 400 "},
		"length and chunks":       {"POST / HTTP/1.1\r\n" + host + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n", ""},
		"chunked twice":           {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n" + host + "\r\n", " 501 "},
		"chunked in other words":  {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", " 501 "},
		"space before a colon":    {"GET / HTTP/1.1\r\n" + host + "Content-Length : 5\r\n\r\n", " 400 "},
		"a bare line feed":        {"GET / HTTP/1.1\nHost: events.acme.example\nX: a\rb\n\n", " 400 "},
		"two hosts":               {"GET / HTTP/1.1\r\n" + host + host + "\r\n", " 400 "},
		"no host":                 {"GET / HTTP/1.1\r\n\r\n", " 400 "},
		"an absurd host":          {"GET / HTTP/1.1\r\nHost: a@b/c\\d\r\n\r\n", " 400 "},
		"a foreign host":          {"GET http://events.acme.example/ HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n", " 200 "},
		"an endless head":         {"GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", " 431 "},
		"a path of control bytes": {"GET /\x01 HTTP/1.1\r\n" + host + "\r\n", " 400 "},
		"another protocol":        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""},
		"a tunnel":                {"CONNECT events.acme.example:443 HTTP/1.1\r\n" + host + "\r\n", " 4"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tell(e.plain, c.text, 3*time.Second)
			first, _, _ := strings.Cut(got, "\r\n")
			if !strings.Contains(first, c.want) {
				t.Errorf("answered %q, want %s", first, c.want)
			}
		})
	}
	paths.Range(func(path, _ any) bool {
		if strings.Contains(path.(string), "smuggled") {
			t.Errorf("an instance was asked for %s", path)
		}
		return true
	})
}

// P7: slow heads, slow bodies, slow readers and floods of handshakes from one
// address cost others no request.
func TestP7TheSlowCostOthersNothing(t *testing.T) {
	page := strings.Repeat("x", 200<<10)
	in := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/large" {
			_, _ = io.WriteString(w, page)
			return
		}
		fmt.Fprint(w, "one")
	}))
	defer in.Close()
	secure := wiretest.FreeAddress(t)
	startEdge(t, routesOf(in), "TLS_LISTEN="+secure, "CERTIFICATES_FROM=internal")
	stop := make(chan struct{})
	var all sync.WaitGroup
	abuse := func(n int, once func()) {
		for range n {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						once()
					}
				}
			})
		}
	}
	trust := &tls.Config{ServerName: "events.acme.example", InsecureSkipVerify: true}
	slowly := func(text string, then func(c net.Conn)) func() {
		return func() {
			c, err := tls.Dial("tcp", secure, trust)
			if err != nil {
				<-time.After(50 * time.Millisecond)
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, text)
			then(c)
		}
	}
	trickle := func(c net.Conn) {
		for range 100 {
			select {
			case <-stop:
				return
			case <-time.After(30 * time.Millisecond):
			}
			if _, err := io.WriteString(c, "x"); err != nil {
				return
			}
		}
	}
	const host = "Host: events.acme.example\r\n"
	abuse(20, slowly("GET / HTTP/1.1\r\n"+host+"X: ", trickle))
	abuse(20, slowly("POST / HTTP/1.1\r\n"+host+"Content-Length: 100000\r\n\r\n", trickle))
	abuse(20, slowly("GET /large HTTP/1.1\r\n"+host+"\r\n", func(c net.Conn) { // reads nothing
		select {
		case <-stop:
		case <-time.After(3 * time.Second):
		}
	}))
	abuse(2, slowly("", func(net.Conn) {}))
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: trust}}
	defer client.CloseIdleConnections()
	failed := 0
	for range 200 {
		req, _ := http.NewRequest("GET", "https://"+secure+"/", nil)
		req.Host = "events.acme.example"
		resp, err := client.Do(req)
		if err != nil {
			failed++
			continue
		}
		text, err := bufio.NewReader(resp.Body).ReadString(0)
		resp.Body.Close()
		if !errors.Is(err, io.EOF) || text != "one" {
			failed++
		}
		<-time.After(10 * time.Millisecond)
	}
	close(stop)
	all.Wait()
	if failed != 0 {
		t.Errorf("P7: %d of 200 requests failed", failed)
	}
}

package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/load/measure"
)

// oddity is a request that no browser sends. HOST stands for the site's host.
type oddity struct {
	name, text string
	// once: however it is read, at most one answer may come: a second one is to
	// what was smuggled in.
	once bool
}

// oddities are attempts to be taken for two requests by one side and for one by the
// other, and things that only programs send. None may be answered by a 2xx or a 5xx
// other than 501 and 505, nor by two answers where there was one request.
func oddities() []oddity {
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n"
	head := "POST /events/x/register HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	return []oddity{
		// Go's server goes by the chunks, and by RFC 9112 (6.1) it should close the
		// connection then; it serves what follows as what it is, a second request.
		{"length and chunks", head + "Content-Length: 49\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, false},
		{"two lengths", head + "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + smuggled, true},
		{"a length that is none", head + "Content-Length: +3\r\n\r\na=b" + smuggled, true},
		{"chunks twice", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + smuggled, true},
		{"chunks with a space", head + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled, true},
		{"a chunk of a size that is none", head + "Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n" + smuggled, true},
		{"two hosts", "GET / HTTP/1.1\r\nHost: HOST\r\nHost: elsewhere.example\r\n\r\n", false},
		{"no host", "GET / HTTP/1.1\r\n\r\n", false},
		{"a folded field", "GET / HTTP/1.1\r\nHost: HOST\r\nX-A: b\r\n\tc: d\r\nX : y\r\n\r\n", false},
		{"a method that is none", "GE(T) / HTTP/1.1\r\nHost: HOST\r\n\r\n", false},
		{"TRACE", "TRACE / HTTP/1.1\r\nHost: HOST\r\n\r\n", false},
		{"CONNECT", "CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example:443\r\n\r\n", false},
		{"PROPFIND", "PROPFIND /events HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n", false},
		{"another's address", "GET http://elsewhere.example/ HTTP/1.1\r\nHost: HOST\r\n\r\n", false},
		{"HTTP/3.9", "GET / HTTP/3.9\r\nHost: HOST\r\n\r\n", false},
		{"a huge field", "GET / HTTP/1.1\r\nHost: HOST\r\nX-Huge: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", false},
		{"bad UTF-8 in a path", "GET /events/%ff%fe HTTP/1.1\r\nHost: HOST\r\n\r\n", false},
		{"a zero byte in a path", "GET /events/%00 HTTP/1.1\r\nHost: HOST\r\n\r\n", false},
		{"a path that climbs", "GET /assets/..%2f..%2f..%2fetc/passwd HTTP/1.1\r\nHost: HOST\r\n\r\n", false},
		{"bad UTF-8 in a form", head + "Content-Length: 16\r\n\r\nfirst_name=%ff%f", false},
		{"no HTTP", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", false},
	}
}

// oddPatience is how long an answer to an odd request is waited for.
const oddPatience = 5 * time.Second

// beOdd sends one of the oddities over a connection of its own.
func (v *visitor) beOdd(ctx context.Context, step string, due time.Duration) (end time.Duration) {
	all := oddities()
	o := all[v.rng.IntN(len(all))]
	sent := v.now()
	v.rec.Begin(due)
	fault := v.browser.Odd(ctx, oddPatience, o.text, func(from net.Conn) string {
		return judge(from, o, func() { end = v.now() })
	})
	if end == 0 {
		end = v.now()
	}
	if fault != "" && ctx.Err() != nil {
		v.rec.Dropped(due)
		return end
	}
	v.rec.Done(measure.Observation{Step: v.step(v.crowd.Name, step, due), Intended: due, Sent: sent, Ended: end, Fault: fault})
	return end
}

// secondPatience is how long is waited for an answer to what was smuggled in.
const secondPatience = 300 * time.Millisecond

// judge reads what was answered to an odd request: nothing but a closed connection,
// or a refusal. It tells when the first answer is there.
func judge(from net.Conn, o oddity, first func()) (fault string) {
	r := bufio.NewReader(from)
	resp, err := http.ReadResponse(r, nil)
	first()
	if err != nil {
		return "" // closed without an answer, or none in time: nothing was served
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	switch {
	case resp.StatusCode < 300, resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented && resp.StatusCode != http.StatusHTTPVersionNotSupported:
		return fmt.Sprintf("%s: answered %d", o.name, resp.StatusCode)
	case err != nil || !o.once:
		return ""
	}
	_ = from.SetReadDeadline(time.Now().Add(secondPatience))
	if again, err := http.ReadResponse(r, nil); err == nil {
		_ = again.Body.Close()
		return o.name + ": answered twice"
	}
	return ""
}

package edge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// line is one keep-alive connection that asks for one page again and again, with
// less of net/http around it than the servers have, since it runs on their cores.
type line struct {
	dial   func() (net.Conn, error)
	head   string // request line and fields, without the end
	cookie string

	conn    net.Conn
	reader  *bufio.Reader
	request []byte
	dials   int
}

var errStatus = errors.New("the answer cannot be read")

// ask sends one request and reads its answer whole.
func (l *line) ask() (status int, err error) {
	if l.conn == nil {
		if l.conn, err = l.dial(); err != nil {
			return 0, err
		}
		l.dials++
		l.reader = bufio.NewReaderSize(l.conn, 8<<10)
		l.compose()
	}
	var over bool
	if _, err = l.conn.Write(l.request); err == nil {
		status, over, err = l.read()
	}
	if err != nil || over {
		l.close()
	}
	return status, err
}

func (l *line) close() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

func (l *line) compose() {
	text := l.head
	if l.cookie != "" {
		text += "Cookie: " + l.cookie + "\r\n"
	}
	l.request = []byte(text + "\r\n")
}

// read reads an answer, and keeps its cookie as a visitor's browser does.
func (l *line) read() (status int, over bool, err error) {
	length := -1
	for n := 0; ; n++ {
		text, err := l.reader.ReadSlice('\n')
		if err != nil {
			return 0, true, err
		}
		text = bytes.TrimRight(text, "\r\n")
		if n == 0 {
			if len(text) < 12 {
				return 0, true, errStatus
			}
			status, _ = strconv.Atoi(string(text[9:12]))
			continue
		}
		if len(text) == 0 {
			break
		}
		switch name, value, _ := bytes.Cut(text, []byte(": ")); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, _ = strconv.Atoi(string(value))
		case bytes.EqualFold(name, []byte("Connection")):
			over = bytes.EqualFold(value, []byte("close"))
		case bytes.EqualFold(name, []byte("Set-Cookie")):
			l.keep(value)
			l.compose()
		}
	}
	if length < 0 {
		return status, true, errStatus
	}
	_, err = l.reader.Discard(length)
	return status, over, err
}

// keep keeps a cookie beside those of other names, as a browser does: whoever
// loses one that the server goes by is another visitor each time.
func (l *line) keep(field []byte) {
	pair, _, _ := strings.Cut(string(field), ";")
	name, _, _ := strings.Cut(pair, "=")
	kept := pair
	for old := range strings.SplitSeq(l.cookie, "; ") {
		if other, _, _ := strings.Cut(old, "="); old != "" && other != name {
			kept = old + "; " + kept
		}
	}
	l.cookie = kept
}

// Heads of requests: what a load generator sends, and what a browser does.
const (
	bareHead    = "GET /events/congress/register HTTP/1.1\r\nHost: " + victimHost + "\r\n"
	browserHead = bareHead +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: de-AT,de;q=0.8,en;q=0.5\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\n" +
		"Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\nPriority: u=0, i\r\n"
)

// wire is one way of reaching a proxy.
type wire struct {
	name, short string
	// secure: over TLS.
	secure bool
	// run asks n requests at once for a while, and counts the answers. What is
	// not 200 is a fault.
	run func(addr string, n int, long time.Duration) (answers, faults int64)
}

func wires() []wire {
	plain := func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }
	return []wire{
		{"HTTP/1.1", "plain", false, lines{head: bareHead, dial: plain}.run},
		{"HTTP/1.1 as a browser sends it", "browser", false, lines{head: browserHead, dial: plain}.run},
		{"TLS, HTTP/1.1", "tls", true, lines{head: secure(bareHead), dial: dialTLS}.run},
		{fmt.Sprintf("HTTP/2, %d streams a connection", streamsEach), "h2", true, streams},
		{"A new TLS connection for each request", "handshakes", true, lines{head: secure(bareHead), dial: dialTLS, once: true}.run},
	}
}

// lines are connections of HTTP/1.1, kept or, with once, for one request each.
type lines struct {
	head string
	dial func(addr string) (net.Conn, error)
	once bool
}

func (w lines) run(addr string, n int, long time.Duration) (answers, faults int64) {
	var all, bad atomic.Int64
	var group sync.WaitGroup
	end := time.Now().Add(long)
	for range n {
		group.Go(func() {
			l := &line{head: w.head, dial: func() (net.Conn, error) { return w.dial(addr) }}
			defer l.close()
			for time.Now().Before(end) {
				status, err := l.ask()
				if w.once {
					l.close()
				}
				if err != nil || status != 200 {
					bad.Add(1)
					continue
				}
				all.Add(1)
			}
		})
	}
	group.Wait()
	return all.Load(), bad.Load()
}

// abuserSettings are those of the role "abuser".
type abuserSettings struct {
	Addr, Path string
	Rate       float64 // requests/s
	Lines      int
	Long       time.Duration
}

// abused is what came of it.
type abused struct{ Sent, Served, Refused, Lost int64 }

// abuse asks at a rate, whatever is answered, over many connections, and prints
// what came of it. A process of its own, so that the victim's clock is not
// disturbed by it more than it must be.
func abuse(ctx context.Context, settings []byte) error {
	var s abuserSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return err
	}
	var total abused
	var mu sync.Mutex
	var group sync.WaitGroup
	began := time.Now()
	gap := time.Duration(float64(s.Lines) / s.Rate * float64(time.Second))
	for i := range s.Lines {
		group.Go(func() {
			l := &line{
				head: "GET " + s.Path + " HTTP/1.1\r\nHost: " + abuserHost + "\r\n",
				dial: func() (net.Conn, error) { return net.Dial("tcp", s.Addr) },
			}
			defer l.close()
			mine := abused{}
			due := began.Add(gap * time.Duration(i) / time.Duration(s.Lines))
			for ; due.Sub(began) < s.Long && ctx.Err() == nil; due = due.Add(gap) {
				pass(time.Until(due))
				mine.count(l.ask())
				if late := time.Since(due); late > gap { // a connection sends one at a time
					due = due.Add(late - late%gap)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total.add(mine)
		})
	}
	group.Wait()
	text, err := json.Marshal(total)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "%s\n", text)
	return err
}

func (a *abused) count(status int, err error) {
	a.Sent++
	switch {
	case err == nil && status == 200:
		a.Served++
	case err == nil && status == 429:
		a.Refused++
	default:
		a.Lost++
	}
}

func (a *abused) add(b abused) {
	a.Sent += b.Sent
	a.Served += b.Served
	a.Refused += b.Refused
	a.Lost += b.Lost
}

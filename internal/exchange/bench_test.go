//go:build unix

package exchange_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/exchange"
)

// The upstream of the benchmarks costs as little as one can, so that what is
// measured is the asking side: it answers whatever comes in one read.
func cheapUpstream(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 1024\r\nCache-Control: no-store\r\n" +
		"Date: Mon, 02 Jan 2006 15:04:05 GMT\r\nEtag: \"0123456789abcdef\"\r\nX-Content-Type-Options: nosniff\r\n\r\n" + strings.Repeat("x", 1024))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for buf := make([]byte, 4096); ; {
					if _, err := c.Read(buf); err != nil {
						return
					}
					c.Write(answer)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// parallel is how many callers ask at once.
const parallel = 64

// cpu is what this process has used, in nanoseconds.
func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// cost asks n times over 64 callers and gives time and CPU per request.
func cost(b *testing.B, n int64, ask func() error) (wall, used float64) {
	var left atomic.Int64
	left.Store(n)
	done := make(chan error, parallel)
	runtime.GC()
	began, before := time.Now(), cpu(b)
	for range parallel {
		go func() {
			for left.Add(-1) >= 0 {
				if err := ask(); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range parallel {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	return float64(time.Since(began).Nanoseconds()) / float64(n), float64(cpu(b)-before) / float64(n)
}

// asker asks through a RoundTripper as a proxy would, with a context that ends.
func asker(b *testing.B, t http.RoundTripper) func() error {
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	proto, err := http.NewRequest("GET", "http://acme.example/events/x", nil)
	if err != nil {
		b.Fatal(err)
	}
	proto.Header = http.Header{"Accept": {"text/html"}, "Cookie": {"session=0123456789abcdef0123456789abcdef"}, "User-Agent": {"bench"}, "X-Forwarded-For": {"192.0.2.1"}}
	return func() error {
		mine, cancel := context.WithCancel(ctx)
		defer cancel()
		resp, err := t.RoundTrip(proto.WithContext(mine))
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return err
	}
}

// floor asks over 64 connections and looks at nothing.
func floor(b *testing.B, address string) func() error {
	free := make(chan net.Conn, parallel)
	for range parallel {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		free <- c
	}
	question := []byte("GET /events/x HTTP/1.1\r\nHost: acme.example\r\nAccept: text/html\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n")
	bufs := make(chan []byte, parallel)
	for range parallel {
		bufs <- make([]byte, 4096)
	}
	return func() error {
		c, buf := <-free, <-bufs
		defer func() { free <- c; bufs <- buf }()
		if _, err := c.Write(question); err != nil {
			return err
		}
		_, err := io.ReadAtLeast(c, buf, 1024)
		return err
	}
}

// BenchmarkRoundTrip compares, in one run and in turns, what a request costs over
// a bare connection, over this package and over http.Transport. The upstream's
// share is in all three.
func BenchmarkRoundTrip(b *testing.B) {
	address := cheapUpstream(b)
	c := exchange.New(exchange.Options{Addr: address})
	b.Cleanup(func() { c.Close() })
	ways := []struct {
		name string
		ask  func() error
	}{
		{"floor", floor(b, address)},
		{"exchange", asker(b, c)},
		{"transport", asker(b, &http.Transport{
			DialContext: func(ctx context.Context, n, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, n, address)
			},
			MaxIdleConnsPerHost: 256, DisableCompression: true,
		})},
	}
	wall, used := make([]float64, len(ways)), make([]float64, len(ways))
	const rounds = 5
	each := int64(max(b.N/rounds/len(ways), parallel))
	for _, w := range ways {
		cost(b, 4*parallel, w.ask) // connects
	}
	b.ResetTimer()
	for range rounds {
		for i, w := range ways {
			t, u := cost(b, each, w.ask)
			wall[i] += t / rounds
			used[i] += u / rounds
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, w := range ways {
		b.ReportMetric(wall[i], w.name+"-ns")
		b.ReportMetric(used[i], w.name+"-cpu-ns")
		b.ReportMetric(used[i]/used[0], w.name+"/floor-cpu")
	}
}

// BenchmarkAlone is one caller, for a profile and its allocations.
func BenchmarkAlone(b *testing.B) {
	c := exchange.New(exchange.Options{Addr: cheapUpstream(b)})
	defer c.Close()
	ask := asker(b, c)
	b.ReportAllocs()
	for b.Loop() {
		if err := ask(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHead is what parsing an answer's head costs by itself: it is the part
// that is left to net/http.
func BenchmarkHead(b *testing.B) {
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 0\r\nCache-Control: no-store\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nEtag: \"0123456789abcdef\"\r\nX-Content-Type-Options: nosniff\r\n\r\n"
	source := strings.NewReader(head)
	reader := bufio.NewReader(source)
	b.ReportAllocs()
	for b.Loop() {
		source.Reset(head)
		reader.Reset(source)
		if _, err := http.ReadResponse(reader, nil); err != nil {
			b.Fatal(err)
		}
	}
}

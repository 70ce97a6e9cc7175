package edge

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostility is one way of wearing out a server by what it must read, answer or
// agree on before it knows that nobody wants a page.
type hostility struct {
	name string
	// lines are its connections, all in use at once; each is opened anew when it
	// ends. With rate, so many are opened a second by all together; without, each
	// is kept as long as it can be.
	lines int
	rate  float64
	// host is whom its handshakes name.
	host string
	// do is what the n-th connection is for.
	do func(ctx context.Context, c net.Conn, n int) error
}

func hostilities() []hostility {
	const abuser = "Host: " + abuserDomain + "\r\n"
	return []hostility{
		{"slow heads", 500, 0, abuserDomain, drip("GET / HTTP/1.1\r\n" + abuser + "X: ")},
		{"slow bodies", 500, 0, abuserDomain, drip("POST / HTTP/1.1\r\n" + abuser + "Content-Length: 100000\r\n\r\n")},
		{"slow reads", 256, 0, abuserDomain, sip("GET /?more=2000000 HTTP/1.1\r\n" + abuser + "\r\n")},
		{"1,000 handshakes a second", 64, 1000, abuserDomain, leave},
		{"1,000 handshakes a second for unknown names", 64, 1000, "nobody.example", leave},
		{"100 heads of 1 MiB a second", 16, 100, abuserDomain, swell},
		{"1,000 absurd hosts a second", 64, 1000, abuserDomain, pretend},
	}
}

// pace is what slow ones take for a byte.
const pace = 200 * time.Millisecond

// drip sends text and then a byte from time to time, until that is refused.
func drip(text string) func(context.Context, net.Conn, int) error {
	return func(ctx context.Context, c net.Conn, _ int) error {
		_, err := io.WriteString(c, text)
		for err == nil && ctx.Err() == nil {
			pass(pace)
			_, err = io.WriteString(c, "x")
		}
		return err
	}
}

// sip asks for much and reads a few bytes of it from time to time.
func sip(text string) func(context.Context, net.Conn, int) error {
	return func(ctx context.Context, c net.Conn, _ int) error {
		_, err := io.WriteString(c, text)
		for buf := make([]byte, 16); err == nil && ctx.Err() == nil; pass(pace) {
			_, err = c.Read(buf)
		}
		return err
	}
}

// leave has shaken hands and wants nothing.
func leave(context.Context, net.Conn, int) error { return nil }

// swell sends a head that nobody wants to keep.
func swell(_ context.Context, c net.Conn, _ int) error {
	_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+abuserDomain+"\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n")
	if err == nil {
		_, err = io.Copy(io.Discard, c)
	}
	return err
}

// pretend asks for a page of a host that cannot be.
func pretend(_ context.Context, c net.Conn, n int) error {
	absurd := []string{"", "..", "a@b/c", "[::1", victimDomain + ":99999", strings.Repeat("x.", 2000) + "example", fmt.Sprintf("n%d.example", n)}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+absurd[n%len(absurd)]+"\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, c)
	return err
}

// hostileSettings are those of the role "hostile".
type hostileSettings struct {
	Addr, Name string
	Long       time.Duration
}

// assail is hostile for a while. A process of its own, as abusers are.
func assail(ctx context.Context, settings []byte) error {
	var s hostileSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Long)
	defer cancel()
	for _, h := range hostilities() {
		if h.name == s.Name {
			h.run(ctx, s)
			return nil
		}
	}
	return fmt.Errorf("there is no hostility %s", s.Name)
}

// run opens its connections over the first half of its time, so that slow ones
// are not a flood of handshakes besides.
func (h hostility) run(ctx context.Context, s hostileSettings) {
	var group sync.WaitGroup
	for i := range h.lines {
		group.Go(func() {
			first, gap := s.Long/2*time.Duration(i)/time.Duration(h.lines), pace
			if h.rate > 0 {
				gap = time.Duration(float64(h.lines) / h.rate * float64(time.Second))
				first = gap * time.Duration(i) / time.Duration(h.lines)
			}
			h.keepOn(ctx, s.Addr, i, time.Now().Add(first), gap)
		})
	}
	group.Wait()
}

// keepOn does it on one connection after the other, each gap from when it is due.
func (h hostility) keepOn(ctx context.Context, addr string, i int, due time.Time, gap time.Duration) {
	for n := i; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(due)):
		}
		if c, err := h.open(ctx, addr, i); err == nil {
			_ = h.do(ctx, c, n) // how it is refused is the peer's business
			c.Close()
		}
		if due = due.Add(gap); time.Since(due) > gap {
			due = time.Now()
		}
	}
}

// open connects from one of 16 addresses that are not the victim's.
func (h hostility) open(ctx context.Context, addr string, i int) (net.Conn, error) {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%16))}
	d := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: from, Timeout: 5 * time.Second}, Config: tlsClient(h.host)}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err == nil {
		context.AfterFunc(ctx, func() { c.Close() })
	}
	return c, err
}

// BenchmarkHostile: what an org's visitors feel of somebody who is slow, floods
// or asks for what cannot be.
func BenchmarkHostile(b *testing.B) {
	for b.Loop() {
		t := newTable("Hostile clients from 16 addresses, over TLS; victim at 200 requests/s of 5 ms", "", "", "victim's p50 quiet", "beside it", "p99 quiet", "beside it", "ratio", "refused", "lost")
		for _, h := range hostilities() {
			for _, k := range peers(b, nameEdge, nameHAProxy, nameNginx) {
				quiet, noisy := h.against(b, k)
				q99, n99 := part(quiet.waits, 0.99), part(noisy.waits, 0.99)
				t.row(h.name, k.name, median(quiet.waits), median(noisy.waits), q99, n99, float64(n99)/float64(q99), noisy.refused, quiet.lost+noisy.lost)
			}
		}
		t.report(b)
	}
}

// against has the victim ask alone and beside it, in turn.
func (h hostility) against(b *testing.B, k peer) (quiet, noisy *calm) {
	in := newHouse(b, 2, instanceSettings{Service: 5 * time.Millisecond})
	defer in.end()
	p := in.plan()
	p.secure, p.guarded = true, true
	x := k.run(b, p)
	defer x.end()
	quiet, noisy = &calm{secure: true}, &calm{secure: true}
	(&calm{secure: true}).run(x.addr, time.Second) // everybody knows everybody
	for range 2 {
		quiet.run(x.addr, slice)
		foe := launchRole(b, "hostile", hostileSettings{x.addr, h.name, slice})
		noisy.run(x.addr, slice)
		foe.end()
	}
	return quiet, noisy
}

package client

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/limit"
)

// callers is a listener whose connections come from addresses that a test names.
type callers struct {
	net.Listener
	from chan string
}

func (c callers) Accept() (net.Conn, error) {
	from, ok := <-c.from
	if !ok {
		return nil, net.ErrClosed
	}
	here, _ := net.Pipe()
	return caller{here, from}, nil
}

type caller struct {
	net.Conn
	from string
}

func (c caller) RemoteAddr() net.Addr { return address(c.from) }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// open lets addresses call and returns those that got through.
func open(t *testing.T, g *Guard, from ...string) []net.Conn {
	t.Helper()
	c := callers{from: make(chan string, len(from))}
	for _, f := range from {
		c.from <- f
	}
	close(c.from)
	l := g.Listen(c)
	var all []net.Conn
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return all
		}
		all = append(all, conn)
	}
}

func repeat(from string, n int) (all []string) {
	for range n {
		all = append(all, from)
	}
	return all
}

// P7: one address has its part of connections, whatever is free; a household of
// IPv6 is one; what is closed is free again.
func TestP7ConnectionsOfOneAddress(t *testing.T) {
	g := &Guard{AtOnce: 3, Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	mine := open(t, g, repeat("192.0.2.1:5", 10)...)
	if len(mine) != 3 {
		t.Errorf("%d got through", len(mine))
	}
	for from, want := range map[string]int{"192.0.2.2:5": 3, "[2001:db8::1]:5": 3, "10.0.0.1:5": 10, "192.0.2.1:6": 0} {
		if got := open(t, g, repeat(from, 10)...); len(got) != want {
			t.Errorf("of %s %d got through, want %d", from, len(got), want)
		}
	}
	if got := open(t, g, "[2001:db8::2]:5"); len(got) != 0 {
		t.Error("another address of the same network got through")
	}
	for range 3 {
		mine[0].Close() // closing twice frees one place
	}
	if got := open(t, g, repeat("192.0.2.1:7", 10)...); len(got) != 1 {
		t.Errorf("with one closed %d got through", len(got))
	}
}

// P7: a flood of connections that are opened and closed is held to a rate.
func TestP7FloodsOfConnections(t *testing.T) {
	g := &Guard{Opening: limit.Rate{PerSecond: 0.001, Burst: 5}}
	n := 0
	for range 20 {
		for _, c := range open(t, g, "192.0.2.1:5") {
			c.Close()
			n++
		}
	}
	if n != 5 || g.closed.Load() != 15 {
		t.Errorf("%d got through, %d were counted as closed", n, g.closed.Load())
	}
}

// Whoever is not let in is told at once.
func TestGuardClosesWhatIsTooMuch(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &Guard{AtOnce: 1}
	guarded := g.Listen(l)
	defer guarded.Close()
	go func() {
		for {
			if _, err := guarded.Accept(); err != nil {
				return
			}
		}
	}()
	first, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	_ = second.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := second.Read(make([]byte, 1)); err == nil || errors.Is(err, io.ErrNoProgress) {
		t.Errorf("the second reads %v", err)
	}
}

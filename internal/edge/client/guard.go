package client

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turnout-events/turnout/internal/limit"
)

// Guard bounds what one client address has of connections: how many at once,
// and how many it opens in the long run, so that neither a flood of handshakes
// nor a crowd of idle connections costs others anything. Proxies that are
// trusted are let be. What is too much is closed at once, without a word.
type Guard struct {
	// AtOnce is the most that one address (IPv6 by /64) has open; 0 means no limit.
	AtOnce int
	// Opening is how fast it opens them; zero means no limit.
	Opening limit.Rate
	Trusted Proxies

	closed atomic.Int64 // connections, for being too much

	once  sync.Once
	rates *limit.Table
	mu    sync.Mutex
	open  map[netip.Prefix]int
}

// Listen wraps a listener. Several may share a Guard.
func (g *Guard) Listen(l net.Listener) net.Listener {
	g.once.Do(func() {
		g.rates = limit.NewTable(mostClients)
		g.open = map[netip.Prefix]int{}
	})
	return &guarded{Listener: l, guard: g}
}

// mostClients is how many addresses are told apart at once.
const mostClients = 1 << 16

// sendBuffer is how much of an answer waits in the system for a client who reads
// slowly, in bytes. Left alone it grows to megabytes, all of which would be fetched,
// encrypted and kept for whoever asks for much and reads nothing.
const sendBuffer = 128 << 10

type guarded struct {
	net.Listener
	guard *Guard
}

// Accept gives the next connection that is not too much.
func (l *guarded) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetWriteBuffer(sendBuffer) // the system's own is as good, only larger
		}
		client := peer(c.RemoteAddr().String())
		if l.guard.Trusted.trust(client) {
			return c, nil
		}
		if l.guard.enter(client) {
			return &counted{Conn: c, leave: func() { l.guard.leave(client) }}, nil
		}
		l.guard.closed.Add(1)
		_ = c.Close()
	}
}

// Collector shows what was closed as a metric.
func (g *Guard) Collector() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "turnout_edge_connections_closed_total", Help: "Connections beyond what one client address may have or open, closed without an answer.",
	}, func() float64 { return float64(g.closed.Load()) })
}

// enter counts a connection, if it is not too much.
func (g *Guard) enter(client netip.Addr) bool {
	if g.Opening.PerSecond > 0 && !g.rates.TakeAddr(client, g.Opening, time.Now()).OK { // the network's own time
		return false
	}
	if g.AtOnce == 0 {
		return true
	}
	key := limit.ClientPrefix(client)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open[key] >= g.AtOnce {
		return false
	}
	g.open[key]++
	return true
}

func (g *Guard) leave(client netip.Addr) {
	if g.AtOnce == 0 {
		return
	}
	key := limit.ClientPrefix(client)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open[key]--; g.open[key] <= 0 {
		delete(g.open, key)
	}
}

// counted is a connection that is counted until it is closed.
type counted struct {
	net.Conn
	once  sync.Once
	leave func()
}

// Close closes the connection. It may be called twice.
func (c *counted) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}

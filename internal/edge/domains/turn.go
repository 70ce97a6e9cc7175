package domains

import (
	"crypto/tls"
	"net"
	"runtime"
	"sync/atomic"
)

// turns is how many handshakes compute at once: half of the processors. One is a
// few hundred µs of CPU, many requests' worth, and without a bound as many would
// share the processors as a flood brings: whoever is served already would wait for
// each of them. A handshake whose turn has not come waits in the order of arrival.
func turns() chan struct{} {
	return make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
}

// Listen wraps a listener under the one of TLS, so that handshakes take turns.
// Those of connections from any other listener do not.
func (d *Domains) Listen(l net.Listener) net.Listener { return &listener{Listener: l, turns: d.turns} }

type listener struct {
	net.Listener
	turns chan struct{}
}

// Accept gives the next connection.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &shaking{Conn: c, turns: l.turns}, nil
}

// The stages of a connection: from its hello on a handshake has a turn while it
// computes and none while it waits for its client, then never again.
const (
	unmet int32 = iota
	waiting
	computing
	over
)

// shaking is a connection whose handshake takes turns.
type shaking struct {
	net.Conn
	turns chan struct{}
	stage atomic.Int32
}

// Read reads what the client sends.
func (s *shaking) Read(p []byte) (int, error) { return s.away(s.Conn.Read, p) }

// Write sends to the client.
func (s *shaking) Write(p []byte) (int, error) { return s.away(s.Conn.Write, p) }

// away does what may wait for the client. A handshake gives its turn back meanwhile.
func (s *shaking) away(do func([]byte) (int, error), p []byte) (int, error) {
	if s.stage.Load() != computing {
		return do(p)
	}
	s.leave(computing, waiting)
	n, err := do(p)
	if err == nil {
		err = s.enter(waiting)
	}
	return n, err
}

// Close closes the connection. It may be called twice.
func (s *shaking) Close() error {
	s.finish()
	return s.Conn.Close()
}

// enter waits for a turn. Nobody has one for longer than it takes to compute.
func (s *shaking) enter(from int32) error {
	s.turns <- struct{}{}
	if !s.stage.CompareAndSwap(from, computing) {
		<-s.turns
		return net.ErrClosed // while it waited
	}
	return nil
}

func (s *shaking) leave(from, to int32) {
	if s.stage.CompareAndSwap(from, to) {
		<-s.turns
	}
}

// finish gives the turn back for good.
func (s *shaking) finish() {
	if s.stage.Swap(over) == computing {
		<-s.turns
	}
}

// taking has the handshake of hello take turns from here on, under the settings c.
func taking(hello *tls.ClientHelloInfo, c *tls.Config) (*tls.Config, error) {
	s, ok := hello.Conn.(*shaking)
	if !ok {
		return c, nil
	}
	if err := s.enter(unmet); err != nil {
		return nil, err
	}
	mine := c.Clone()
	// The server has signed and sent by then, and waits for the client's last word.
	mine.VerifyConnection = func(tls.ConnectionState) error {
		s.finish()
		return nil
	}
	return mine, nil
}

// patient ends the turns of a handshake that is about to wait for a certificate.
func patient(hello *tls.ClientHelloInfo) {
	if s, ok := hello.Conn.(*shaking); ok {
		s.finish()
	}
}

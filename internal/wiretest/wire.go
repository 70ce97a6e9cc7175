// Package wiretest stands between two processes of a test and does to what they say
// to each other what networks do: it is slow, it falls silent, it loses one way
// of it, it cuts connections of which one end never hears, and it resets them.
//
// Toxiproxy does less of it (docs/decisions/0021-a-wire-of-our-own.md).
package wiretest

import (
	"context"
	"net"
	"sync"
	"time"
)

// Fault is what a wire does; the zero value passes everything on at once.
type Fault struct {
	// Delay is how much later each piece arrives, either way.
	Delay time.Duration
	// Hold keeps back what is sent, and passes it on once that is over, as a
	// network does that drops packets for a while and has them sent again.
	Hold bool
	// LoseUp and LoseDown drop what callers say and what they are answered. A
	// connection that lost anything is silent that way from then on, and whoever
	// waits at it hears nothing ever, not even that the other end has gone.
	LoseUp, LoseDown bool
	// Refuse resets new connections.
	Refuse bool
}

// Wire listens for callers and passes on to a target what they say. Safe for
// concurrent use.
type Wire struct {
	listener        net.Listener
	network, target string
	all             sync.WaitGroup

	mu      sync.Mutex
	fault   Fault
	changed chan struct{} // closed when the fault changes or the wire ends
	ended   bool
	links   map[*link]struct{}
}

// Listen makes a wire from address, a free one, to target on network ("tcp" or
// "unix"). Close ends it.
func Listen(ctx context.Context, address, network, target string) (*Wire, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	w := &Wire{listener: l, network: network, target: target, changed: make(chan struct{}), links: map[*link]struct{}{}}
	w.all.Go(w.accept)
	return w, nil
}

// Address is where callers find it, as host:port.
func (w *Wire) Address() string { return w.listener.Addr().String() }

// Target is where it leads.
func (w *Wire) Target() string { return w.target }

// Set makes the wire behave so from now on. What a connection has lost is not
// found again by healing.
func (w *Wire) Set(f Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
	close(w.changed)
	w.changed = make(chan struct{})
}

// Reset ends the connections of now at once, at both ends.
func (w *Wire) Reset() {
	for _, l := range w.now() {
		l.reset()
	}
}

// Cut makes the connections of now half-open: each end believes that the other
// is there, and hears nothing of it any more. New ones are not concerned.
func (w *Wire) Cut() {
	for _, l := range w.now() {
		l.up.lose()
		l.down.lose()
	}
}

// Close ends the wire and all connections, and waits for that.
func (w *Wire) Close() error {
	w.mu.Lock()
	if !w.ended {
		w.ended = true
		close(w.changed)
	}
	w.mu.Unlock()
	err := w.listener.Close()
	w.Reset()
	w.all.Wait()
	return err
}

func (w *Wire) now() []*link {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*link, 0, len(w.links))
	for l := range w.links {
		all = append(all, l)
	}
	return all
}

// state is the fault of now, and what tells that it has changed.
func (w *Wire) state() (f Fault, changed <-chan struct{}, ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fault, w.changed, w.ended
}

func (w *Wire) accept() {
	for {
		caller, err := w.listener.Accept()
		if err != nil {
			return // closed
		}
		if l := w.admit(caller); l != nil {
			w.all.Go(func() { w.connect(l) })
		} else {
			reset(caller)
		}
	}
}

// admit makes a caller a link of the wire, unless callers are refused.
func (w *Wire) admit(caller net.Conn) *link {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault.Refuse || w.ended {
		return nil
	}
	l := &link{wire: w, gone: make(chan struct{}), caller: caller}
	w.links[l] = struct{}{}
	return l
}

// connect passes a link on until both its ends have gone.
func (w *Wire) connect(l *link) {
	target, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(context.Background(), w.network, w.target)
	if err != nil {
		l.reset()
	} else {
		l.run(target)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.links, l)
}

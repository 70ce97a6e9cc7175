package exchange

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is one connection. While a request is under way it belongs to its
// exchange; only expire and sever may be called from elsewhere.
type conn struct {
	wire   net.Conn // what is written to and read from: TLS, or base itself
	tls    *tls.ConnectionState
	reader *bufio.Reader
	// room is how many bytes may still be read. It bounds heads.
	room int64
	// failed is why the last reading failed, nil if it did not.
	failed error
	// expire makes all reading and writing fail from now on.
	expire func()

	// probe looks for what arrived while idle; see quiet.
	raw    syscall.RawConn // nil where the connection has none
	probe  func(fd uintptr) bool
	silent bool
	since  time.Time // when it became idle

	broken atomic.Pointer[error] // Break's reason

	// What is under way, under the pool's lock; see watch.
	busy *exchange
	seen bool
	stop func() bool // takes back the watch over the context; nil without one

	mu     sync.Mutex
	base   net.Conn // nil while dialling
	cancel context.CancelFunc
	gone   bool
}

// past is a deadline that is over.
func past() time.Time { return time.Unix(1, 0) }

// settings is what a TLS connection to addr needs.
func settings(given *tls.Config, addr string) *tls.Config {
	if given == nil {
		return nil
	}
	t := given.Clone()
	t.NextProtos = []string{"http/1.1"}
	if host, _, err := net.SplitHostPort(addr); err == nil && t.ServerName == "" {
		t.ServerName = host
	}
	return t
}

// dial makes a connection. It gives the reason of Break or of ctx when one of
// them ended it.
func (c *Client) dial(ctx context.Context) (*conn, error) {
	bounded, cancel := context.WithTimeout(ctx, c.o.DialTimeout)
	defer cancel()
	k := &conn{cancel: cancel, room: math.MaxInt64}
	c.pool.add(k)
	err := k.connect(bounded, &c.o)
	if err == nil {
		return k, nil
	}
	c.drop(k)
	if cause := k.broken.Load(); cause != nil {
		return nil, *cause
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return nil, err
}

func (k *conn) connect(ctx context.Context, o *Options) error {
	base, err := o.Dial(ctx, "tcp", o.Addr)
	if err != nil {
		return err
	}
	if !k.own(base) {
		_ = base.Close() // Break came first, and its reason is what counts
		return net.ErrClosed
	}
	k.wire = base
	if o.TLS != nil {
		t := tls.Client(base, o.TLS)
		if err := t.HandshakeContext(ctx); err != nil {
			return err
		}
		state := t.ConnectionState()
		k.wire, k.tls = t, &state
	}
	k.reader = bufio.NewReader(k)
	k.expire = func() { _ = k.wire.SetDeadline(past()) } // a closed one fails anyhow
	k.watchIdle(base)
	return nil
}

// own reports whether base is now ours to close.
func (k *conn) own(base net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return false
	}
	k.base = base
	return true
}

// sever ends the connection, or its dialling, without a farewell. It may be
// called twice and from anywhere.
func (k *conn) sever() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return
	}
	k.gone = true
	if k.base == nil {
		k.cancel()
		return
	}
	_ = k.base.Close() // nothing is left to be told
}

// Read reads from the wire for the reader, no more than there is room for.
func (k *conn) Read(b []byte) (int, error) {
	if k.room <= 0 {
		k.failed = ErrTooLarge
		return 0, k.failed
	}
	n, err := k.wire.Read(b[:min(int64(len(b)), k.room)])
	k.room -= int64(n)
	k.failed = err
	return n, err
}

// why tells the reason for an error that came out of parsing what was read. The
// parsers' own words quote the answer, so they are not passed on.
func (k *conn) why() error {
	switch {
	case k.failed == nil:
		return ErrMalformed
	case errors.Is(k.failed, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return k.failed
}

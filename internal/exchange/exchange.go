// Package exchange sends HTTP/1.1 requests to one upstream and reads the
// answers in the goroutine of whoever asks. http.Transport hands each request to
// two goroutines per connection and back over channels, which costs a proxy more
// than all else that it does; here nobody else is involved, except for a body
// too large to be sent before the answer is read.
//
// What the bytes mean is net/http's business: answers are parsed by
// http.ReadResponse, so that this package has no second opinion about where a
// body ends. Prepare and Answer are the two halves of a reverse proxy around it.
package exchange

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options of a Client.
type Options struct {
	// Addr is the upstream's host:port.
	Addr string
	// TLS makes the connections TLS ones; nil means plain ones. An empty
	// ServerName is taken from Addr. HTTP/2 is not offered.
	TLS *tls.Config
	// DialTimeout bounds connecting, TLS included; 0 means 1 s.
	DialTimeout time.Duration
	// MaxIdle is how many connections wait for the next request; 0 means 256.
	// How many are in use at once is for the caller to bound.
	MaxIdle int
	// IdleTimeout is how long a connection waits for the next request; 0 means
	// 30 s. It must be below the time after which the upstream closes them,
	// since a request that meets its closing may have been acted on or not.
	IdleTimeout time.Duration
	// Dial connects; nil means net.Dialer's DialContext.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client is an http.RoundTripper that keeps connections to one upstream. Safe
// for concurrent use.
type Client struct {
	o       Options
	pool    pool
	buffers sync.Pool // of *[]byte, at least 32 KiB each
}

// New makes a client. It does no I/O.
func New(o Options) *Client {
	if o.DialTimeout == 0 {
		o.DialTimeout = time.Second
	}
	if o.MaxIdle == 0 {
		o.MaxIdle = 256
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 30 * time.Second
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	o.TLS = settings(o.TLS, o.Addr)
	c := &Client{o: o}
	c.pool.most, c.pool.longest = o.MaxIdle, o.IdleTimeout
	c.buffers.New = func() any { b := make([]byte, 0, piece); return &b }
	return c
}

// Operations that an Error can name.
const (
	opDial  = "dial"
	opWrite = "write"
	opRead  = "read"
)

// Error tells how far a request got. Its text holds nothing of the request or
// of the answer.
type Error struct {
	// Op is what failed: "dial", "write" or "read". A request that is refused
	// here, or whose own body failed, fails in "write".
	Op string
	// Sent is false where no byte of the request can have been acted on: none
	// was written. Otherwise the upstream may have acted on it.
	Sent bool
	Err  error
}

func (e *Error) Error() string { return "exchange: " + e.Op + ": " + e.Err.Error() }

// Unwrap gives the cause: the context's, Break's, or what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// Reasons of an Error that come from here.
var (
	// ErrBroken is Break's cause where none was given.
	ErrBroken = errors.New("the connections were broken off")
	// ErrMalformed answers a reply that is not HTTP/1, or whose end is in doubt.
	// It does not quote the reply, which may hold anybody's data.
	ErrMalformed = errors.New("the answer is malformed")
	// ErrTooLarge answers a reply whose head is over 64 KiB, 1xx answers before
	// it included.
	ErrTooLarge = errors.New("the answer's head is too large")
	// ErrSwitching answers a 101: upgrades do not come this way.
	ErrSwitching = errors.New("the upstream switches protocols")
	// ErrRequest answers a request that cannot be written without changing what
	// it says: an invalid method, target, host or field, or CONNECT.
	ErrRequest = errors.New("the request is not valid")
	// ErrLength answers a request whose body is not as long as it says.
	ErrLength = errors.New("the request's body has not the length that it declares")
)

// RoundTrip implements http.RoundTripper. Of r's URL it uses the path and the
// query, and the host where r.Host is empty. All its errors are *Error, and so
// are those of the answer's body, except that reading after Close gives
// http.ErrBodyReadAfterClose.
//
// A body of known length up to 64 KiB is read whole before a connection is
// taken, so that one that breaks off reaches no upstream; r's context does not
// interrupt that reading. A larger one, and one of unknown length, is sent while
// the answer is read, and is not read from once the answer's body has ended or
// was closed. r.Trailer is sent after a body of unknown length, its values as
// they are at the body's end.
//
// Break ends writing and reading at once, and so does the end of r's context, or
// 20 ms after the beginning if it ended before that. An idle connection that the
// upstream has closed is found out before it is used. 1xx
// answers go to the context's httptrace.ClientTrace.Got1xxResponse.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	buf := c.buffer()
	defer c.release(buf)
	m, err := compose((*buf)[:0], r)
	*buf = m.bytes
	if err != nil {
		closeBody(r)
		return nil, &Error{Op: opWrite, Err: err}
	}
	k, err := c.take(r.Context())
	if err != nil {
		closeBody(r)
		return nil, &Error{Op: opDial, Err: err}
	}
	x := &exchange{client: c, conn: k, request: r}
	c.begin(x)
	if err := x.send(m); err != nil {
		return nil, err
	}
	return x.receive()
}

// Break closes every connection: requests under way fail at once with an Error
// that wraps cause (nil means ErrBroken), and so do answers that are being
// read. Later requests dial anew.
func (c *Client) Break(cause error) {
	if cause == nil {
		cause = ErrBroken
	}
	for _, k := range c.pool.empty(cause) {
		k.sever()
	}
}

// Close closes what is idle and keeps nothing from then on. Requests under way
// end in their own time, and one that comes late is still served, over a
// connection of its own: whoever takes an upstream off the list loses nobody's
// request. It may be called twice, and returns nil.
func (c *Client) Close() error {
	for _, k := range c.pool.close() {
		c.drop(k)
	}
	return nil
}

// piece is the size of what is copied at once, in bytes.
const piece = 32 << 10

func (c *Client) buffer() *[]byte {
	b, ok := c.buffers.Get().(*[]byte)
	if !ok { // there is nothing else in it
		b = new([]byte)
	}
	return b
}

// release takes a buffer back, unless keeping it would pin much memory.
func (c *Client) release(b *[]byte) {
	if cap(*b) <= small+2*piece {
		c.buffers.Put(b)
	}
}

package exchange

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// largestHead bounds the head of an answer, in bytes, with the 1xx answers
// before it and what of the body is read along with it.
const largestHead = 64 << 10

// exchange is one request and its answer. It is the answer's body, too.
type exchange struct {
	client  *Client
	conn    *conn
	request *http.Request
	phase   atomic.Int32
	fault   atomic.Pointer[error] // what is wrong with the request's body

	body  io.ReadCloser // as net/http made it
	keep  bool          // neither side said close
	ended atomic.Bool   // the connection is no longer ours
	err   error         // how reading ended, io.EOF at the end
}

// receive reads the answer's head.
func (x *exchange) receive() (*http.Response, error) {
	x.conn.room = largestHead
	for {
		resp := readPlain(x.conn.reader, x.request)
		if resp == nil {
			var err error
			if resp, err = http.ReadResponse(x.conn.reader, x.request); err != nil {
				return nil, x.fail(opRead, true, x.conn.why())
			}
		}
		switch {
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, x.fail(opRead, true, ErrSwitching)
		case resp.StatusCode < 100:
			return nil, x.fail(opRead, true, ErrMalformed)
		case resp.StatusCode >= 200:
			x.conn.room = math.MaxInt64
			x.embody(resp)
			return resp, nil
		}
		if err := x.inform(resp); err != nil {
			return nil, x.fail(opRead, true, err)
		}
	}
}

// inform passes on a 1xx answer.
func (x *exchange) inform(resp *http.Response) error {
	trace := httptrace.ContextClientTrace(x.request.Context())
	if trace == nil || trace.Got1xxResponse == nil {
		return nil
	}
	return trace.Got1xxResponse(resp.StatusCode, textproto.MIMEHeader(resp.Header))
}

// embody puts the exchange into the answer as its body, or ends it where there
// is none.
func (x *exchange) embody(resp *http.Response) {
	resp.TLS = x.conn.tls
	x.keep = !resp.Close && !x.request.Close && !httpguts.HeaderValuesContainsToken(x.request.Header["Connection"], "close")
	if resp.Body == http.NoBody {
		x.end(true)
		return
	}
	x.body, resp.Body = resp.Body, x
}

// Read reads the answer's body.
func (x *exchange) Read(b []byte) (int, error) {
	if x.ended.Load() {
		if x.err == nil {
			return 0, http.ErrBodyReadAfterClose
		}
		return 0, x.err
	}
	n, err := x.body.Read(b)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		x.err = io.EOF
		x.end(true)
	default:
		x.err = x.fail(opRead, true, x.conn.why())
	}
	return n, x.err
}

// Close gives up the rest of the answer, and the connection with it.
func (x *exchange) Close() error {
	x.end(false)
	return nil
}

// pending reports whether the next Read finds something without waiting for it.
func (x *exchange) pending() bool {
	return !x.ended.Load() && x.conn.reader.Buffered() > 0
}

// fail ends the exchange with the reason that counts: Break's, the context's,
// the request body's, or else err.
func (x *exchange) fail(op string, sent bool, err error) error {
	x.end(false)
	if cause := x.conn.broken.Load(); cause != nil {
		err = *cause
	} else if cause := context.Cause(x.request.Context()); cause != nil {
		err = cause
	} else if fault := x.fault.Load(); fault != nil {
		op, err = opWrite, *fault
	}
	return &Error{Op: op, Sent: sent, Err: err}
}

// end lets go of the connection. It is used again only if the answer was read to
// its end, nobody wants it closed, its deadline is as it was, and nothing came
// in behind the answer: that would be taken for the answer to somebody else.
func (x *exchange) end(whole bool) {
	if !x.ended.CompareAndSwap(false, true) {
		return
	}
	if interrupted := x.client.finish(x); interrupted {
		whole = false
	}
	if !whole || !x.keep || x.conn.reader.Buffered() > 0 {
		x.phase.Store(over)
		x.client.drop(x.conn)
		return
	}
	hurried := x.phase.Load() == lastly
	if hurried {
		_ = x.conn.wire.SetWriteDeadline(past()) // an upstream that has answered waits for nothing
	}
	switch x.phase.Swap(over) {
	case sending:
		x.client.drop(x.conn)
	case sentAll:
		if hurried {
			_ = x.conn.wire.SetWriteDeadline(time.Time{}) // fails with the next use
		}
		x.client.put(x.conn)
	}
}

package exchange

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Phases of sending. A connection is used again only when its request was sent
// whole and its answer was read. The goroutine that sends and the one that reads
// end in either order: whoever comes second gives the connection back.
const (
	sentAll int32 = iota // nothing is left to be written
	sending              // a body is being written, or cannot be
	lastly               // its last piece is being written
	over                 // the answer has ended
)

// errOver ends the sending of a body that nobody waits for.
var errOver = errors.New("the answer has ended")

// send writes the beginning of the request, and leaves the rest of a body to a
// goroutine, since its answer may come before its end.
func (x *exchange) send(m message) error {
	if m.rest != 0 {
		x.phase.Store(sending)
	}
	if n, err := x.conn.wire.Write(m.bytes); err != nil {
		if m.rest != 0 {
			closeBody(x.request)
		}
		return x.fail(opWrite, n > 0, err)
	}
	if m.rest != 0 {
		go x.sendRest(m.rest, m.trailers)
	}
	return nil
}

func (x *exchange) sendRest(rest int64, trailers []string) {
	buf := x.client.buffer()
	defer x.client.release(buf)
	var err error
	if rest < 0 {
		err = x.sendChunks((*buf)[:piece], trailers)
	} else {
		err = x.sendCounted((*buf)[:piece], rest)
	}
	switch {
	case err != nil:
		if x.phase.Swap(sending) == over {
			x.client.drop(x.conn)
		}
	case !x.phase.CompareAndSwap(lastly, sentAll): // the answer came first
		_ = x.conn.wire.SetDeadline(time.Time{}) // fails with the next use
		x.client.put(x.conn)
	}
	closeBody(x.request)
}

// read reads the next piece of the body, n bytes of it. A fault of the body ends
// the exchange; one of the connection does not, since an upstream that does not
// want the rest may have answered.
func (x *exchange) read(b []byte) (n int, end bool, err error) {
	if x.phase.Load() == over {
		return 0, false, errOver
	}
	n, err = x.request.Body.Read(b)
	switch {
	case err == nil:
		return n, false, nil
	case errors.Is(err, io.EOF):
		return n, true, nil
	}
	return 0, false, x.blame(err)
}

// blame ends the exchange because of the request's own body.
func (x *exchange) blame(err error) error {
	x.fault.Store(&err)
	x.conn.expire()
	return err
}

// write writes a piece of the body, the last one if there is no other.
func (x *exchange) write(b []byte, last bool) error {
	if last {
		x.phase.CompareAndSwap(sending, lastly)
	}
	_, err := x.conn.wire.Write(b)
	return err
}

// sendCounted sends a body of rest bytes. The last piece waits until the body
// has ended, so that one that is too long never looks whole.
func (x *exchange) sendCounted(buf []byte, rest int64) error {
	for end := false; rest > 0; {
		n, ended, err := x.read(buf[:min(int64(len(buf)), rest)])
		if err != nil {
			return err
		}
		rest -= int64(n)
		if end = end || ended; rest == 0 && !end {
			if end, err = x.ends(); err != nil {
				return err
			}
		}
		if end != (rest == 0) {
			return x.blame(ErrLength)
		}
		if err := x.write(buf[:n], rest == 0); err != nil {
			return err
		}
	}
	return nil
}

// ends reports whether the body has nothing more.
func (x *exchange) ends() (bool, error) {
	var one [1]byte
	for {
		n, end, err := x.read(one[:])
		if n > 0 || end || err != nil {
			return n == 0 && end, err
		}
	}
}

// Room around a piece in a buffer: its length in hexadecimal and a line's end
// before it, a line's end behind it.
const (
	before = 4 + 2
	behind = 2
)

// sendChunks sends a body whose length is unknown, each piece as a chunk.
func (x *exchange) sendChunks(buf []byte, trailers []string) error {
	for {
		n, end, err := x.read(buf[before : len(buf)-behind])
		if err != nil {
			return err
		}
		out := chunk(buf, n)
		if end {
			if out, err = appendEnd(out, trailers, x.request.Trailer); err != nil {
				return x.blame(err)
			}
		}
		if len(out) == 0 {
			continue
		}
		if err := x.write(out, end); err != nil || end {
			return err
		}
	}
}

// chunk puts what is around them to the n bytes of a piece in its buffer.
func chunk(buf []byte, n int) []byte {
	if n == 0 {
		return buf[:0] // a chunk of nothing would be the end
	}
	var digits [8]byte
	size := append(strconv.AppendInt(digits[:0], int64(n), 16), "\r\n"...)
	start := before - len(size)
	copy(buf[start:], size)
	return append(buf[start:before+n], "\r\n"...)
}

// appendEnd writes the last chunk and the trailers that were announced.
func appendEnd(b []byte, names []string, trailer http.Header) ([]byte, error) {
	b = append(b, "0\r\n"...)
	var err error
	for _, name := range names {
		if b, err = appendFields(b, http.Header{name: trailer[name]}); err != nil {
			return b, err
		}
	}
	return append(b, "\r\n"...), nil
}

// Package held keeps the small body of a request, so that it can be sent again when
// whoever it was sent to does not answer (P10). What is larger is passed on as it
// comes, up to a bound, and what is wrong with a body is told apart from what is
// wrong with whoever it was sent to.
package held

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
)

// Sizes in bytes. Most is up to which a body is held, as large as any that an
// instance takes. What is larger is passed on up to MostPassed, so that the
// instance says what it thinks of it, and refused here beyond that.
const (
	Most       = 64 << 10
	MostPassed = 32 << 20
)

// What is wrong with a body is the client's doing, and no instance's.
var (
	ErrSlow   = errors.New("the body took too long to arrive")
	ErrBroken = errors.New("the body broke off")
	ErrLarge  = errors.New("the body is too large")
)

// Body is the body of one request. One goroutine holds and opens it; its fault may be
// asked for meanwhile.
type Body struct {
	client clientBody
	held   []byte
	whole  bool
}

// Hold reads a small body so that it can be sent again. A body that is too
// large for that is not whole. Its errors are ErrSlow, ErrBroken and ErrLarge.
func (h *Body) Hold(r *http.Request) error {
	h.whole, h.client.r, h.client.left = true, http.NoBody, MostPassed
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	h.client.r = r.Body
	var err error
	h.held, err = io.ReadAll(io.LimitReader(&h.client, Most+1))
	h.whole = len(h.held) <= Most
	return err
}

// Open is the body for one try. It may be called again if the body is whole.
func (h *Body) Open() io.ReadCloser {
	switch {
	case len(h.held) == 0:
		return http.NoBody
	case h.whole:
		return io.NopCloser(bytes.NewReader(h.held))
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(h.held), &h.client))
}

// Whole reports whether the body was read whole, and so may be sent again.
func (h *Body) Whole() bool { return h.whole }

// Bytes is what was read of it: all, if it is whole.
func (h *Body) Bytes() []byte { return h.held }

// Fault is what was wrong with the body so far, nil for nothing.
func (h *Body) Fault() error { return h.client.fault() }

// clientBody is a body as it comes in. It remembers its own error, since the
// transport mixes it with those of sending the body on.
type clientBody struct {
	r    io.Reader
	left int64

	mu  sync.Mutex
	err error
}

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.left -= int64(n)
	slow := net.Error(nil)
	switch {
	case b.left < 0:
		return 0, b.fail(ErrLarge)
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case errors.As(err, &slow) && slow.Timeout(): // the server gives a body its time
		return n, b.fail(ErrSlow)
	}
	return n, b.fail(ErrBroken)
}

func (b *clientBody) fail(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	return err
}

func (b *clientBody) fault() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

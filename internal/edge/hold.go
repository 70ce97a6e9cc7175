package edge

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
)

// Bodies that are held for a second try are at most as large as any that an
// instance takes. What is larger is passed on up to mostPassed, so that the
// instance says what it thinks of it, and refused here beyond that.
const (
	maxHeld    = 64 << 10
	mostPassed = 32 << 20
)

// What is wrong with a body is the client's doing, and no instance's.
var (
	errSlow   = errors.New("the body took too long to arrive")
	errBroken = errors.New("the body broke off")
	errLarge  = errors.New("the body is too large")
)

// holding is the body of one request.
type holding struct {
	client clientBody
	held   []byte
	// whole says that open may be called again.
	whole bool
}

// hold reads a small body so that it can be sent again. A body that is too
// large for that is not whole. Its errors are errSlow, errBroken and errLarge.
func (h *holding) hold(r *http.Request) error {
	h.whole, h.client.r, h.client.left = true, http.NoBody, mostPassed
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	h.client.r = r.Body
	var err error
	h.held, err = io.ReadAll(io.LimitReader(&h.client, maxHeld+1))
	h.whole = len(h.held) <= maxHeld
	return err
}

// open is the body for one try.
func (h *holding) open() io.ReadCloser {
	switch {
	case len(h.held) == 0:
		return http.NoBody
	case h.whole:
		return io.NopCloser(bytes.NewReader(h.held))
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(h.held), &h.client))
}

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
		return 0, b.fail(errLarge)
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case errors.As(err, &slow) && slow.Timeout(): // the server gives a body its time
		return n, b.fail(errSlow)
	}
	return n, b.fail(errBroken)
}

func (b *clientBody) fail(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	return err
}

// fault is what was wrong with the body so far, nil for nothing.
func (b *clientBody) fault() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

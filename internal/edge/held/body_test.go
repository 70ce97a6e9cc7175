package held

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

// P10: what is small can be sent as often as there are upstreams; what is larger
// once, and whole all the same.
func TestP10Bodies(t *testing.T) {
	for name, c := range map[string]struct {
		size  int
		whole bool
	}{"none": {0, true}, "small": {10, true}, "as large as may be": {Most, true}, "larger": {Most + 1, false}, "much larger": {3 * Most, false}} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat("x", c.size)
			var b Body
			if err := b.Hold(httptest.NewRequest("POST", "/", strings.NewReader(text))); err != nil || b.Whole() != c.whole {
				t.Fatalf("whole is %v, %v", b.Whole(), err)
			}
			for range map[bool]int{true: 2, false: 1}[c.whole] {
				if got, err := io.ReadAll(b.Open()); err != nil || string(got) != text {
					t.Errorf("%d bytes of %d, %v", len(got), c.size, err)
				}
			}
			if c.whole && string(b.Bytes()) != text {
				t.Errorf("%d bytes are held of %d", len(b.Bytes()), c.size)
			}
		})
	}
}

// What is wrong with a body is told, whether it shows while it is held or while it
// is passed on.
func TestFaultsOfBodies(t *testing.T) {
	for name, c := range map[string]struct {
		body io.Reader
		want error
	}{
		"broken off":            {io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)), ErrBroken},
		"broken off later":      {io.MultiReader(strings.NewReader(strings.Repeat("x", 2*Most)), iotest.ErrReader(io.ErrUnexpectedEOF)), ErrBroken},
		"larger than any taken": {io.LimitReader(endless{}, MostPassed+1), ErrLarge},
	} {
		t.Run(name, func(t *testing.T) {
			var b Body
			err := b.Hold(httptest.NewRequest("POST", "/", c.body))
			if err == nil {
				_, err = io.Copy(io.Discard, b.Open())
			}
			if !errors.Is(err, c.want) || !errors.Is(b.Fault(), c.want) {
				t.Errorf("got %v, its fault is %v", err, b.Fault())
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

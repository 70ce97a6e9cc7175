package endpoint

import (
	"bytes"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

// A body that is too large is read away, within bounds, so that a client that
// writes all of it before it reads gets to see the refusal. One that waits for a
// go-ahead is refused at once.
func TestTooLargeIsReadAway(t *testing.T) {
	for name, c := range map[string]struct {
		length int64
		expect string
		unread int
	}{
		"told":    {6 << 20, "", 0},
		"chunked": {-1, "", 0},
		"waiting": {6 << 20, "100-continue", 6 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			body := bytes.NewReader(make([]byte, 6<<20))
			r := httptest.NewRequest("POST", "/", body)
			r.ContentLength = c.length
			r.Header.Set("Expect", c.expect)
			_, err := ReadBody(httptest.NewRecorder(), r, 64<<10, time.Second)
			if turnout.CodeOf(err) != turnout.CodeTooLarge || body.Len() != c.unread {
				t.Errorf("%v with %d bytes unread, want %d", err, body.Len(), c.unread)
			}
		})
	}
}

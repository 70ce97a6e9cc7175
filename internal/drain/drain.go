// Package drain reads away what nobody wants of a request's body.
//
// A client that writes its whole body before it reads the answer never sees an
// answer that comes early: closing a connection with bytes unread resets it, and
// a reset throws away what the client had not read yet. So a refusal that is
// to be read waits for the rest of the body, within bounds.
package drain

import (
	"io"
	"net/http"
	"time"
)

// Bounds of what is read for a refusal. A body beyond them costs its sender the
// answer, which they are then not likely to want.
const (
	most    = 32 << 20
	longest = 5 * time.Second
)

// Rest reads the rest of r's body, at most 32 MB of it in at most 5 s, before
// an answer is written to w. A client that waits to be told to go on (Expect:
// 100-continue) is told so by it.
func Rest(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	control := http.NewResponseController(w)
	// The network counts in its own time, so no injected clock here. A writer
	// without deadlines is a test's.
	_ = control.SetReadDeadline(time.Now().Add(longest))
	_, _ = io.CopyN(io.Discard, r.Body, most) // the answer is the same however it ends
}

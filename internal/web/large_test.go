package web_test

import (
	"bytes"
	"net/http/httptest"
	"testing"
)

// A form that is too large is read away, within bounds, so that a browser that
// writes all of it before it reads gets to see the refusal.
func TestTooLargeIsReadAway(t *testing.T) {
	s := newSite(t)
	body := bytes.NewReader(make([]byte, 6<<20))
	r := httptest.NewRequest("POST", "https://events.example.org"+formPath, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if w.Code != 413 || body.Len() != 0 {
		t.Errorf("answered %d with %d bytes unread", w.Code, body.Len())
	}
}

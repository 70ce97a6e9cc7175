package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout/internal/edge/pool"
)

// P10: an instance that was told to end says until when it keeps its sessions,
// answers on until then, and only then ends.
func TestP10Draining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d draining
		h := d.before(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") }))
		ask := func(path string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			return w
		}
		told, tell := context.WithCancelCause(t.Context())
		var log bytes.Buffer
		later, done := d.first(told, 30*time.Second, slog.New(slog.NewTextHandler(&log, nil)))
		defer done()
		if w := ask(pool.Path); w.Code != http.StatusOK || w.Header().Get(pool.DrainHeader) != "" {
			t.Errorf("before: %d %v", w.Code, w.Header())
		}
		tell(errTold)
		synctest.Wait()
		if !strings.Contains(log.String(), `msg="draining: edges take its sessions elsewhere" cause=terminated for=30s`) {
			t.Errorf("it logs %s", &log)
		}
		until := time.Now().Add(30 * time.Second).Unix()
		if w := ask(pool.Path); w.Code != http.StatusServiceUnavailable || w.Header().Get(pool.DrainHeader) != strconv.FormatInt(until, 10) {
			t.Errorf("after: %d %v", w.Code, w.Header())
		}
		if w := ask("/"); w.Code != http.StatusOK || w.Body.String() != "page" {
			t.Errorf("a page is answered %d", w.Code)
		}
		<-time.After(29 * time.Second)
		if later.Err() != nil {
			t.Error("it ended too early")
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if !errors.Is(context.Cause(later), errTold) {
			t.Errorf("it ends for %v", context.Cause(later))
		}
	})
}

var errTold = errors.New("terminated")

// Without a time to drain it ends at once.
func TestNoDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d draining
		told, tell := context.WithCancelCause(t.Context())
		var log bytes.Buffer
		later, done := d.first(told, 0, slog.New(slog.NewTextHandler(&log, nil)))
		defer done()
		tell(errTold)
		synctest.Wait()
		if !errors.Is(context.Cause(later), errTold) || d.until.Load() != 0 || log.Len() > 0 {
			t.Errorf("it ends for %v and logs %s", context.Cause(later), &log)
		}
	})
}

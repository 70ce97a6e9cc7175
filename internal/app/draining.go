package app

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout/internal/edge/pool"
)

// draining is whether an instance takes new sessions. Safe for concurrent use.
type draining struct {
	// until is when it ends, in seconds since 1970; 0 while it does not drain.
	until atomic.Int64
}

// before answers the edge's probes and leaves the rest to next. What the store
// or Salesforce are up to makes no difference: all instances share them, and
// pages work without.
func (d *draining) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != pool.Path {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		if until := d.until.Load(); until != 0 {
			h.Set(pool.DrainHeader, strconv.FormatInt(until, 10))
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("draining\n")) // whoever went away does not need it
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
}

// first is a context that ends a while after ctx does, for the same cause. In
// between the instance answers as ever, and the edge takes its sessions elsewhere.
func (d *draining) first(ctx context.Context, long time.Duration, log *slog.Logger) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if long > 0 {
			log.Info("draining: edges take its sessions elsewhere", "cause", context.Cause(ctx), "for", long)
			d.until.Store(time.Now().Add(long).Unix())
		}
		timer := time.NewTimer(long)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-later.Done():
		}
	})
	return later, func() { stop(); cancel(nil) }
}

package app

import (
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/turnout-events/turnout/internal/edge/proxy"
)

// admin is what the demo serves to operators: console, admin API and health of
// the first instance that is alive, so that what they see is one process's view
// and outlives any one process, and the metrics of all. Host and origin reach
// the instance as the browser sent them, and are checked there. What the edge
// shows is under /edge/.
func (d *demo) admin(t *tally) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", proxy.New(proxy.Options{Upstreams: d.admins, Order: t.order, Logger: d.o.Logger}))
	mux.Handle("/edge/", proxy.New(proxy.Options{Upstreams: []*url.URL{d.edgeAdmin}, Logger: d.o.Logger}))
	mux.Handle("GET /metrics", promhttp.HandlerFor(t, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	return mux
}

package app

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/turnout-events/turnout/internal/edge"
)

// admin is what the demo serves to operators: console, admin API and health of
// the first instance that is alive, so that what they see is one process's view
// and outlives any one process, and the metrics of all. Host and origin reach
// the instance as the browser sent them, and are checked there.
func (d *demo) admin(metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", edge.New(edge.Options{Upstreams: d.admins, InOrder: true, Logger: d.o.Logger}))
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return mux
}

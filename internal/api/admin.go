package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/endpoint"
	"github.com/turnout-events/turnout/internal/erasure"
	"github.com/turnout-events/turnout/internal/oversight"
)

// Overseer shows how it goes.
type Overseer interface {
	Overview(ctx context.Context) ([]oversight.Org, error)
	Events(ctx context.Context, org turnout.OrgID) ([]oversight.Event, error)
	Event(org turnout.OrgID, id turnout.EventID) *turnout.Event
	Export(ctx context.Context, org turnout.OrgID, event turnout.EventID, yield func(oversight.Row) error) error
}

// Parked shows what Salesforce refused, and does what a person decides.
type Parked interface {
	Parked(ctx context.Context, org turnout.OrgID, dismissed bool, limit int) ([]oversight.Parked, bool, error)
	Retry(ctx context.Context, org turnout.OrgID, key turnout.Key) (int, error)
	Amend(ctx context.Context, org turnout.OrgID, key turnout.Key, d turnout.Details) error
	Dismiss(ctx context.Context, org turnout.OrgID, key turnout.Key, cancel bool) error
}

// Desk is both.
type Desk interface {
	Overseer
	Parked
}

// Forgetter erases people.
type Forgetter interface {
	Forget(ctx context.Context, org turnout.OrgID, email string) (erasure.Receipt, error)
}

// Sessions ends those of an org.
type Sessions interface {
	RevokeOrg(ctx context.Context, org turnout.OrgID) error
}

// AdminOptions of an Admin. The first three are needed.
type AdminOptions struct {
	Desk     Desk
	Forget   Forgetter
	Sessions Sessions
	// Console serves /console/; nil means that there is none.
	Console http.Handler
	// Hosts are the names that the admin listener answers to besides loopback's,
	// without port.
	Hosts []string
	// Checks say whether this process can serve, by name.
	Checks map[string]func(context.Context) error
	// Metrics are what /metrics shows; nil means none.
	Metrics prometheus.Gatherer
	// Logger gets faults of ours, never personal data; nil means none.
	Logger *slog.Logger
}

// Admin serves what operators and their machines ask. Any number of goroutines
// may use it.
type Admin struct {
	desk     Desk
	forget   Forgetter
	sessions Sessions
	handler  http.Handler
}

// NewAdmin makes an Admin. It does no I/O.
func NewAdmin(o AdminOptions) (*Admin, error) {
	if o.Desk == nil || o.Forget == nil || o.Sessions == nil {
		return nil, errors.New("make admin api: desk, forget and sessions are required")
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	a := &Admin{desk: o.Desk, forget: o.Forget, sessions: o.Sessions}
	served, err := endpoint.New(endpoint.Options{
		Title: "Turnout for operators", Document: "/admin/v1/openapi.json", Routes: a.routes(), Logger: o.Logger,
		About: "Orgs, parked registrations, forgetting and exports. Answers may hold personal data: keep this listener to operators.",
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	known := KnownHosts(o.Hosts)
	mux.Handle("/", known(served))
	if o.Console != nil {
		mux.Handle("/console/", known(o.Console))
		mux.Handle("GET /{$}", known(http.RedirectHandler("/console/", http.StatusSeeOther)))
	}
	// Probes and scrapers come by address, under any name; what they get names nobody.
	mux.HandleFunc("GET /livez", showAlive)
	mux.Handle("GET /readyz", readiness(o.Checks))
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	a.handler = mux
	return a, nil
}

// Handler serves /admin/v1/…, /console/, /livez, /readyz and /metrics.
func (a *Admin) Handler() http.Handler { return a.handler }

// KnownHosts refuses hosts that are neither loopback nor configured: a page of
// another site that points its own name at this machine (DNS rebinding) would
// otherwise count as the same origin.
func KnownHosts(hosts []string) func(http.Handler) http.Handler {
	known := map[string]bool{"localhost": true}
	for _, host := range hosts {
		known[hostOf(host)] = true
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			host := hostOf(r.Host)
			ip := net.ParseIP(strings.Trim(host, "[]"))
			if !known[host] && (ip == nil || !ip.IsLoopback()) {
				endpoint.Refuse(w, endpoint.Misdirected("operators are served under loopback's names and those in admin_hosts: add this one there"))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

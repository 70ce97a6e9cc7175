package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/turnout-events/turnout/internal/api"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/edge"
	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/domains"
	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/room"
	"github.com/turnout-events/turnout/internal/exchange"
	"github.com/turnout-events/turnout/internal/limit"
	"github.com/turnout-events/turnout/internal/pace"
	"github.com/turnout-events/turnout/internal/run"
)

// Edge runs one edge until ctx ends; ready is written once it serves, if it
// names a file.
func Edge(ctx context.Context, cfg config.Config, log *slog.Logger, ready string) (err error) {
	defer oneMoreProcessor()()
	courses, err := openCourses(ctx, cfg, log)
	if err != nil {
		return err
	}
	served := false
	defer func() { saysStopped(served, log) }()
	defer func() { err = errors.Join(err, courses.Close()) }()
	shared, err := openLimits(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shared.Close()) }()
	e, closeLog, err := newEdge(ctx, cfg, courses, shared, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	guard, err := newGuard(cfg)
	if err != nil {
		return err
	}
	certs, err := certificates(ctx, cfg, courses, e, log)
	if err != nil {
		return err
	}
	moving, gauges := courses.moving(cfg, e)
	pages, err := edgeAdmin(cfg, e, certs, append(append(shared.collectors(), gauges...), guard.Collector())...)
	if err != nil {
		return err
	}
	admin, adminAddr, err := listen("admin pages", cfg.Edge.AdminListen, pages, log)
	if err != nil {
		return fmt.Errorf("edge.admin_listen: %w", err)
	}
	public, err := openDoors(cfg, certs, e, guard, log)
	if err != nil {
		return err
	}
	services := append(append(append(shared.services(), moving...), []run.Service{
		{Name: "pace", Run: pace.Run},
		{Name: "edge", Run: e.Run},
		{Name: "routes", Run: func(ctx context.Context) error { return courses.follow(ctx, e) }},
		admin,
	}...), public.services...)
	r := Ready{PID: os.Getpid(), URL: public.first(), Admin: "http://" + adminAddr.String()}
	if err := WriteReady(ready, r); err != nil {
		return err
	}
	log.Info("serving", append(public.addresses(), "admin", r.Admin)...)
	served = true
	return run.Group{Services: services, Logger: log}.Run(ctx)
}

// newEdge joins an edge to its keys, its routes and its log.
func newEdge(ctx context.Context, cfg config.Config, courses *courses, shared *limits, log *slog.Logger) (*edge.Edge, func() error, error) {
	keys, err := sessionKeys(cfg, affinity.OpenKeys)
	if err != nil {
		return nil, nil, err
	}
	signer, err := affinity.NewSigner(keys...)
	if err != nil {
		return nil, nil, err
	}
	tickets, err := room.NewKeys(keys[0], keys[1:]...)
	if err != nil {
		return nil, nil, err
	}
	table, err := courses.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	access, closeLog, err := accessLog(cfg.Edge.AccessLog)
	if err != nil {
		return nil, nil, fmt.Errorf("edge.access_log: %w", err)
	}
	trusted, err := cfg.Edge.TrustedProxies()
	if err != nil {
		return nil, nil, err
	}
	var line room.Ledger // of this edge alone
	if courses.engines != nil {
		line = room.NewSharedLedger(courses.engines.Store, log)
	}
	return edge.New(edge.Options{
		Ledger: line,
		Signer: signer, Tickets: tickets, Name: cfg.Instance, Connect: connect, Default: cfg.Edge.Org.Allowance(),
		Client: limit.Rate{PerSecond: cfg.Edge.Client.PerSecond, Burst: max(1, cfg.Edge.Client.Burst)},
		Meter:  shared.meters(), Share: shared.shares(), Trusted: trusted, AccessLog: access, Logger: log,
		Trial: cfg.Edge.Certificates.Internal(),
	}, table), closeLog, nil
}

// sessionKeys are the keys of sessions and places in line, the one that signs first;
// open reads those of a file.
func sessionKeys(cfg config.Config, open func(path string) ([][]byte, error)) ([][]byte, error) {
	if cfg.Edge.Key != "" {
		keys, err := affinity.ParseKeys(cfg.Edge.Key)
		if err != nil {
			return nil, fmt.Errorf("TURNOUT_EDGE_KEY: %w", err)
		}
		return keys, nil
	}
	keys, err := open(cfg.Edge.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("edge.key_file: %w", err)
	}
	return keys, nil
}

// connect makes what sends requests to an origin.
func connect(origin *url.URL) pool.Exchange {
	o := exchange.Options{Addr: origin.Host}
	port := "80"
	if origin.Scheme == "https" {
		port = "443"
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if origin.Port() == "" {
		o.Addr = net.JoinHostPort(origin.Hostname(), port)
	}
	return exchange.New(o)
}

// accessLog opens the access log: none for no name.
func accessLog(name string) (io.Writer, func() error, error) {
	switch name {
	case "":
		return nil, func() error { return nil }, nil
	case "-":
		return os.Stdout, func() error { return nil }, nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	return f, f.Close, nil
}

// edgeAdmin is what operators reach of an edge. certs may be nil.
func edgeAdmin(cfg config.Config, e *edge.Edge, certs *domains.Domains, more ...prometheus.Collector) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(e.Collector(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(more...)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	alive := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") } // whoever went away does not need it
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /readyz", alive)
	known := api.KnownHosts(cfg.AdminHosts)
	pages, err := e.Admin(known)
	if err != nil {
		return nil, err
	}
	mux.Handle("/edge/", pages)
	mux.Handle("GET /edge/root.crt", known(rootPage(certs)))
	mux.Handle("GET /{$}", http.RedirectHandler("/edge/status", http.StatusSeeOther))
	return mux, nil
}

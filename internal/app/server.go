package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/turnout-events/turnout/internal/run"
)

// Bounds of a visitor's connection. A slow client costs a connection, never a
// place in the writer's queue: bodies are read whole before anything is done.
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 20 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 90 * time.Second
	maxHeader     = 16 << 10
)

// listen opens a listener and returns the service that serves it. Stopping
// lets requests that are under way finish.
func listen(name, address string, handler http.Handler, log *slog.Logger) (run.Service, net.Addr, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return run.Service{}, nil, err
	}
	server := newServer(handler, log)
	return serving(name, func() error { return server.Serve(l) }, server), l.Addr(), nil
}

// newServer is a server that bounds what a client may take.
func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// serving is a server as a service; serve is how it serves its listener.
func serving(name string, serve func() error, server *http.Server) run.Service {
	until := func(ctx context.Context) error {
		failed := make(chan error, 1)
		go func() { failed <- serve() }()
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bodyTimeout)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return server.Close()
	}
	return run.Service{Name: name, Run: until}
}

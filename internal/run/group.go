// Package run starts the services of a process together and stops them in
// reverse order with a bound.
package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Service is something that runs until its context ends.
type Service struct {
	Name string
	Run  func(ctx context.Context) error
}

// Group is services in the order in which they start.
type Group struct {
	Services []Service
	// Patience is how long one service may take to stop; 0 means 30 s.
	Patience time.Duration
	Logger   *slog.Logger
}

// Run runs all services until ctx ends or one of them fails or ends by itself,
// then logs which it was and stops them in reverse order, each before the next. A
// service that does not stop in time is named in the error.
func (g Group) Run(ctx context.Context) error {
	if g.Patience == 0 {
		g.Patience = 30 * time.Second
	}
	if g.Logger == nil {
		g.Logger = slog.New(slog.DiscardHandler)
	}
	running := make([]*service, 0, len(g.Services))
	ended := make(chan *service, len(g.Services))
	for _, s := range g.Services {
		running = append(running, start(context.WithoutCancel(ctx), s, ended))
	}
	var errs []error
	select {
	case <-ctx.Done():
		g.Logger.Info("stopping", "cause", context.Cause(ctx))
	case s := <-ended:
		if s.err == nil {
			s.err = errors.New("ended by itself")
		}
		errs = append(errs, fmt.Errorf("%s: %w", s.Name, s.err))
		g.Logger.Error("stopping, since a service ended", "service", s.Name, "error", s.err)
	}
	for _, s := range slices.Backward(running) {
		errs = append(errs, s.stop(g.Patience))
	}
	return errors.Join(errs...)
}

type service struct {
	Service
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func start(ctx context.Context, s Service, ended chan<- *service) *service {
	ctx, cancel := context.WithCancel(ctx)
	sv := &service{Service: s, cancel: cancel, done: make(chan struct{})}
	go func() {
		sv.err = s.Run(ctx)
		close(sv.done)
		ended <- sv
	}()
	return sv
}

// stop ends one service and returns what went wrong while it stopped.
func (s *service) stop(patience time.Duration) error {
	select {
	case <-s.done: // it was the one that ended; its error is known
		s.cancel()
		return nil
	default:
	}
	s.cancel()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-s.done:
		if s.err != nil && !errors.Is(s.err, context.Canceled) {
			return fmt.Errorf("stop %s: %w", s.Name, s.err)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("stop %s: not done after %s", s.Name, patience)
	}
}

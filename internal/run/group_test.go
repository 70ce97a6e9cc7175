package run

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func recorder(order *[]string, name string) Service {
	return Service{name, func(ctx context.Context) error {
		<-ctx.Done()
		*order = append(*order, name)
		return ctx.Err()
	}}
}

func TestStopsInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := Group{Services: []Service{recorder(&order, "store"), recorder(&order, "delivery"), recorder(&order, "pages")}}.Run(ctx)
		if err != nil || !slices.Equal(order, []string{"pages", "delivery", "store"}) {
			t.Errorf("stopped %v, %v", order, err)
		}
	})
}

// Whoever reads the log afterwards sees that it was told to stop, and by what.
func TestStoppingIsLoggedWithItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		var log bytes.Buffer
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("terminated"))
		g := Group{Services: []Service{recorder(&order, "pages")}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		if err := g.Run(ctx); err != nil || !strings.Contains(log.String(), "level=INFO msg=stopping cause=terminated\n") {
			t.Errorf("%v; it logs %s", err, &log)
		}
	})
}

func TestOneFailureStopsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		broken := Service{"mirror", func(context.Context) error { return errors.New("boom") }}
		err := Group{Services: []Service{recorder(&order, "store"), broken}}.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "mirror: boom") || len(order) != 1 {
			t.Errorf("stopped %v, %v", order, err)
		}
	})
}

func TestAStubbornServiceIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stubborn := Service{"pages", func(context.Context) error { <-release; return nil }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := Group{Services: []Service{stubborn}, Patience: time.Minute}.Run(ctx)
		if err == nil || !strings.Contains(err.Error(), "pages") {
			t.Errorf("got %v", err)
		}
		close(release)
	})
}

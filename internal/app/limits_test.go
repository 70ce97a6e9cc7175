package app

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/redis/redistest"
)

// Two edges with one key share; one without the setting has nothing to do with it.
func TestLimitsAreShared(t *testing.T) {
	r := redistest.New(t)
	cfg := config.Config{Edge: config.Edge{Limits: r.URL(), KeyFile: filepath.Join(t.TempDir(), "edge.key")}}
	log := slog.New(slog.DiscardHandler)
	var both []*limits
	for range 2 {
		l, err := openLimits(t.Context(), cfg, log)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go l.sharing.Run(t.Context())
		both = append(both, l)
	}
	for both[0].sharing.Edges() != 2 || both[1].sharing.Edges() != 2 { // Run tells them
		both[0].meters()("org acme")
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(both[0].collectors()...)
	wantLines(t, registry, `turnout_redis_up{use="limits"} 1`, `turnout_edge_limits_edges 2`)

	cfg.Edge.Limits = ""
	none, err := openLimits(t.Context(), cfg, log)
	if err != nil || none != nil || none.meters() != nil || none.shares() != nil || none.services() != nil || none.collectors() != nil || none.Close() != nil {
		t.Errorf("without the setting: %+v, %v", none, err)
	}
	cfg.Edge.Limits = "redis://redis.example.org"
	if _, err := openLimits(t.Context(), cfg, log); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("in the clear: %v", err)
	}
}

// What is wrong with the settings is told with all other faults, without a password.
func TestRedisSettingsAreChecked(t *testing.T) {
	_, err := config.Load("", []string{
		"TURNOUT_SESSIONS=redis://:hunter2@10.0.0.1", "TURNOUT_STACK=" + strings.Repeat("s", 65), "TURNOUT_DELIVERY_MOST=201",
		"TURNOUT_EDGE_LIMITS=rediss://:hunter2@10.0.0.1/first",
	})
	for _, want := range []string{"sessions: the Redis server at 10.0.0.1 would be reached without TLS", "stack: ", "delivery.most: ", "edge.limits: what follows the host"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

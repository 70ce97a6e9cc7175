package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/edge"
	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/modulation"
	"github.com/turnout-events/turnout/internal/redis"
	"github.com/turnout-events/turnout/internal/run"
)

// limits are the allowances that this edge shares with others. A nil one is that of
// an edge that limits by itself.
type limits struct {
	server  *redis.Server
	sharing *modulation.Sharing
}

// exchangeWithin bounds one exchange, for which no request waits.
const exchangeWithin = 250 * time.Millisecond

// openLimits opens what edge.limits names, nil for nothing.
func openLimits(ctx context.Context, cfg config.Config, log *slog.Logger) (*limits, error) {
	if cfg.Edge.Limits == "" {
		return nil, nil
	}
	keys, err := sessionKeys(cfg, affinity.OpenKeys)
	if err != nil {
		return nil, err
	}
	server, err := redis.Open(ctx, redis.Options{
		URL: cfg.Edge.Limits, Use: "limits", Without: "each edge limits by itself", Patience: exchangeWithin, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	return &limits{server: server, sharing: modulation.New(modulation.Options{Server: server, Key: keys[0]})}, nil
}

func (l *limits) meters() func(string) edge.Meter {
	if l == nil {
		return nil
	}
	return func(holder string) edge.Meter { return l.sharing.Meter(holder) }
}

func (l *limits) shares() func(string) edge.Share {
	if l == nil {
		return nil
	}
	return func(holder string) edge.Share { return l.sharing.Share(holder) }
}

func (l *limits) services() []run.Service {
	if l == nil {
		return nil
	}
	return []run.Service{{Name: "redis", Run: l.server.Run}, {Name: "limits", Run: l.sharing.Run}}
}

// collectors are the metrics: whether Redis answers, and how many edges share.
func (l *limits) collectors() []prometheus.Collector {
	if l == nil {
		return nil
	}
	return []prometheus.Collector{redisUp("limits", l.server), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "turnout_edge_limits_edges", Help: "Edges that share the orgs' allowances, this one included; 1 while it limits by itself.",
	}, func() float64 { return float64(l.sharing.Edges()) })}
}

// Close ends the connection. It may be called twice.
func (l *limits) Close() error {
	if l == nil {
		return nil
	}
	return l.server.Close()
}

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/redis"
)

// CheckRedis asks the Redis servers that the settings name: a line for each that
// answers, and the faults of those that do not. log gets why.
func CheckRedis(ctx context.Context, cfg config.Config, log *slog.Logger) (answer []string, err error) {
	var faults []error
	for _, use := range []struct{ name, url, without string }{
		{"sessions", cfg.Sessions, "instances would go on with sealed cookies"},
		{"edge.limits", cfg.Edge.Limits, "each edge would limit by itself"},
	} {
		switch err := asksRedis(ctx, redis.Options{URL: use.url, Use: use.name, Without: use.without, Logger: log}); {
		case use.url == "":
		case err != nil:
			faults = append(faults, fmt.Errorf("%s: %w", use.name, err))
		default:
			answer = append(answer, use.name+": Redis answers")
		}
	}
	return answer, errors.Join(faults...)
}

// asksRedis tells what is wrong with a server; nothing is with none.
func asksRedis(ctx context.Context, o redis.Options) error {
	if o.URL == "" {
		return nil
	}
	s, err := redis.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // nothing was written
	if s.Away() {
		return errors.New("Redis does not answer; " + o.Without)
	}
	return nil
}

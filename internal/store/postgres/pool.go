package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A connection that nobody used for idle is asked whether it still is one, and
// given up when it does not answer within goodFor.
const (
	idle    = time.Second
	goodFor = 2 * time.Second
)

// askIdle makes a pool's connections be asked before they are used again. Where
// one has fallen silent, as behind a network that was away, its neighbours most
// likely have: all are made anew, so that readers do not find out one by one. The
// pool's own way would be to wait for an answer for as long as its caller does.
func askIdle(cfg *pgxpool.Config, reset func()) {
	cfg.PingTimeout = goodFor
	cfg.ShouldPing = func(ctx context.Context, p pgxpool.ShouldPingParams) bool {
		if p.IdleDuration < idle {
			return false
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodFor)
		defer cancel()
		if p.Conn.Ping(ctx) == nil {
			return false
		}
		reset()
		return true // and finds it closed
	}
}

// Package wire makes connections to PostgreSQL that keep the store's promises,
// says in one line why one cannot be made and what to do, and turns what the
// server reports into codes.
package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// lockPatience is how long a statement waits for somebody else's lock, and how
// long the server lets a process that was stopped within a transaction hold its
// locks before it ends that session.
const lockPatience = 10 * time.Second

// Check tells what is wrong with a store's URL without connecting: one line that
// says what to do, and never holds the password.
func Check(url string) error {
	_, err := Parse(url)
	return err
}

// Parse reads a URL and refuses what would send registrations in the clear: no
// attempt outside this machine may be without TLS 1.2 or newer.
func Parse(url string) (*pgx.ConnConfig, error) {
	if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		return nil, errors.New("give the store as postgres://user@host/database?sslmode=verify-full")
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil { // it may quote what is secret
		return nil, errors.New("the store's URL cannot be read; give postgres://user@host/database?sslmode=verify-full")
	}
	if err := secure(cfg.Host, cfg.TLSConfig); err != nil {
		return nil, err
	}
	for _, f := range cfg.Fallbacks {
		if err := secure(f.Host, f.TLSConfig); err != nil {
			return nil, err
		}
	}
	settle(cfg)
	return cfg, nil
}

// secure holds one address to what P8 asks of the wire.
func secure(host string, t *tls.Config) error {
	if t != nil {
		t.MinVersion = max(t.MinVersion, tls.VersionTLS12)
		return nil
	}
	if filepath.IsAbs(host) || strings.HasPrefix(host, "@") || host == "localhost" || net.ParseIP(host).IsLoopback() {
		return nil
	}
	return fmt.Errorf("the store at %s would be reached without TLS: put sslmode=verify-full (or require) into its URL", host)
}

// settle adds what every connection of the store needs.
func settle(cfg *pgx.ConnConfig) {
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second // for each host of several
	}
	if cfg.ValidateConnect == nil { // after a failover the old primary must not be taken for the store
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	cfg.ValidateConnect = (&timeline{then: cfg.ValidateConnect}).validate // shared by all of the store's connections
	for name, value := range map[string]string{
		"application_name": "turnout", "timezone": "UTC",
		"lock_timeout":                        fmt.Sprint(lockPatience.Milliseconds()),
		"idle_in_transaction_session_timeout": fmt.Sprint(lockPatience.Milliseconds()),
	} {
		if _, said := cfg.RuntimeParams[name]; !said {
			cfg.RuntimeParams[name] = value
		}
	}
	cfg.RuntimeParams["default_transaction_isolation"] = "read committed" // see transact in package postgres
}

// wanted are settings without which an answered commit may be lost (P1), with
// the values that are strong enough.
func wanted() map[string][]string {
	return map[string][]string{"synchronous_commit": {"on", "remote_apply"}, "fsync": {"on"}, "full_page_writes": {"on"}}
}

// Verify reads back what the server promises, and holds the session to it:
// reloading the server's settings cannot weaken it later.
func Verify(ctx context.Context, conn *pgx.Conn) error {
	for name, strong := range wanted() {
		var got string
		if err := conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&got); err != nil {
			return fmt.Errorf("read back %s: %w", name, err)
		}
		ok := false
		for _, value := range strong {
			ok = ok || got == value
		}
		if !ok {
			return fmt.Errorf("the server has %s=%s, with which registrations can be lost: set it to %s, for the role or database too", name, got, strong[0])
		}
		if name == "synchronous_commit" {
			if _, err := conn.Exec(ctx, "SELECT set_config('synchronous_commit', $1, false)", got); err != nil {
				return fmt.Errorf("hold %s: %w", name, err)
			}
		}
	}
	return nil
}

// pointed keeps the planner to indexes and nested loops. Everything that the
// writer asks for is a few rows by their keys, but a plan that was made while the
// tables were young, or before they were analysed, would read them whole ever after.
func pointed() map[string]string {
	return map[string]string{"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "plan_cache_mode": "force_generic_plan", "jit": "off"}
}

// ForWriter is cfg for the writer's own connection.
func ForWriter(cfg *pgx.ConnConfig) *pgx.ConnConfig {
	own := cfg.Copy()
	maps.Copy(own.RuntimeParams, pointed())
	return own
}

// Connect opens a connection that keeps P1's promises. Its error is one line
// that says what to do.
func Connect(ctx context.Context, cfg *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, plain(cfg, err)
	}
	if err := Verify(ctx, conn); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

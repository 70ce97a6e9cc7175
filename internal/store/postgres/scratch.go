package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout/internal/store/postgres/wire"
)

// Scratch is a schema that a run of the conformance suite makes in somebody's
// database and drops again. Nothing else of the database is touched.
type Scratch struct{ url, schema string }

// NewScratch is the schema of that name, a plain identifier, in the database that
// url names.
func NewScratch(url, schema string) Scratch {
	base, query, _ := strings.Cut(url, "?")
	pairs := []string{"search_path=" + schema, "application_name=" + schema}
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if pair != "" && name != "search_path" && name != "application_name" {
			pairs = append(pairs, pair)
		}
	}
	return Scratch{base + "?" + strings.Join(pairs, "&"), schema}
}

// URL is a store's, whose tables lie in the schema.
func (s Scratch) URL() string { return s.url }

// Make makes the schema unless it is there.
func (s Scratch) Make(ctx context.Context) error {
	return s.exec(ctx, "make schema", "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{s.schema}.Sanitize())
}

// Drop drops it with all that is in it.
func (s Scratch) Drop(ctx context.Context) error {
	return s.exec(ctx, "drop schema", "DROP SCHEMA IF EXISTS "+pgx.Identifier{s.schema}.Sanitize()+" CASCADE")
}

func (s Scratch) exec(ctx context.Context, what, statement string) error {
	return s.with(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, statement); err != nil && !strings.Contains(err.Error(), "23505") { // two made it at once
			return fmt.Errorf("%s %s: %w", what, s.schema, err)
		}
		return nil
	})
}

// Quiet waits until no session works on the schema any more: what a process sent
// before it was killed is still being done.
func (s Scratch) Quiet(ctx context.Context) error {
	return s.with(ctx, func(conn *pgx.Conn) error {
		poll := time.NewTicker(10 * time.Millisecond)
		defer poll.Stop()
		for {
			busy := 0
			err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
				WHERE application_name = $1 AND state <> 'idle' AND pid <> pg_backend_pid()`, s.schema).Scan(&busy)
			if err != nil || busy == 0 {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-poll.C:
			}
		}
	})
}

func (s Scratch) with(ctx context.Context, do func(*pgx.Conn) error) error {
	cfg, err := wire.Parse(s.url)
	if err != nil {
		return err
	}
	conn, err := wire.Connect(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(conn), conn.Close(ctx))
}

package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/turnout-events/turnout/internal/store/postgres/wire"
	"github.com/turnout-events/turnout/internal/store/schema"
)

//go:embed schema/*.sql
var migrations embed.FS

// readableFrom stays as it is while steps only expand. A step that takes
// something away comes a release after the last program that needs it, and
// raises this to the first version that does not.
const readableFrom = 1

func knownSchema() (schema.Known, error) { return schema.Read(migrations, readableFrom) }

// migrate brings the store up to date in one transaction, under an advisory
// lock, so that of instances that start together one does it and the others
// find it done. A store that a newer program has expanded is used as it is.
func migrate(ctx context.Context, conn *pgx.Conn, known schema.Known) error {
	return pgx.BeginFunc(ctx, conn, func(t pgx.Tx) error {
		if _, err := t.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('turnout schema in ' || coalesce(current_schema(), ''), 0))"); err != nil {
			return fmt.Errorf("wait for the schema: %w", err)
		}
		have, from, err := schemaVersion(ctx, t)
		if err != nil {
			return err
		}
		missing, err := known.Missing(have, from)
		if err != nil || len(missing) == 0 {
			return err
		}
		return apply(ctx, t, known, have)
	})
}

// schemaVersion is 0 for a store that was never made. A store without a mark of
// who may use it can be used by its own version alone.
func schemaVersion(ctx context.Context, q wire.Querier) (have, from int, err error) {
	var made bool
	// Not to_regclass: it may remember what was not there before the lock was waited for.
	err = q.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'meta' AND pg_table_is_visible(oid))").Scan(&made)
	if err == nil && made {
		err = q.QueryRow(ctx, `SELECT coalesce(max(value::int) FILTER (WHERE name = 'version'), 0),
			coalesce(max(value::int) FILTER (WHERE name = 'readable_from'), max(value::int) FILTER (WHERE name = 'version'), 0) FROM meta`).Scan(&have, &from)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read schema version: %w", err)
	}
	return have, from, nil
}

// noPrivilege is the server's state for what its role may not do.
const noPrivilege = "42501"

func apply(ctx context.Context, t pgx.Tx, known schema.Known, have int) error {
	// Instances of the version before go on while columns are added: whoever
	// holds a table for long must not make them wait behind this.
	text := "SET LOCAL lock_timeout = '5s';"
	if have == 0 {
		text += "CREATE TABLE meta (name text PRIMARY KEY, value text NOT NULL);"
	}
	text += strings.Join(known.Steps[have:], "\n;\n") + fmt.Sprintf(`;
		INSERT INTO meta (name, value) VALUES ('version', '%d'), ('readable_from', '%d')
		ON CONFLICT (name) DO UPDATE SET value = excluded.value;`, len(known.Steps), known.ReadableFrom)
	// Several statements at once go by the simple protocol only.
	if _, err := t.Conn().PgConn().Exec(ctx, text).ReadAll(); err != nil {
		return mayNot(fmt.Errorf("apply schema steps %d to %d: %w", have+1, len(known.Steps), err))
	}
	return nil
}

// mayNot says what to do where the role lacks the right to make tables.
func mayNot(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == noPrivilege {
		return fmt.Errorf("the store's user may not make tables (%s): make it the owner of its database", e.Message)
	}
	return err
}

package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed schema/*.sql
var migrations embed.FS

// readableFrom stays as it is while steps only expand. A step that takes
// something away comes a release after the last program that needs it, and
// raises this to the first version that does not.
const readableFrom = 1

// schema is what a program knows of it.
type schema struct {
	// steps make it; its version is their number.
	steps []string
	// readableFrom is the oldest version whose programs may use a store that has
	// taken all the steps.
	readableFrom int
}

func knownSchema() (schema, error) {
	known := schema{readableFrom: readableFrom}
	entries, err := migrations.ReadDir("schema")
	for _, e := range entries {
		text, readErr := migrations.ReadFile("schema/" + e.Name())
		err = errors.Join(err, readErr)
		known.steps = append(known.steps, string(text))
	}
	return known, err
}

// migrate brings the store up to date in one transaction, under an advisory
// lock, so that of instances that start together one does it and the others
// find it done. A store that a newer program has expanded is used as it is.
func (known schema) migrate(ctx context.Context, conn *pgx.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(t pgx.Tx) error {
		if _, err := t.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('turnout schema in ' || coalesce(current_schema(), ''), 0))"); err != nil {
			return fmt.Errorf("wait for the schema: %w", err)
		}
		have, from, err := schemaVersion(ctx, t)
		if err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
		if have >= len(known.steps) {
			if have > len(known.steps) && from > len(known.steps) {
				return fmt.Errorf("the schema has version %d and can be used from version %d on, this program knows %d; use the newer program", have, from, len(known.steps))
			}
			return nil
		}
		return known.apply(ctx, t, have)
	})
}

// schemaVersion is 0 for a store that was never made. A store without a mark of
// who may use it can be used by its own version alone.
func schemaVersion(ctx context.Context, t pgx.Tx) (have, from int, err error) {
	var made bool
	if err := t.QueryRow(ctx, "SELECT to_regclass('meta') IS NOT NULL").Scan(&made); err != nil || !made {
		return 0, 0, err
	}
	err = t.QueryRow(ctx, `SELECT coalesce(max(value::int) FILTER (WHERE name = 'version'), 0),
		coalesce(max(value::int) FILTER (WHERE name = 'readable_from'), max(value::int) FILTER (WHERE name = 'version'), 0) FROM meta`).Scan(&have, &from)
	return have, from, err
}

func (known schema) apply(ctx context.Context, t pgx.Tx, have int) error {
	// Instances of the version before go on while columns are added: whoever
	// holds a table for long must not make them wait behind this.
	text := "SET LOCAL lock_timeout = '5s';"
	if have == 0 {
		text += "CREATE TABLE meta (name text PRIMARY KEY, value text NOT NULL);"
	}
	text += strings.Join(known.steps[have:], "\n;\n") + fmt.Sprintf(`;
		INSERT INTO meta (name, value) VALUES ('version', '%d'), ('readable_from', '%d')
		ON CONFLICT (name) DO UPDATE SET value = excluded.value;`, len(known.steps), known.readableFrom)
	// Several statements at once go by the simple protocol only.
	if _, err := t.Conn().PgConn().Exec(ctx, text).ReadAll(); err != nil {
		return fmt.Errorf("apply schema steps %d to %d: %w", have+1, len(known.steps), err)
	}
	return nil
}

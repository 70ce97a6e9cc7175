package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/turnout-events/turnout/internal/store/schema"
)

//go:embed schema/*.sql
var migrations embed.FS

// readableFrom stays as it is while steps only expand. A step that takes
// something away comes a release after the last program that needs it, and
// raises this to the first version that does not.
const readableFrom = 1

func knownSchema() (schema.Known, error) { return schema.Read(migrations, readableFrom) }

// prepare looks at what is there before it makes anything.
func (s *Store) prepare(ctx context.Context, o Options) error {
	known, err := knownSchema()
	if err != nil {
		return err
	}
	have, from, err := schemaVersion(ctx, s.writes)
	if err != nil {
		return err
	}
	if err = known.Opens(have, from, o.Existing); err == nil && have > 0 {
		err = ours(ctx, s.writes, o)
	}
	if err != nil || o.Existing {
		return err
	}
	return migrate(ctx, s.writes, known)
}

// ours asks whether the store is this deployment's.
func ours(ctx context.Context, db *sql.DB, o Options) error {
	if o.Ours == nil {
		return nil
	}
	keys, err := keyring{path: o.Path, db: db}.orgKeys(ctx)
	if err != nil {
		return err
	}
	return o.Ours(ctx, keys)
}

// migrate brings a file up to date, one transaction a step, each of which says
// in the file from which version on it can be used. A file that a newer program
// has expanded is used as it is, so that an older one may be started again
// during a rollout and after a rollback.
func migrate(ctx context.Context, db *sql.DB, known schema.Known) error {
	have, from, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
	missing, err := known.Missing(have, from)
	if err != nil {
		return err
	}
	for i, step := range missing {
		version := have + i + 1
		text := fmt.Sprintf(`BEGIN IMMEDIATE; %s;
			INSERT INTO meta (name, value) VALUES ('readable_from', '%d') ON CONFLICT (name) DO UPDATE SET value = excluded.value;
			PRAGMA user_version = %d; COMMIT`, step, known.ReadableFrom, version)
		if _, err := db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("apply schema step %d: %w", version, err)
		}
	}
	return nil
}

// schemaVersion is 0 for a file that is new. One without a mark of who may use
// it can be used by its own version alone.
func schemaVersion(ctx context.Context, db *sql.DB) (have, from int, err error) {
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil || have == 0 {
		return 0, 0, wrapped("read schema version", err)
	}
	from = have
	err = db.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'readable_from'").Scan(&from)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return have, from, wrapped("read who may use the schema", err)
}

func wrapped(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, err)
}

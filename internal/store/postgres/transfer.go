package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/turnout-events/turnout/internal/store/postgres/wire"
	"github.com/turnout-events/turnout/internal/store/transfer"
)

// OpenTransfer opens the store at url to be copied from or to; only the latter is
// made where it is missing.
func OpenTransfer(ctx context.Context, url string, target bool) (*transfer.Side, error) {
	cfg, err := wire.Parse(url)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	side, err := openTransfer(ctx, cfg, target)
	if err != nil {
		return nil, fmt.Errorf("open store at %s: %w", cfg.Host, err)
	}
	return side, nil
}

func openTransfer(ctx context.Context, cfg *pgx.ConnConfig, target bool) (*transfer.Side, error) {
	conn, err := wire.Connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }() // says goodbye
	known, err := knownSchema()
	if err != nil {
		return nil, err
	}
	if target {
		have, _, err := schemaVersion(ctx, conn)
		if err == nil && have == 0 {
			err = race(ctx, cfg, conn)
		}
		if err == nil {
			err = migrate(ctx, conn, known)
		}
		if err != nil {
			return nil, err
		}
	}
	have, _, err := schemaVersion(ctx, conn)
	if err := errors.Join(err, known.Same(have)); err != nil {
		return nil, err
	}
	own := cfg.Copy()
	own.RuntimeParams["idle_in_transaction_session_timeout"] = "0" // a moment is read for as long as the copy takes
	own.RuntimeParams["statement_timeout"] = "0"
	return &transfer.Side{
		Name: fmt.Sprintf("%s on %s", cfg.Database, cfg.Host), DB: stdlib.OpenDB(*own), Dialect: dialect(),
		Done: func() error { return nil },
	}, nil
}

// passing is the setting of a transaction that fences let through.
const passing = "turnout.copying"

// barrier is what the fences of all tables do.
func barrier(body string) string {
	return "CREATE OR REPLACE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + body + " END $$"
}

func dialect() transfer.Dialect {
	return transfer.Dialect{
		Mark:       func(n int) string { return "$" + strconv.Itoa(n) },
		Snapshot:   sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		Overriding: " OVERRIDING SYSTEM VALUE",
		Renumber: func(table string) string {
			column := map[string]string{"orgs": "num", "lanes": "lane", "registrations": "id"}[table]
			return fmt.Sprintf("SELECT setval(pg_get_serial_sequence('%s', '%s'), (SELECT max(%s) FROM %s))", table, column, column, table)
		},
		// Readers hold up neither: a lock that waits for them would have all pages
		// wait behind it. What is left of a fence lets everybody through.
		Fence: func(table string) []string {
			return []string{
				barrier("IF current_setting('" + passing + "', true) = 'on' THEN RETURN NULL; END IF; RAISE EXCEPTION 'the store was moved' USING ERRCODE = '" + wire.Moved + "';"),
				fmt.Sprintf("LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE", table), // waits for who writes
				fmt.Sprintf(`DO $$ BEGIN
					IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = '%[1]s'::regclass AND tgname = 'moved') THEN
						CREATE TRIGGER moved BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %[1]s FOR EACH STATEMENT EXECUTE FUNCTION moved();
					END IF;
				END $$`, table),
			}
		},
		Unfence: func(string) []string { return []string{barrier("RETURN NULL;")} },
		Pass: func(string) (pass, closed []string) {
			return []string{"SELECT set_config('" + passing + "', 'on', true)"}, nil // until the transaction ends
		},
		Write: func(do func() error) error { return do() },
		Again: wire.Waited,
		Written: func(ctx context.Context, db *sql.DB) error {
			_, err := db.ExecContext(ctx, "ANALYZE")
			return err
		},
	}
}

// usable refuses a store that is a copy, or that another one took the place of.
func usable(ctx context.Context, conn *pgx.Conn) error {
	var mark string
	err := conn.QueryRow(ctx, "SELECT value FROM meta WHERE name = 'transfer'").Scan(&mark)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	return transfer.Usable(mark)
}

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
	if target {
		known, err := knownSchema()
		if err != nil {
			return nil, err
		}
		if err := migrate(ctx, conn, known); err != nil {
			return nil, err
		}
	}
	var made bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('meta') IS NOT NULL").Scan(&made); err != nil {
		return nil, err
	}
	if !made {
		return nil, errors.New("there is no store in this database")
	}
	own := cfg.Copy()
	own.RuntimeParams["idle_in_transaction_session_timeout"] = "0" // a moment is read for as long as the copy takes
	own.RuntimeParams["statement_timeout"] = "0"
	return &transfer.Side{
		Name: fmt.Sprintf("%s on %s", cfg.Database, cfg.Host), DB: stdlib.OpenDB(*own), Dialect: dialect(),
		Done: func() error { return nil },
	}, nil
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
		Fence: func(table string) []string {
			return []string{
				"CREATE OR REPLACE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the store was moved' USING ERRCODE = '" + wire.Moved + "'; END $$",
				fmt.Sprintf("CREATE TRIGGER moved BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION moved()", table),
			}
		},
		Unfence: func(table string) []string { return []string{"DROP TRIGGER IF EXISTS moved ON " + table} },
		Write:   func(do func() error) error { return do() },
		Again:   wire.Waited,
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

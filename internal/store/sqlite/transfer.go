package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/turnout-events/turnout/internal/store/transfer"
)

// errMoved is what a fence says (see transfer): the store is not to be written to.
const errMoved = "the store was moved"

// OpenTransfer opens the file at path to be copied from or to; only the latter
// is made where it is missing.
func OpenTransfer(ctx context.Context, path string, target bool) (*transfer.Side, error) {
	if !target {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	side, err := openTransfer(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	return side, nil
}

func openTransfer(ctx context.Context, path string) (*transfer.Side, error) {
	turn, err := openTurnLock(path + ".lock")
	if err != nil {
		return nil, err
	}
	if err := createPrivate(path); err != nil {
		return nil, errors.Join(err, turn.close())
	}
	db, err := openDB(path, 4, false) // both stores' readings, and the writing beside them
	if err != nil {
		return nil, errors.Join(err, turn.close())
	}
	side := &transfer.Side{Name: path, DB: db, Done: turn.close, Dialect: dialect(turn)}
	err = side.Write(func() error {
		known, err := knownSchema()
		if err != nil {
			return err
		}
		if err := migrate(ctx, db, known); err != nil {
			return err
		}
		have, _, err := schemaVersion(ctx, db)
		return errors.Join(err, known.Same(have))
	})
	if err != nil {
		return nil, errors.Join(err, side.Close())
	}
	return side, nil
}

// fence makes every change of a table fail, unfence takes that back.
func fence(table string) (all []string) {
	for _, change := range []string{"INSERT", "UPDATE", "DELETE"} {
		all = append(all, fmt.Sprintf("CREATE TRIGGER moved_%s_%s BEFORE %s ON %s BEGIN SELECT RAISE(ABORT, '%s'); END", table, change, change, table, errMoved))
	}
	return all
}

func unfence(table string) (all []string) {
	for _, change := range []string{"INSERT", "UPDATE", "DELETE"} {
		all = append(all, fmt.Sprintf("DROP TRIGGER IF EXISTS moved_%s_%s", table, change))
	}
	return all
}

func dialect(turn *turnLock) transfer.Dialect {
	return transfer.Dialect{
		Mark:     func(n int) string { return "?" + strconv.Itoa(n) },
		Renumber: func(string) string { return "" }, // the next number is the highest and one
		Fence:    fence, Unfence: unfence,
		// Nobody sees a transaction of another connection before its end.
		Pass: func(table string) (pass, closed []string) { return unfence(table), fence(table) },
		Write: func(do func() error) error {
			if err := turn.lock(); err != nil {
				return err
			}
			defer turn.unlock()
			return do()
		},
		Again: func(error) bool { return false }, // there is one writer at a time
		// What was overwritten, such as keys of who was forgotten, is gone (P8).
		Written: func(ctx context.Context, db *sql.DB) error {
			_, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
			return err
		},
	}
}

// usable refuses a file that is a copy, or that another store took the place of.
func usable(ctx context.Context, db *sql.DB) error {
	var mark string
	err := db.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'transfer'").Scan(&mark)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return transfer.Usable(mark)
}

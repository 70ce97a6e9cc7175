package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
)

const writeFile = "INSERT INTO edge_files (name, value, modified) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET value = $2, modified = $3"

// PutFile keeps an edge's file, sealed, in place of what had its name.
func (s *Store) PutFile(ctx context.Context, name string, value []byte, now time.Time) error {
	if value == nil {
		value = []byte{} // nil would be NULL
	}
	return s.aside(ctx, "write edge file", func(t *tx) error {
		if err := t.lockFile(name); err != nil {
			return err
		}
		return t.Exec(writeFile, name, value, millis(now))
	})
}

// lockFile keeps everybody else from a file until the commit, one that is not
// there included.
func (t *tx) lockFile(name string) error {
	return t.Session.Exec("SELECT pg_advisory_xact_lock(hashtextextended('turnout edge file in ' || coalesce(current_schema(), '') || ': ' || $1, 0))", name)
}

// File reads an edge's file as it rests, and when it was written; CodeNotFound
// when there is none.
func (s *Store) File(ctx context.Context, name string) (value []byte, modified time.Time, err error) {
	var at int64
	err = wire.QueryRow(ctx, s.pool, "SELECT value, modified FROM edge_files WHERE name = $1", []any{name}, &value, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, time.Time{}, turnout.Errorf(turnout.CodeNotFound, "read edge file", "there is no %s", name)
	}
	return value, timeOf(at), wire.Wrap("read edge file", err)
}

// DeleteFile removes an edge's file. It may be repeated.
func (s *Store) DeleteFile(ctx context.Context, name string) error {
	return s.aside(ctx, "delete edge file", func(t *tx) error {
		if err := t.lockFile(name); err != nil {
			return err
		}
		return t.Exec("DELETE FROM edge_files WHERE name = $1", name)
	})
}

// Files lists the edges' files whose names begin with prefix, in order of
// their names; an empty prefix lists all.
func (s *Store) Files(ctx context.Context, prefix string) ([]turnout.FileInfo, error) {
	// Up to the largest code point, so that the index serves the range.
	all, err := wire.Query(ctx, s.pool, func(row wire.Scanner) (f turnout.FileInfo, err error) {
		var at int64
		err = row.Scan(&f.Name, &at, &f.Size)
		f.Modified = timeOf(at)
		return f, err
	}, `SELECT name, modified, length(value) FROM edge_files
		WHERE name >= $1 AND name < $2 ORDER BY name`, prefix, prefix+"\U0010FFFF")
	return all, wire.Wrap("list edge files", err)
}

// ChangeFile replaces an edge's file by what change makes of it, in one step
// that no other change comes between. old is nil where there is none. The time
// is the database's, one clock's for all who share it. change may be called
// again, so it does nothing but return; its error leaves the file as it is.
func (s *Store) ChangeFile(ctx context.Context, name string, change func(old []byte, now time.Time) ([]byte, error)) error {
	return s.aside(ctx, "change edge file", func(t *tx) error {
		if err := t.lockFile(name); err != nil {
			return err
		}
		var old []byte
		err := t.Row("SELECT value FROM edge_files WHERE name = $1", []any{name}, &old)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		var now time.Time
		if err := t.Row("SELECT clock_timestamp()", nil, &now); err != nil {
			return err
		}
		value, err := change(old, now)
		if err != nil {
			return err
		}
		return t.Exec(writeFile, name, value, millis(now))
	})
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/turnout-events/turnout"
)

// PutFile keeps an edge's file, sealed, in place of what had its name.
func (s *Store) PutFile(ctx context.Context, name string, value []byte, now time.Time) error {
	if value == nil {
		value = []byte{} // nil would be NULL
	}
	return s.do(ctx, "write edge file", func(t *tx) error {
		return t.exec(`INSERT INTO edge_files (name, value, modified) VALUES (?1, ?2, ?3)
			ON CONFLICT (name) DO UPDATE SET value = ?2, modified = ?3`, name, value, millis(now))
	})
}

// File reads an edge's file as it rests, and when it was written; CodeNotFound
// when there is none.
func (s *Store) File(ctx context.Context, name string) (value []byte, modified time.Time, err error) {
	var at int64
	err = s.reads.QueryRowContext(ctx, "SELECT value, modified FROM edge_files WHERE name = ?", name).Scan(&value, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, time.Time{}, turnout.Errorf(turnout.CodeNotFound, "read edge file", "there is no %s", name)
	}
	return value, timeOf(at), wrap("read edge file", err)
}

// DeleteFile removes an edge's file. It may be repeated.
func (s *Store) DeleteFile(ctx context.Context, name string) error {
	return s.do(ctx, "delete edge file", func(t *tx) error {
		return t.exec("DELETE FROM edge_files WHERE name = ?", name)
	})
}

// Files lists the edges' files whose names begin with prefix, in order of
// their names; an empty prefix lists all.
func (s *Store) Files(ctx context.Context, prefix string) ([]turnout.FileInfo, error) {
	// Up to the largest code point, so that the index serves the range.
	rows, err := s.reads.QueryContext(ctx, `SELECT name, modified, length(value) FROM edge_files
		WHERE name >= ?1 AND name < ?1 || char(0x10FFFF) ORDER BY name`, prefix)
	if err != nil {
		return nil, wrap("list edge files", err)
	}
	defer rows.Close()
	var all []turnout.FileInfo
	for rows.Next() {
		var f turnout.FileInfo
		var at int64
		if err := rows.Scan(&f.Name, &at, &f.Size); err != nil {
			return nil, wrap("list edge files", err)
		}
		f.Modified = timeOf(at)
		all = append(all, f)
	}
	return all, wrap("list edge files", rows.Err())
}

// ChangeFile replaces an edge's file by what change makes of it, in one step
// that no other change comes between. old is nil where there is none. The time
// is one clock's for all who share the store. change may be called again, so it
// does nothing but return; its error leaves the file as it is.
func (s *Store) ChangeFile(ctx context.Context, name string, change func(old []byte, now time.Time) ([]byte, error)) error {
	return s.do(ctx, "change edge file", func(t *tx) error {
		var old []byte
		err := t.row("SELECT value FROM edge_files WHERE name = ?", name).Scan(&old)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		now := time.Now() // all processes of the store are on one machine
		value, err := change(old, now)
		if err != nil {
			return err
		}
		return t.exec(`INSERT INTO edge_files (name, value, modified) VALUES (?1, ?2, ?3)
			ON CONFLICT (name) DO UPDATE SET value = ?2, modified = ?3`, name, value, millis(now))
	})
}

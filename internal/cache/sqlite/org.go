package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/turnout-events/turnout"
)

// number is the org's number in this file, or sql.ErrNoRows.
func (f *file) number(ctx context.Context, org turnout.OrgID) (int64, error) {
	if num, ok := f.orgs.Load(org); ok {
		return num.(int64), nil
	}
	var num int64
	if err := f.readOrg.QueryRowContext(ctx, string(org)).Scan(&num); err != nil {
		return 0, err
	}
	f.orgs.Store(org, num)
	return num, nil
}

// numbered is number, giving a new org its number. That is a transaction of
// its own: a number that was rolled back must not be remembered.
func (f *file) numbered(ctx context.Context, org turnout.OrgID) (int64, error) {
	num, err := f.number(ctx, org)
	if !errors.Is(err, sql.ErrNoRows) {
		return num, err
	}
	if _, err := f.write.ExecContext(ctx, "INSERT INTO org (id) VALUES (?) ON CONFLICT (id) DO NOTHING", string(org)); err != nil {
		return 0, err
	}
	return f.number(ctx, org)
}

// exec runs one write. The first placeholder is the org's number.
func (c *Cache) exec(ctx context.Context, op string, org turnout.OrgID, query string, args ...any) error {
	f := c.file()
	num, err := f.numbered(ctx, org)
	if err == nil {
		_, err = f.write.ExecContext(ctx, query, append([]any{num}, args...)...)
	}
	if err != nil {
		return c.failed(f, op, err)
	}
	return nil
}

// Cursor returns how far the mirror has read, the zero time if it never did.
func (c *Cache) Cursor(ctx context.Context, org turnout.OrgID, name string) (time.Time, error) {
	f := c.file()
	num, err := f.number(ctx, org)
	var at int64
	if err == nil {
		err = f.readCursor.QueryRowContext(ctx, num, name).Scan(&at)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, c.failed(f, "read cursor "+name, err)
	}
	return instant(at), nil
}

// SetCursor moves a cursor, backwards too, from what the caller read before.
// It is false, and nothing is changed, where another time is stored: somebody
// else moved the cursor, or the file was begun anew since and lacks what the
// cursor would claim.
func (c *Cache) SetCursor(ctx context.Context, org turnout.OrgID, name string, from, to time.Time) (bool, error) {
	op, f := "set cursor "+name, c.file()
	num, err := f.numbered(ctx, org)
	if err != nil {
		return false, c.failed(f, op, err)
	}
	done, err := f.write.ExecContext(ctx, `INSERT INTO cursor (org, name, at)
		SELECT ?1, ?2, ?4 WHERE ?3 = 0 OR EXISTS (SELECT 1 FROM cursor WHERE org = ?1 AND name = ?2)
		ON CONFLICT (org, name) DO UPDATE SET at = excluded.at WHERE at = ?3`, num, name, millis(from), millis(to))
	if err != nil {
		return false, c.failed(f, op, err)
	}
	n, err := done.RowsAffected()
	return n == 1, err
}

// Place returns what SetPlace left of that name, "" if nothing.
func (c *Cache) Place(ctx context.Context, org turnout.OrgID, name string) (string, error) {
	f := c.file()
	num, err := f.number(ctx, org)
	var place string
	if err == nil {
		err = f.readPlace.QueryRowContext(ctx, num, name).Scan(&place)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", c.failed(f, "read place "+name, err)
	}
	return place, nil
}

// SetPlace keeps where reading something stands, in place of what was kept
// before; "" removes it.
func (c *Cache) SetPlace(ctx context.Context, org turnout.OrgID, name, place string) error {
	if place == "" {
		return c.exec(ctx, "remove place "+name, org, "DELETE FROM place WHERE org = ? AND name = ?", name)
	}
	return c.exec(ctx, "set place "+name, org, `INSERT INTO place (org, name, place) VALUES (?, ?, ?)
		ON CONFLICT (org, name) DO UPDATE SET place = excluded.place`, name, place)
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/turnout-events/turnout"
)

// PutPicture stores a file of a picture, sealed, whose name is made of its bytes.
func (c *Cache) PutPicture(ctx context.Context, org turnout.OrgID, name string, sealed []byte, at time.Time) error {
	return c.exec(ctx, "store picture", org, `INSERT INTO picture (org, name, sealed, at) VALUES (?, ?, ?, ?)
		ON CONFLICT (org, name) DO UPDATE SET sealed = excluded.sealed, at = excluded.at`, name, blob(sealed), millis(at))
}

// Picture returns a file of a picture, or CodeNotFound.
func (c *Cache) Picture(ctx context.Context, org turnout.OrgID, name string) ([]byte, error) {
	const op = "read picture"
	f := c.file()
	num, err := f.number(ctx, org)
	var sealed []byte
	if err == nil {
		err = f.readPicture.QueryRowContext(ctx, num, name).Scan(&sealed)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, &turnout.Error{Code: turnout.CodeNotFound, Op: op}
	case err != nil:
		return nil, c.failed(f, op, err)
	}
	return sealed, nil
}

// Pictures lists the files of an org's pictures, and when each was stored.
func (c *Cache) Pictures(ctx context.Context, org turnout.OrgID) (map[string]time.Time, error) {
	f := c.file()
	all := map[string]time.Time{}
	num, err := f.number(ctx, org)
	if err == nil {
		err = each(ctx, f.readPictures, num, func(name string, at int64) { all[name] = instant(at) })
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, c.failed(f, "list pictures", err)
	}
	return all, nil
}

// DeletePicture removes a file of a picture; it need not be there.
func (c *Cache) DeletePicture(ctx context.Context, org turnout.OrgID, name string) error {
	return c.exec(ctx, "remove picture", org, "DELETE FROM picture WHERE org = ? AND name = ?", name)
}

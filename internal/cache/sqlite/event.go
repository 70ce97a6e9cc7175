package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/turnout-events/turnout"
)

// SealedEvent is a published event as the cache holds it. It is an alias of
// an unnamed type, so that engines and those who read them agree on it
// without importing each other.
type SealedEvent = struct {
	ID   turnout.EventID
	Slug string
	// Sealed is the turnout.Event under the org's key.
	Sealed []byte
	// Modified is the record's SystemModstamp.
	Modified time.Time
}

// PutEvent stores an event unless a newer one of the same id is there.
func (c *Cache) PutEvent(ctx context.Context, org turnout.OrgID, id turnout.EventID, slug string, sealed []byte, modified time.Time) error {
	return c.exec(ctx, "store event "+string(id), org, `INSERT INTO event (org, id, slug, sealed, modified) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (org, id) DO UPDATE SET slug = excluded.slug, sealed = excluded.sealed, modified = excluded.modified
		WHERE excluded.modified >= modified`, string(id), slug, blob(sealed), millis(modified))
}

// DeleteEvent removes an event; it need not be there.
func (c *Cache) DeleteEvent(ctx context.Context, org turnout.OrgID, id turnout.EventID) error {
	return c.exec(ctx, "remove event "+string(id), org, "DELETE FROM event WHERE org = ? AND id = ?", string(id))
}

// Event returns one event, or CodeNotFound.
func (c *Cache) Event(ctx context.Context, org turnout.OrgID, id turnout.EventID) (SealedEvent, error) {
	op, f := "read event "+string(id), c.file()
	num, err := f.number(ctx, org)
	e, modified := SealedEvent{ID: id}, int64(0)
	if err == nil {
		err = f.readEvent.QueryRowContext(ctx, num, string(id)).Scan(&e.Slug, &e.Sealed, &modified)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return SealedEvent{}, &turnout.Error{Code: turnout.CodeNotFound, Op: op}
	case err != nil:
		return SealedEvent{}, c.failed(f, op, err)
	}
	e.Modified = instant(modified)
	return e, nil
}

// Events returns all events of the org by id, none for an unknown org.
func (c *Cache) Events(ctx context.Context, org turnout.OrgID) ([]SealedEvent, error) {
	const op = "read events"
	f := c.file()
	num, err := f.number(ctx, org)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	var events []SealedEvent
	if err == nil {
		events, err = f.events(ctx, num)
	}
	if err != nil {
		return nil, c.failed(f, op, err)
	}
	return events, nil
}

func (f *file) events(ctx context.Context, num int64) ([]SealedEvent, error) {
	rows, err := f.readEvents.QueryContext(ctx, num)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []SealedEvent
	for rows.Next() {
		var e SealedEvent
		var modified int64
		if err := rows.Scan(&e.ID, &e.Slug, &e.Sealed, &modified); err != nil {
			return nil, err
		}
		e.Modified = instant(modified)
		events = append(events, e)
	}
	return events, rows.Err()
}

// millis is t as a number; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// instant reverses millis.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// blob keeps an empty value from becoming NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

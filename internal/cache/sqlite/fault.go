package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/turnout-events/turnout"
)

// PutFault keeps why an event cannot be shown, sealed, in place of what was
// known before.
func (c *Cache) PutFault(ctx context.Context, org turnout.OrgID, id turnout.EventID, sealed []byte) error {
	return c.exec(ctx, "store fault of event "+string(id), org, `INSERT INTO fault (org, event, sealed) VALUES (?, ?, ?)
		ON CONFLICT (org, event) DO UPDATE SET sealed = excluded.sealed`, string(id), blob(sealed))
}

// DeleteFault removes an event's fault; it need not be there.
func (c *Cache) DeleteFault(ctx context.Context, org turnout.OrgID, id turnout.EventID) error {
	return c.exec(ctx, "remove fault of event "+string(id), org, "DELETE FROM fault WHERE org = ? AND event = ?", string(id))
}

// Faults returns the faults of the org's events, none for an unknown org.
func (c *Cache) Faults(ctx context.Context, org turnout.OrgID) (map[turnout.EventID][]byte, error) {
	f := c.file()
	all := map[turnout.EventID][]byte{}
	num, err := f.number(ctx, org)
	if err == nil {
		err = each(ctx, f.readFaults, num, func(event turnout.EventID, sealed []byte) { all[event] = sealed })
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, c.failed(f, "read faults of events", err)
	}
	return all, nil
}

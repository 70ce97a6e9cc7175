package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/turnout-events/turnout"
)

// NoteFetched notes that the events were fetched at that time, changed or not.
// Those that are not there are left out, and no time goes back.
func (c *Cache) NoteFetched(ctx context.Context, org turnout.OrgID, ids []turnout.EventID, at time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return turnout.Wrap(turnout.CodeInternal, "note fetched events", err)
	}
	return c.exec(ctx, "note fetched events", org, `UPDATE event SET fetched = ?2
		WHERE org = ?1 AND fetched < ?2 AND id IN (SELECT value FROM json_each(?3))`, millis(at), string(list))
}

// Fetched tells when each of the org's events was last fetched, as far as that
// was noted.
func (c *Cache) Fetched(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]time.Time, error) {
	f := c.file()
	all := map[turnout.EventID]time.Time{}
	num, err := f.number(ctx, org)
	if err == nil {
		err = each(ctx, f.readFetched, num, func(event turnout.EventID, at int64) { all[event] = instant(at) })
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, c.failed(f, "read ages of events", err)
	}
	return all, nil
}

// Invited returns how many links each event of the org has; events without any
// are left out. The counts are kept with every write, so that asking costs
// nothing that grows with the links.
func (c *Cache) Invited(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]int, error) {
	f := c.file()
	all := map[turnout.EventID]int{}
	num, err := f.number(ctx, org)
	if err == nil {
		err = each(ctx, f.readInvited, key(num, [16]byte{})[:4], func(event turnout.EventID, n int64) { all[event] = int(n) })
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, c.failed(f, "count links", err)
	}
	return all, nil
}

// CountLinks returns how many links the org has, over all events.
func (c *Cache) CountLinks(ctx context.Context, org turnout.OrgID) (int, error) {
	invited, err := c.Invited(ctx, org)
	n := 0
	for _, links := range invited {
		n += links
	}
	return n, err
}

// each yields the rows of a query of one org: an event and a value.
func each[K ~string, T any](ctx context.Context, query *sql.Stmt, org any, yield func(K, T)) error {
	rows, err := query.QueryContext(ctx, org)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key K
		var value T
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		yield(key, value)
	}
	return rows.Err()
}

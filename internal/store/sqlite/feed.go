package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/turnout-events/turnout"
)

// AppendChanges adds to the change feed; their Seq is given by the store.
func (s *Store) AppendChanges(ctx context.Context, changes []turnout.Change) error {
	return s.do(ctx, "append changes", func(t *tx) error {
		for _, c := range changes {
			if err := t.appendChange(c); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) appendChange(c turnout.Change) error {
	return t.exec("INSERT INTO feed (kind, org, id, at) VALUES (?, ?, ?, ?)", string(c.Kind), string(c.Org), c.ID, millis(c.At))
}

// The queries of Changes and LastChange.
const (
	selectChanges    = "SELECT seq, kind, org, id, at FROM feed WHERE seq > ? ORDER BY seq LIMIT ?"
	selectLastChange = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'feed'), 0)"
)

// Changes reads up to limit entries of the feed after a sequence number, in
// order. When entries after it were pruned, the first is of the empty kind
// and says that everything must be read again.
func (s *Store) Changes(ctx context.Context, after int64, limit int) ([]turnout.Change, error) {
	rows, err := s.hot.changes.QueryContext(ctx, after, limit)
	if err != nil {
		return nil, wrap("read changes", err)
	}
	defer rows.Close()
	var all []turnout.Change
	for rows.Next() {
		var c turnout.Change
		var at int64
		if err := rows.Scan(&c.Seq, &c.Kind, &c.Org, &c.ID, &at); err != nil {
			return nil, wrap("read changes", err)
		}
		c.At = timeOf(at)
		if len(all) == 0 && c.Seq > after+1 {
			all = append(all, turnout.Change{Seq: c.Seq - 1})
		}
		all = append(all, c)
	}
	if err := rows.Err(); err != nil || len(all) > 0 {
		return all, wrap("read changes", err)
	}
	return s.prunedAll(ctx, after)
}

// prunedAll tells of changes that came and were pruned since the last look.
func (s *Store) prunedAll(ctx context.Context, after int64) ([]turnout.Change, error) {
	var newest sql.NullInt64
	err := s.reads.QueryRowContext(ctx, `SELECT seq FROM sqlite_sequence WHERE name = 'feed' AND seq > ?1
		AND NOT EXISTS (SELECT 1 FROM feed WHERE seq > ?1)`, after).Scan(&newest)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("read changes", err)
	}
	return []turnout.Change{{Seq: newest.Int64}}, nil
}

// LastChange is the newest sequence number, 0 for none.
func (s *Store) LastChange(ctx context.Context) (int64, error) {
	var seq int64
	err := s.hot.lastChange.QueryRowContext(ctx).Scan(&seq)
	return seq, wrap("read changes", err)
}

// PruneChanges drops entries and turns older than before. Instances read four times a
// second, so minutes are plenty.
func (s *Store) PruneChanges(ctx context.Context, before time.Time) error {
	return s.do(ctx, "prune changes", func(t *tx) error {
		// What is left has no gaps, so that Changes sees every one at its start.
		if err := t.exec("DELETE FROM turns WHERE until < ?", millis(before)); err != nil {
			return err
		}
		return t.exec("DELETE FROM feed WHERE seq <= (SELECT max(seq) FROM feed WHERE at > 0 AND at < ?)", millis(before))
	})
}

// AddErrands remembers records of people who are to be forgotten, until
// DoneErrands says that they are.
func (s *Store) AddErrands(ctx context.Context, org turnout.OrgID, ids []string) error {
	return s.eachErrand(ctx, "add errands", "INSERT INTO errands (org, id) VALUES (?, ?) ON CONFLICT DO NOTHING", org, ids)
}

// DoneErrands forgets errands.
func (s *Store) DoneErrands(ctx context.Context, org turnout.OrgID, ids []string) error {
	return s.eachErrand(ctx, "end errands", "DELETE FROM errands WHERE org = ? AND id = ?", org, ids)
}

func (s *Store) eachErrand(ctx context.Context, op, query string, org turnout.OrgID, ids []string) error {
	return s.do(ctx, op, func(t *tx) error {
		num, err := t.org(org)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := t.exec(query, num, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Errands are an org's open errands.
func (s *Store) Errands(ctx context.Context, org turnout.OrgID) ([]string, error) {
	rows, err := s.reads.QueryContext(ctx, "SELECT id FROM errands WHERE org = (SELECT num FROM orgs WHERE org = ?) ORDER BY id", string(org))
	if err != nil {
		return nil, wrap("read errands", err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, wrap("read errands", err)
		}
		ids = append(ids, id)
	}
	return ids, wrap("read errands", rows.Err())
}

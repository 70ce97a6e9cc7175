package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
)

// AppendChanges adds to the change feed; their Seq is given by the store.
func (s *Store) AppendChanges(ctx context.Context, changes []turnout.Change) error {
	return s.aside(ctx, "append changes", func(t *tx) error {
		for _, c := range changes {
			t.appendChange(c)
		}
		return nil
	})
}

// appendChange adds to the feed right before the commit.
func (t *tx) appendChange(c turnout.Change) { t.feed = append(t.feed, c) }

// queueFeed gives numbers. The counter's row is held from here to the commit,
// which follows at once: whoever appends next waits for it, so a number becomes
// visible only after every smaller one, and one that was rolled back is given
// again. A sequence would do neither.
func (t *tx) queueFeed(b *pgx.Batch) {
	if len(t.feed) == 0 {
		return
	}
	var kinds, orgs, ids []string
	var ats []int64
	for _, c := range t.feed {
		kinds, orgs, ids, ats = append(kinds, string(c.Kind)), append(orgs, string(c.Org)), append(ids, c.ID), append(ats, millis(c.At))
	}
	b.Queue(`WITH counter AS (UPDATE feed_counter SET last = last + $5 RETURNING last - $5 AS before)
		INSERT INTO feed (seq, kind, org, id, at) SELECT counter.before + n.place, n.kind, n.org, n.id, n.at
		FROM counter, unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY AS n (kind, org, id, at, place)`,
		kinds, orgs, ids, ats, int64(len(t.feed)))
	t.feed = nil
}

// Changes reads up to limit entries of the feed after a sequence number, in
// order. When entries after it were pruned, the first is of the empty kind
// and says that everything must be read again.
func (s *Store) Changes(ctx context.Context, after int64, limit int) ([]turnout.Change, error) {
	all, err := wire.Query(ctx, s.pool, func(row wire.Scanner) (c turnout.Change, err error) {
		var at int64
		err = row.Scan(&c.Seq, &c.Kind, &c.Org, &c.ID, &at)
		c.At = timeOf(at)
		return c, err
	}, "SELECT seq, kind, org, id, at FROM feed WHERE seq > $1 ORDER BY seq LIMIT $2", after, limit)
	switch {
	case err != nil:
		return nil, wire.Wrap("read changes", err)
	case len(all) == 0:
		return s.prunedAll(ctx, after)
	case all[0].Seq > after+1:
		all = append([]turnout.Change{{Seq: all[0].Seq - 1}}, all...)
	}
	return all, nil
}

// prunedAll tells of changes that came and were pruned since the last look.
func (s *Store) prunedAll(ctx context.Context, after int64) ([]turnout.Change, error) {
	var newest int64
	err := wire.QueryRow(ctx, s.pool, "SELECT last FROM feed_counter WHERE last > $1 AND NOT EXISTS (SELECT 1 FROM feed WHERE seq > $1)", []any{after}, &newest)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, wire.Wrap("read changes", err)
	}
	return []turnout.Change{{Seq: newest}}, nil
}

// LastChange is the newest sequence number, 0 for none.
func (s *Store) LastChange(ctx context.Context) (int64, error) {
	var seq int64
	err := wire.QueryRow(ctx, s.pool, "SELECT last FROM feed_counter", nil, &seq)
	return seq, wire.Wrap("read changes", err)
}

// PruneChanges drops entries and turns older than before. Instances read four times a
// second, so minutes are plenty.
func (s *Store) PruneChanges(ctx context.Context, before time.Time) error {
	return s.aside(ctx, "prune changes", func(t *tx) error {
		// What is left has no gaps, so that Changes sees every one at its start.
		if err := t.Exec("DELETE FROM turns WHERE until < $1", millis(before)); err != nil {
			return err
		}
		return t.Exec("DELETE FROM feed WHERE seq <= (SELECT max(seq) FROM feed WHERE at > 0 AND at < $1)", millis(before))
	})
}

// AddErrands remembers records of people who are to be forgotten, until
// DoneErrands says that they are.
func (s *Store) AddErrands(ctx context.Context, org turnout.OrgID, ids []string) error {
	return s.errands(ctx, "add errands", "INSERT INTO errands (org, id) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING", org, ids)
}

// DoneErrands forgets errands.
func (s *Store) DoneErrands(ctx context.Context, org turnout.OrgID, ids []string) error {
	return s.errands(ctx, "end errands", "DELETE FROM errands WHERE org = $1 AND id = ANY($2)", org, ids)
}

func (s *Store) errands(ctx context.Context, op, query string, org turnout.OrgID, ids []string) error {
	num, err := s.org(ctx, org)
	if err != nil {
		return wire.Wrap(op, err)
	}
	return s.aside(ctx, op, func(t *tx) error { return t.Exec(query, num, ids) })
}

// Errands are an org's open errands.
func (s *Store) Errands(ctx context.Context, org turnout.OrgID) ([]string, error) {
	ids, err := wire.Query(ctx, s.pool, scanText, "SELECT id FROM errands WHERE org = (SELECT num FROM orgs WHERE org = $1) ORDER BY id", string(org))
	return ids, wire.Wrap("read errands", err)
}

func scanText(row wire.Scanner) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/turnout-events/turnout"
)

// selectLanes is the query of Lanes. The recursion hops from lane to lane through the
// index of due registrations, so a backlog of any size costs one step a lane.
const selectLanes = `
	WITH RECURSIVE busy (lane) AS (
		SELECT (SELECT lane FROM registrations INDEXED BY registrations_due WHERE due_at IS NOT NULL ORDER BY lane LIMIT 1)
		UNION ALL
		SELECT (SELECT r.lane FROM registrations r INDEXED BY registrations_due WHERE r.due_at IS NOT NULL AND r.lane > busy.lane ORDER BY r.lane LIMIT 1)
		FROM busy WHERE busy.lane IS NOT NULL)
	SELECT l.lane, o.org, l.event, l.lease_until > ?1, l.not_before > ?1,
		(SELECT count(*) FROM (SELECT 1 FROM registrations r INDEXED BY registrations_due WHERE r.lane = l.lane AND r.due_at <= ?1 LIMIT ?2)),
		coalesce((SELECT min(changed_at) FROM (SELECT changed_at FROM registrations r INDEXED BY registrations_due WHERE r.lane = l.lane AND r.due_at <= ?1 ORDER BY r.due_at LIMIT ?2)), 0),
		coalesce((SELECT min(changed_at) FROM (SELECT changed_at FROM registrations r INDEXED BY registrations_due WHERE r.lane = l.lane AND r.due_at IS NOT NULL ORDER BY r.due_at LIMIT ?2)), 0)
	FROM busy JOIN lanes l ON l.lane = busy.lane JOIN orgs o ON o.num = l.org`

// Lanes lists the lanes in which something waits, with up to count of those
// that are due at now counted in each.
func (s *Store) Lanes(ctx context.Context, now time.Time, count int) ([]turnout.LaneStatus, error) {
	rows, err := s.hot.lanes.QueryContext(ctx, millis(now), count)
	if err != nil {
		return nil, wrap("list lanes", err)
	}
	defer rows.Close()
	var all []turnout.LaneStatus
	for rows.Next() {
		var l turnout.LaneStatus
		var due, oldest int64
		if err := rows.Scan(&l.ID, &l.Org, &l.Event, &l.Leased, &l.Resting, &l.Waiting, &due, &oldest); err != nil {
			return nil, wrap("list lanes", err)
		}
		l.Due, l.Oldest = timeOf(due), timeOf(oldest)
		all = append(all, l)
	}
	return all, wrap("list lanes", rows.Err())
}

// Claim gives owner the lane until now+ttl, unless somebody has it.
func (s *Store) Claim(ctx context.Context, lane turnout.Lane, owner string, now time.Time, ttl time.Duration) (turnout.Lease, bool, error) {
	lease := turnout.Lease{Lane: lane, Until: now.Add(ttl)}
	won := false
	err := s.do(ctx, "claim lane", func(t *tx) error {
		won = false
		err := t.row(`UPDATE lanes SET owner = ?2, fence = fence + 1, lease_until = ?4
			WHERE lane = ?1 AND lease_until <= ?3 AND not_before <= ?3 RETURNING fence`,
			lane.ID, owner, millis(now), millis(lease.Until)).Scan(&lease.Fence)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		won = err == nil
		return err
	})
	return lease, won && err == nil, err
}

// Renew extends a lease; CodeConflict when somebody else has the lane by now.
func (s *Store) Renew(ctx context.Context, lease turnout.Lease, until time.Time) error {
	return s.do(ctx, "renew lease", func(t *tx) error {
		n, err := t.execN("UPDATE lanes SET lease_until = ?3 WHERE lane = ?1 AND fence = ?2 AND lease_until > 0", lease.ID, lease.Fence, millis(until))
		if err == nil && n == 0 {
			return lostLease("renew lease")
		}
		return err
	})
}

// selectDue is the query of Take.
const selectDue = registrationColumns + ", p.wrapped" + registrationTables + ` LEFT JOIN people p ON p.org = r.org AND p.person = r.person
	WHERE r.lane = ? AND r.due_at <= ? ORDER BY r.due_at, r.id LIMIT ?`

// Take reads what is due in a leased lane, longest waiting first, at most max.
func (s *Store) Take(ctx context.Context, lease turnout.Lease, max int, now time.Time) ([]turnout.DueRegistration, error) {
	rows, err := s.hot.due.QueryContext(ctx, lease.ID, millis(now), max)
	return collect("take batch", rows, err, scanDue)
}

func scanDue(row scanner) (d turnout.DueRegistration, err error) {
	d.Registration, err = scanWith(row, &d.Wrapped)
	return d, err
}

// Settle records what became of a batch and gives the lane back; nobody claims
// it before notBefore (zero: at once). A holder whose lease was taken over
// gets CodeConflict and changes nothing: the next one sends the same again.
func (s *Store) Settle(ctx context.Context, lease turnout.Lease, outcomes []turnout.Outcome, notBefore time.Time) error {
	return s.do(ctx, "settle batch", func(t *tx) error {
		org, err := t.org(lease.Org)
		if err != nil {
			return err
		}
		n, err := t.execN("UPDATE lanes SET lease_until = 0, owner = '', not_before = ?3 WHERE lane = ?1 AND fence = ?2 AND lease_until > 0",
			lease.ID, lease.Fence, millis(notBefore))
		if err != nil {
			return fmt.Errorf("release lane: %w", err)
		}
		if n == 0 {
			return lostLease("settle batch")
		}
		for _, o := range outcomes {
			if err := t.settle(org, o); err != nil {
				return err
			}
		}
		return nil
	})
}

func lostLease(op string) error {
	return turnout.Errorf(turnout.CodeConflict, op, "the lease was taken over")
}

// settle records one outcome. What changed while it was under way stays due, or
// becomes due where nothing else would tell Salesforce: whoever was forgotten before
// the reply came is registered there now (P2).
func (t *tx) settle(org int64, o turnout.Outcome) error {
	var err error
	switch o.Result {
	case turnout.ResultDone:
		err = t.exec(`UPDATE registrations SET delivered = max(delivered, ?3), record = ?4, told = ?5, attempts = 0, dismissed_at = NULL,
			due_at = CASE WHEN status <> ?5 AND parked_code IS NULL THEN coalesce(due_at, changed_at) WHEN revision = ?3 THEN NULL ELSE due_at END
			WHERE org = ?1 AND key = ?2 AND (delivered <= ?3 OR person = zeroblob(16)) AND revision >= ?3`,
			org, string(o.Key), o.Revision, o.Record, string(o.Status))
	case turnout.ResultRetry:
		attempt := 1
		if o.Blameless {
			attempt = 0
		}
		err = t.exec(`UPDATE registrations SET attempts = attempts + ?5, due_at = ?4 WHERE org = ?1 AND key = ?2 AND revision = ?3 AND due_at IS NOT NULL`,
			org, string(o.Key), o.Revision, millis(o.RetryAt), attempt)
	case turnout.ResultParked:
		// Only a cancellation stays dismissed when it is refused: whatever else was revised
		// is somebody's to look at, also where an older program left the mark.
		code, text, at := parkedColumns(o.Parked)
		err = t.exec(`UPDATE registrations SET due_at = NULL, parked_code = ?4, parked_text = ?5, parked_at = ?6,
			dismissed_at = CASE WHEN status = 'cancelled' THEN dismissed_at END WHERE org = ?1 AND key = ?2 AND revision = ?3 AND due_at IS NOT NULL`,
			org, string(o.Key), o.Revision, code, text, at)
	default:
		err = fmt.Errorf("unknown result %q", o.Result)
	}
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return nil
}

// Turn gives owner the exclusive turn at something named within an org until
// now+ttl; whoever has it keeps it by asking again in time.
func (s *Store) Turn(ctx context.Context, org turnout.OrgID, name, owner string, now time.Time, ttl time.Duration) (bool, error) {
	won := false
	err := s.do(ctx, "take turn", func(t *tx) error {
		n, err := t.execN(`INSERT INTO turns (name, owner, until) VALUES (?1, ?2, ?4)
			ON CONFLICT (name) DO UPDATE SET owner = ?2, until = ?4 WHERE owner = ?2 OR until <= ?3`,
			string(org)+"/"+name, owner, millis(now), millis(now.Add(ttl)))
		won = n > 0
		return err
	})
	return won && err == nil, err
}

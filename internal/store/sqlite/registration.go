package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/turnout-events/turnout"
)

const (
	selectRegistration  = registrationColumns + registrationTables
	registrationColumns = `SELECT o.org, l.event, r.key, r.fingerprint, r.person, r.link, r.status, r.attendance, r.claims, r.sealed,
	r.revision, r.delivered, r.told, r.record, r.attempts, r.due_at, r.parked_code, r.parked_text, r.parked_at, r.dismissed_at, r.accepted_at, r.changed_at,
	r.link IS NOT NULL AND EXISTS (SELECT 1 FROM registrations later WHERE later.org = r.org AND later.link = r.link AND later.id > r.id)`
	registrationTables = `
	FROM registrations r JOIN lanes l ON l.lane = r.lane JOIN orgs o ON o.num = r.org`
)

type scanner interface{ Scan(...any) error }

func scanRegistration(row scanner) (turnout.Registration, error) { return scanWith(row) }

// scanWith scans a registration and what else was selected after it.
func scanWith(row scanner, more ...any) (turnout.Registration, error) {
	var r turnout.Registration
	var fingerprint, person, link, claims, parkedText []byte
	var due, parkedAt, dismissed sql.NullInt64
	var parkedCode sql.NullString
	var accepted, changed int64
	err := row.Scan(append([]any{&r.Org, &r.Event, &r.Key, &fingerprint, &person, &link, &r.Status, &r.Attendance, &claims, &r.Sealed,
		&r.Revision, &r.Delivered, &r.Told, &r.Record, &r.Attempts, &due, &parkedCode, &parkedText, &parkedAt, &dismissed, &accepted, &changed, &r.Superseded}, more...)...)
	if err != nil {
		return r, err
	}
	copy(r.Fingerprint[:], fingerprint)
	copy(r.Person[:], person)
	copy(r.Link[:], link)
	r.Due, r.AcceptedAt, r.ChangedAt, r.Dismissed = timeOf(due.Int64), timeOf(accepted), timeOf(changed), timeOf(dismissed.Int64)
	if parkedCode.Valid {
		r.Parked = &turnout.Parked{Code: parkedCode.String, Sealed: parkedText, At: timeOf(parkedAt.Int64)}
	}
	return r, json.Unmarshal(claims, &r.Claims)
}

// Registration reads one; CodeNotFound when there is none.
func (s *Store) Registration(ctx context.Context, org turnout.OrgID, key turnout.Key) (turnout.Registration, error) {
	num, err := s.orgNumber(ctx, org)
	if err != nil {
		return turnout.Registration{}, noRegistration(err)
	}
	r, err := scanRegistration(s.hot.byKey.QueryRowContext(context.WithoutCancel(ctx), num, string(key)))
	return r, noRegistration(err)
}

// selectStandings is the query of Standings.
const selectStandings = `SELECT key, status, attendance, revision, delivered, record, due_at, changed_at, person = zeroblob(16)
	FROM registrations WHERE org = ? AND key IN (SELECT value FROM json_each(?))`

// Standings tells how registrations stand, those that there are, in no promised order.
func (s *Store) Standings(ctx context.Context, org turnout.OrgID, keys []turnout.Key) ([]turnout.Standing, error) {
	num, err := s.orgNumber(ctx, org)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("read standings", err)
	}
	wanted, err := json.Marshal(keys)
	if err != nil {
		return nil, wrap("read standings", err)
	}
	rows, err := s.hot.standings.QueryContext(ctx, num, string(wanted))
	return collect("read standings", rows, err, scanStanding)
}

func scanStanding(row scanner) (v turnout.Standing, err error) {
	var due sql.NullInt64
	var changed int64
	err = row.Scan(&v.Key, &v.Status, &v.Attendance, &v.Revision, &v.Delivered, &v.Record, &due, &changed, &v.Forgotten)
	v.Due, v.ChangedAt = timeOf(due.Int64), timeOf(changed)
	return v, err
}

// noRegistration says in our words that there is none.
func noRegistration(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return turnout.Errorf(turnout.CodeNotFound, "read registration", "there is no such registration")
	}
	return wrap("read registration", err)
}

// LinkRegistration reads the latest registration that came through a link.
// Most links have none yet, which answered tells, or else the index alone.
func (s *Store) LinkRegistration(ctx context.Context, org turnout.OrgID, link turnout.LinkID) (turnout.Registration, bool, error) {
	var r turnout.Registration
	num, err := s.orgNumber(ctx, org)
	if err == nil && !s.mayBeAnswered(ctx, num, link) {
		return r, false, nil
	}
	var id any
	if err == nil {
		id, err = s.hot.point.Row(context.WithoutCancel(ctx), latestOfLink, num, link[:])
	}
	if err == nil {
		r, err = scanRegistration(s.hot.byID.QueryRowContext(context.WithoutCancel(ctx), id))
	}
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	return r, err == nil, wrap("read registration of link", err)
}

// Parked lists registrations that Salesforce refused, oldest first, at most limit: those
// that somebody has to look at, or those that were dismissed.
func (s *Store) Parked(ctx context.Context, org turnout.OrgID, dismissed bool, limit int) ([]turnout.Registration, error) {
	which := " AND r.dismissed_at IS NULL" // as an index has it
	if dismissed {
		which = " AND r.dismissed_at IS NOT NULL"
	}
	rows, err := s.reads.QueryContext(ctx, selectRegistration+" WHERE o.org = ? AND r.parked_code IS NOT NULL"+which+" ORDER BY r.id LIMIT ?", string(org), limit)
	return collect("list parked", rows, err, scanRegistration)
}

// Unpark sends a parked registration out again; all of an org's that were not
// dismissed when key is empty. One whose answers were shredded since stays. It tells how
// many there were.
func (s *Store) Unpark(ctx context.Context, org turnout.OrgID, key turnout.Key, now time.Time) (int, error) {
	var n int64
	err := s.do(ctx, "retry parked", func(t *tx) error {
		num, err := t.org(org)
		if err != nil {
			return err
		}
		n, err = t.execN(`UPDATE registrations SET parked_code = NULL, parked_text = NULL, parked_at = NULL, dismissed_at = NULL, attempts = 0, told = '', due_at = ?3, changed_at = ?3
			WHERE org = ?1 AND parked_code IS NOT NULL AND (sealed IS NOT NULL OR person = zeroblob(16)) AND (?2 = '' AND dismissed_at IS NULL OR key = ?2)`, num, string(key), millis(now))
		return err
	})
	return int(n), err
}

// Resend makes a registration due again whose record in Salesforce turned out
// to hold an older revision. One that waits already, or is parked, stays as it is.
func (s *Store) Resend(ctx context.Context, org turnout.OrgID, key turnout.Key, now time.Time) error {
	return s.do(ctx, "send again", func(t *tx) error {
		num, err := t.org(org)
		if err != nil {
			return err
		}
		return t.exec(`UPDATE registrations SET due_at = ?3, told = '', dismissed_at = NULL WHERE org = ?1 AND key = ?2 AND due_at IS NULL AND parked_code IS NULL
			AND (sealed IS NOT NULL OR person = zeroblob(16))`, num, string(key), millis(now))
	})
}

func collect[T any](op string, rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, wrap(op, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, wrap(op, err)
		}
		all = append(all, r)
	}
	return all, wrap(op, rows.Err())
}

func nullable(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

func parkedColumns(p *turnout.Parked) (code, text, at any) {
	if p == nil {
		return nil, nil, nil
	}
	return p.Code, p.Sealed, millis(p.At)
}

// eachPage is how many registrations one read of Each takes; between reads
// nothing pins the write-ahead log.
const eachPage = 500

// Each goes through an org's registrations in the order in which they were
// accepted, those of one event or, when it is empty, all of them. An error of
// yield ends it and is returned.
func (s *Store) Each(ctx context.Context, org turnout.OrgID, event turnout.EventID, yield func(turnout.Registration) error) error {
	for after := int64(0); ; {
		rows, err := s.reads.QueryContext(ctx, selectRegistration+` JOIN (SELECT id FROM registrations
			WHERE org = (SELECT num FROM orgs WHERE org = ?1) AND id > ?3
			AND (?2 = '' OR lane = (SELECT lane FROM lanes WHERE event = ?2 AND org = (SELECT num FROM orgs WHERE org = ?1)))
			ORDER BY id LIMIT ?4) page ON page.id = r.id ORDER BY r.id`, string(org), string(event), after, eachPage)
		page, err := collect("list registrations", rows, err, scanRegistration)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := yield(r); err != nil {
				return err
			}
		}
		if len(page) < eachPage {
			return nil
		}
		err = s.reads.QueryRowContext(ctx, "SELECT id FROM registrations WHERE org = (SELECT num FROM orgs WHERE org = ?) AND key = ?",
			string(org), string(page[len(page)-1].Key)).Scan(&after)
		if err != nil {
			return wrap("list registrations", err)
		}
	}
}

// Progress counts all of an org's registrations, by event. It reads every one
// of them: ask seldom.
func (s *Store) Progress(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]turnout.Progress, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT l.event,
		count(*) FILTER (WHERE r.status = 'registered'),
		count(*) FILTER (WHERE r.status = 'registered' AND r.delivered = r.revision),
		count(*) FILTER (WHERE r.status = 'registered' AND r.parked_code IS NOT NULL AND r.dismissed_at IS NULL),
		count(*) FILTER (WHERE r.status = 'registered' AND r.parked_code IS NOT NULL AND r.dismissed_at IS NOT NULL),
		count(*) FILTER (WHERE r.status = 'waitlisted'), count(*) FILTER (WHERE r.status = 'cancelled'), count(*) FILTER (WHERE r.status = 'declined')
		FROM registrations r JOIN lanes l ON l.lane = r.lane JOIN orgs o ON o.num = l.org
		WHERE o.org = ? GROUP BY l.lane`, string(org))
	if err != nil {
		return nil, wrap("count registrations", err)
	}
	defer rows.Close()
	all := map[turnout.EventID]turnout.Progress{}
	for rows.Next() {
		var event turnout.EventID
		var p turnout.Progress
		if err := rows.Scan(&event, &p.Registered, &p.Delivered, &p.Parked, &p.Dismissed, &p.Waitlisted, &p.Cancelled, &p.Declined); err != nil {
			return nil, wrap("count registrations", err)
		}
		all[event] = p
	}
	return all, wrap("count registrations", rows.Err())
}

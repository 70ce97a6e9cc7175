package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
)

const (
	selectRegistration  = registrationColumns + registrationTables
	registrationColumns = `SELECT o.org, l.event, r.key, r.fingerprint, r.person, r.link, r.status, r.attendance, r.claims, r.sealed,
	r.revision, r.delivered, r.told, r.record, r.attempts, r.due_at, r.parked_code, r.parked_text, r.parked_at, r.dismissed_at, r.accepted_at, r.changed_at,
	r.link IS NOT NULL AND EXISTS (SELECT 1 FROM registrations later WHERE later.org = r.org AND later.link = r.link AND later.id > r.id)`
	registrationTables = `
	FROM registrations r JOIN lanes l ON l.lane = r.lane JOIN orgs o ON o.num = r.org`
)

func scanRegistration(row wire.Scanner) (turnout.Registration, error) { return scanWith(row) }

// scanWith scans a registration and what else was selected after it.
func scanWith(row wire.Scanner, more ...any) (turnout.Registration, error) {
	var r turnout.Registration
	var fingerprint, person, link, parkedText []byte
	var claims string
	var due, parkedAt, dismissed *int64
	var parkedCode *string
	var accepted, changed int64
	err := row.Scan(append([]any{&r.Org, &r.Event, &r.Key, &fingerprint, &person, &link, &r.Status, &r.Attendance, &claims, &r.Sealed,
		&r.Revision, &r.Delivered, &r.Told, &r.Record, &r.Attempts, &due, &parkedCode, &parkedText, &parkedAt, &dismissed, &accepted, &changed, &r.Superseded}, more...)...)
	if err != nil {
		return r, err
	}
	copy(r.Fingerprint[:], fingerprint)
	copy(r.Person[:], person)
	copy(r.Link[:], link)
	r.AcceptedAt, r.ChangedAt = timeOf(accepted), timeOf(changed)
	if due != nil {
		r.Due = timeOf(*due)
	}
	if dismissed != nil {
		r.Dismissed = timeOf(*dismissed)
	}
	if parkedCode != nil {
		r.Parked = &turnout.Parked{Code: *parkedCode, Sealed: parkedText}
		if parkedAt != nil {
			r.Parked.At = timeOf(*parkedAt)
		}
	}
	return r, json.Unmarshal([]byte(claims), &r.Claims)
}

// Registration reads one; CodeNotFound when there is none.
func (s *Store) Registration(ctx context.Context, org turnout.OrgID, key turnout.Key) (turnout.Registration, error) {
	r, err := s.readRegistration(ctx, " WHERE o.org = $1 AND r.key = $2", string(org), string(key))
	if errors.Is(err, pgx.ErrNoRows) {
		return turnout.Registration{}, turnout.Errorf(turnout.CodeNotFound, "read registration", "there is no such registration")
	}
	return r, wire.Wrap("read registration", err)
}

// selectStandings is the query of Standings.
const selectStandings = `SELECT r.key, r.status, r.attendance, r.revision, r.delivered, r.record, r.due_at, r.changed_at, r.person = '\x00000000000000000000000000000000'
	FROM registrations r JOIN orgs o ON o.num = r.org WHERE o.org = $1 AND r.key = ANY($2)`

// Standings tells how registrations stand, those that there are, in no promised order.
func (s *Store) Standings(ctx context.Context, org turnout.OrgID, keys []turnout.Key) ([]turnout.Standing, error) {
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = string(k)
	}
	found, err := wire.Query(ctx, s.pool, scanStanding, selectStandings, string(org), texts)
	return found, wire.Wrap("read standings", err)
}

func scanStanding(row wire.Scanner) (v turnout.Standing, err error) {
	var due *int64
	var changed int64
	err = row.Scan(&v.Key, &v.Status, &v.Attendance, &v.Revision, &v.Delivered, &v.Record, &due, &changed, &v.Forgotten)
	if due != nil {
		v.Due = timeOf(*due)
	}
	v.ChangedAt = timeOf(changed)
	return v, err
}

// LinkRegistration reads the latest registration that came through a link.
func (s *Store) LinkRegistration(ctx context.Context, org turnout.OrgID, link turnout.LinkID) (turnout.Registration, bool, error) {
	r, err := s.readRegistration(ctx, " WHERE o.org = $1 AND r.link = $2 AND r.link IS NOT NULL ORDER BY r.id DESC LIMIT 1", string(org), link[:])
	if errors.Is(err, pgx.ErrNoRows) {
		return turnout.Registration{}, false, nil
	}
	return r, err == nil, wire.Wrap("read registration of link", err)
}

// Parked lists registrations that Salesforce refused, oldest first, at most limit: those
// that somebody has to look at, or those that were dismissed.
func (s *Store) Parked(ctx context.Context, org turnout.OrgID, dismissed bool, limit int) ([]turnout.Registration, error) {
	which := " AND r.dismissed_at IS NULL" // as an index has it
	if dismissed {
		which = " AND r.dismissed_at IS NOT NULL"
	}
	all, err := wire.Query(ctx, s.pool, scanRegistration, selectRegistration+" WHERE o.org = $1 AND r.parked_code IS NOT NULL"+which+" ORDER BY r.id LIMIT $2", string(org), limit)
	return all, wire.Wrap("list parked", err)
}

// Unpark sends a parked registration out again; all of an org's that were not
// dismissed when key is empty. One whose answers were shredded since stays. It tells how
// many there were.
func (s *Store) Unpark(ctx context.Context, org turnout.OrgID, key turnout.Key, now time.Time) (int, error) {
	num, err := s.org(ctx, org)
	if err != nil {
		return 0, wire.Wrap("retry parked", err)
	}
	var n int64
	err = s.aside(ctx, "retry parked", func(t *tx) error {
		n, err = t.ExecN(`UPDATE registrations SET parked_code = NULL, parked_text = NULL, parked_at = NULL, dismissed_at = NULL, attempts = 0, told = '', due_at = $3, changed_at = $3
			WHERE org = $1 AND parked_code IS NOT NULL AND (sealed IS NOT NULL OR person = $4) AND ($2 = '' AND dismissed_at IS NULL OR key = $2)`, num, string(key), millis(now), nobody[:])
		return err
	})
	return int(n), err
}

// Resend makes a registration due again whose record in Salesforce turned out
// to hold an older revision. One that waits already, or is parked, stays as it is.
func (s *Store) Resend(ctx context.Context, org turnout.OrgID, key turnout.Key, now time.Time) error {
	num, err := s.org(ctx, org)
	if err != nil {
		return wire.Wrap("send again", err)
	}
	return s.aside(ctx, "send again", func(t *tx) error {
		return t.Exec(`UPDATE registrations SET due_at = $3, told = '', dismissed_at = NULL WHERE org = $1 AND key = $2 AND due_at IS NULL AND parked_code IS NULL
			AND (sealed IS NOT NULL OR person = $4)`, num, string(key), millis(now), nobody[:])
	})
}

// nobody is the person of a registration that was forgotten.
var nobody turnout.PersonID

func nullable(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

// foreign is a text from elsewhere as PostgreSQL takes it: it has no zero bytes,
// and is UTF-8.
func foreign(text string) string {
	const instead = "\uFFFD"
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", instead), instead)
}

func parkedColumns(p *turnout.Parked) (code *string, text []byte, at *int64) {
	if p == nil {
		return nil, nil, nil
	}
	ms := millis(p.At)
	parkedCode := foreign(p.Code)
	return &parkedCode, p.Sealed, &ms
}

// eachPage is how many registrations one read of Each takes.
const eachPage = 500

// Each goes through an org's registrations in the order in which they were
// accepted, those of one event or, when it is empty, all of them. An error of
// yield ends it and is returned.
func (s *Store) Each(ctx context.Context, org turnout.OrgID, event turnout.EventID, yield func(turnout.Registration) error) error {
	for after := int64(0); ; {
		page, err := wire.Query(ctx, s.pool, scanRegistration, selectRegistration+` WHERE o.org = $1 AND ($2 = '' OR l.event = $2) AND r.id > $3 ORDER BY r.id LIMIT $4`,
			string(org), string(event), after, eachPage)
		if err != nil {
			return wire.Wrap("list registrations", err)
		}
		for _, r := range page {
			if err := yield(r); err != nil {
				return err
			}
		}
		if len(page) < eachPage {
			return nil
		}
		err = wire.QueryRow(ctx, s.pool, "SELECT r.id FROM registrations r JOIN orgs o ON o.num = r.org WHERE o.org = $1 AND r.key = $2",
			[]any{string(org), string(page[len(page)-1].Key)}, &after)
		if err != nil {
			return wire.Wrap("list registrations", err)
		}
	}
}

// Progress counts all of an org's registrations, by event. It reads every one
// of them: ask seldom.
func (s *Store) Progress(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]turnout.Progress, error) {
	all := map[turnout.EventID]turnout.Progress{}
	_, err := wire.Query(ctx, s.pool, func(row wire.Scanner) (bool, error) {
		var event turnout.EventID
		var p turnout.Progress
		err := row.Scan(&event, &p.Registered, &p.Delivered, &p.Parked, &p.Dismissed, &p.Waitlisted, &p.Cancelled, &p.Declined)
		all[event] = p
		return true, err
	}, `SELECT l.event,
		count(*) FILTER (WHERE r.status = 'registered'),
		count(*) FILTER (WHERE r.status = 'registered' AND r.delivered = r.revision),
		count(r.parked_code) FILTER (WHERE r.status = 'registered' AND r.dismissed_at IS NULL),
		count(r.parked_code) FILTER (WHERE r.status = 'registered' AND r.dismissed_at IS NOT NULL),
		count(*) FILTER (WHERE r.status = 'waitlisted'), count(*) FILTER (WHERE r.status = 'cancelled'), count(*) FILTER (WHERE r.status = 'declined')
		FROM registrations r JOIN lanes l ON l.lane = r.lane JOIN orgs o ON o.num = l.org
		WHERE o.org = $1 GROUP BY l.event`, string(org))
	return all, wire.Wrap("count registrations", err)
}

// readRegistration reads one beside the writer; pgx.ErrNoRows for none.
func (s *Store) readRegistration(ctx context.Context, where string, args ...any) (turnout.Registration, error) {
	ctx, cancel := context.WithTimeout(ctx, wire.LookPatience)
	defer cancel()
	return scanRegistration(s.pool.QueryRow(ctx, selectRegistration+where, args...))
}

// millis and timeOf are how times rest: milliseconds since 1970, 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

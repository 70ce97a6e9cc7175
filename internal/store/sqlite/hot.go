package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/turnout-events/turnout/internal/point"
)

// hotReads are what pages wait for, and what is asked several times a second, prepared
// once: parsing a statement takes several times as long as running it. Those that
// pages wait for are run under the background context, since one that can end costs a
// goroutine for each.
type hotReads struct {
	point *point.Pool // by the numbers below
	byKey *sql.Stmt
	byID  *sql.Stmt
	// after are registrations in order, for answered.
	after    *sql.Stmt
	answered *answered
	// What the change feed, seats, deliveries and the mirror read.
	changes, lastChange, seatings, lanes, due, standings *sql.Stmt
}

// The queries of hotReads.point.
const (
	wrappedKey = iota
	latestOfLink
)

func (s *Store) prepareHot(ctx context.Context) (err error) {
	if s.hot.point, err = point.Open(ctx, s.points, readers,
		"SELECT wrapped FROM people WHERE org = ? AND person = ?",
		"SELECT id FROM registrations WHERE org = ? AND link = ? AND link IS NOT NULL ORDER BY id DESC LIMIT 1"); err != nil {
		return err
	}
	for _, q := range []struct {
		into **sql.Stmt
		text string
	}{
		{&s.hot.byKey, selectRegistration + " WHERE r.org = ? AND r.key = ?"},
		{&s.hot.byID, selectRegistration + " WHERE r.id = ?"},
		{&s.hot.after, registrationsAfter},
		{&s.hot.changes, selectChanges},
		{&s.hot.lastChange, selectLastChange},
		{&s.hot.seatings, selectSeatings},
		{&s.hot.lanes, selectLanes},
		{&s.hot.due, selectDue},
		{&s.hot.standings, selectStandings},
	} {
		if *q.into, err = s.reads.PrepareContext(ctx, q.text); err != nil {
			return err
		}
	}
	s.hot.answered = openAnswered(s.path)
	return nil
}

func (h hotReads) close() error {
	h.point.Close()
	if h.answered != nil {
		h.answered.closed.Store(true)
	}
	var errs []error
	for _, stmt := range []*sql.Stmt{h.byKey, h.byID, h.after, h.changes, h.lastChange, h.seatings, h.lanes, h.due, h.standings} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}

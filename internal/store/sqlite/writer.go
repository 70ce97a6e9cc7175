package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/groupcommit"
	"github.com/turnout-events/turnout/internal/store/ledger"

	"modernc.org/sqlite"
)

// job is one caller's change. apply either changes something and returns nil,
// or returns a *turnout.Error, which rejects this job alone; any other error
// rolls the whole transaction back. It may run twice, and then starts anew.
type job struct {
	apply func(*tx) error
	// until is when it is too late for this, zero for never.
	until time.Time
	// scrub empties the write-ahead log once the change is on disk. scrubbed is
	// how that went: the change itself stands whatever it says.
	scrub    bool
	scrubbed error
}

// do makes a change durable. When it returns nil, the change is on disk.
func (s *Store) do(ctx context.Context, op string, apply func(*tx) error) error {
	return s.hand(ctx, op, &job{apply: apply})
}

// inTime makes a change durable as do does, unless its turn comes after ctx's deadline.
func (s *Store) inTime(ctx context.Context, op string, apply func(*tx) error) error {
	j := &job{apply: apply}
	j.until, _ = ctx.Deadline()
	return s.hand(ctx, op, j)
}

// Ping tells whether the writer gets its turn: registrations can be taken.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, "reach the writer", func(*tx) error { return nil })
}

func (s *Store) hand(ctx context.Context, op string, j *job) error {
	err := s.writer.Do(ctx, j)
	if j.scrub {
		s.scrubs.note(err) // scrubAfter may not have run, and a scrub too many does no harm
	}
	if errors.Is(err, groupcommit.ErrClosed) {
		return turnout.Wrap(turnout.CodeUnavailable, op, err)
	}
	return wrap(op, err)
}

// commit runs jobs in one transaction. When one of them fails in an
// unexpected way, each gets a transaction of its own, so that it takes nobody
// else down.
func (s *Store) commit(jobs []*job) []error {
	errs := make([]error, len(jobs))
	err := s.transact(jobs, errs)
	if err == nil {
		return errs
	}
	if len(jobs) == 1 || !aboutOneJob(err) {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	s.log.Warn("store: a batch is replayed one by one", "jobs", len(jobs), "cause", err)
	for i := range jobs {
		// Other processes get in between: that many commits may take longer than they
		// have patience.
		s.turn.unlock()
		s.step("between")
		if _, err := s.takeTurn(); err != nil {
			for i := i; i < len(jobs); i++ {
				errs[i] = err
			}
			return errs
		}
		errs[i] = nil
		if err := s.transact(jobs[i:i+1], errs[i:i+1]); err != nil {
			errs[i] = err
		}
	}
	return errs
}

// aboutOneJob tells a failure that one job brought about from one of disk,
// lock or connection, which the next attempt would meet as well.
func aboutOneJob(err error) bool {
	switch turnout.CodeOf(err) {
	case turnout.CodeUnknown, turnout.CodeNoSpace, turnout.CodeUnavailable:
		return false
	}
	return true
}

// takeTurn waits until no other process writes.
func (s *Store) takeTurn() (done func(), err error) {
	if err := s.turn.lock(); err != nil {
		return nil, turnout.Wrap(turnout.CodeUnavailable, "write", err)
	}
	return s.turn.unlock, nil
}

// transact runs jobs in one transaction and leaves each one's rejection in
// errs. An error means that nothing was committed, or CodeUnknown.
func (s *Store) transact(jobs []*job, errs []error) error {
	if s.session == nil {
		if err := s.reopen(); err != nil {
			return turnout.Wrap(turnout.CodeUnavailable, "reopen store", err)
		}
	}
	s.step("turn")
	if err := s.session.exec("BEGIN IMMEDIATE"); err != nil {
		s.drop(err)
		return turnout.Wrap(codeOf(err), "begin", err)
	}
	s.step("begun")
	t := &tx{session: s.session, numbers: &s.orgs, ledgers: map[ledgerKey]*ledger.Ledger{}}
	if err := t.run(jobs, errs); err != nil {
		if back := s.session.exec("ROLLBACK"); back != nil {
			s.drop(back)
		}
		return wrap("write", err)
	}
	s.step("written")
	if err := s.session.exec("COMMIT"); err != nil {
		return s.commitFailed(err)
	}
	s.step("committed")
	s.scrubAfter(jobs)
	return nil
}

// commitFailed never goes on blindly: the connection is thrown away, and
// unless the disk was full (the commit record was not written) nobody can say
// whether the transaction is there.
func (s *Store) commitFailed(err error) error {
	code := codeOf(err)
	if code != turnout.CodeNoSpace {
		code = turnout.CodeUnknown
	}
	s.drop(err)
	return turnout.Wrap(code, "commit", err)
}

// drop closes the writer's connection; the next transaction opens another.
func (s *Store) drop(cause error) {
	s.log.Error("store: the writer's connection is opened anew", "cause", cause)
	_ = s.session.close()
	s.session = nil
}

func (s *Store) reopen() error {
	session, err := openSession(context.Background(), s.writes)
	if err != nil {
		return err
	}
	s.session = session
	return nil
}

// session is the writer's connection with its prepared statements. Only the
// writer goroutine uses it. Statements run under the background context: a
// context that can end costs a goroutine for each of them, and a transaction
// that is half done is not worth interrupting.
type session struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func openSession(ctx context.Context, db *sql.DB) (*session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err := verifyPragmas(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &session{conn: conn, stmts: map[string]*sql.Stmt{}}, nil
}

// close gives the connection up for good, so that the pool makes a new one.
func (s *session) close() error {
	for _, st := range s.stmts {
		_ = st.Close()
	}
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	return nil
}

func (s *session) stmt(query string) (*sql.Stmt, error) {
	if st, ok := s.stmts[query]; ok {
		return st, nil
	}
	st, err := s.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	s.stmts[query] = st
	return st, nil
}

func (s *session) exec(query string, args ...any) error {
	_, err := s.execN(query, args...)
	return err
}

// execN returns the number of rows that changed.
func (s *session) execN(query string, args ...any) (int64, error) {
	st, err := s.stmt(query)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (s *session) row(query string, args ...any) *sql.Row {
	st, err := s.stmt(query)
	if err != nil { // the row reports it
		return s.conn.QueryRowContext(context.Background(), query, args...)
	}
	return st.QueryRowContext(context.Background(), args...)
}

func (s *session) rows(query string, args ...any) (*sql.Rows, error) {
	st, err := s.stmt(query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(context.Background(), args...)
}

// tx is one transaction of the writer. Ledgers that it touches are read once,
// changed in memory and written before the commit: however many registrations
// one transaction takes, each seat counter is read and written once.
type tx struct {
	*session
	numbers *orgNumbers
	ledgers map[ledgerKey]*ledger.Ledger
	// addedOrg says that this transaction may still take an org back.
	addedOrg bool
	// changes counts the statements that changed rows.
	changes int
}

// execN shadows the session's, to know whether a job changed anything.
func (t *tx) execN(query string, args ...any) (int64, error) {
	n, err := t.session.execN(query, args...)
	if n > 0 {
		t.changes++
	}
	return n, err
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.execN(query, args...)
	return err
}

func (t *tx) run(jobs []*job, errs []error) error {
	for i, j := range jobs {
		if errs[i] = ledger.Late(j.until); errs[i] != nil {
			continue
		}
		before := t.changes
		errs[i] = j.apply(t)
		// Whoever rejects after changing something gets a transaction of its
		// own, which is then rolled back.
		if errs[i] != nil && (!isRejection(errs[i]) || t.changes != before) {
			return errs[i]
		}
	}
	for _, l := range t.ledgers {
		if l.Promoting() {
			if err := t.promote(l); err != nil {
				return err
			}
		}
		if err := t.flush(l); err != nil {
			return err
		}
	}
	return nil
}

// isRejection tells a no from a failure. What SQLite reports is never a no:
// it may have rolled the transaction back by itself.
func isRejection(err error) bool {
	var no *turnout.Error
	var failed *sqlite.Error
	return errors.As(err, &no) && !errors.As(err, &failed)
}

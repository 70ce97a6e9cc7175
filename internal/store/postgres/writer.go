package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/groupcommit"
	"github.com/turnout-events/turnout/internal/store/ledger"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
)

// job is one caller's change: either an acceptance, of which a whole batch costs
// two exchanges with the server, or a function.
type job struct {
	// events and lanes are what the change touches. Their rows are locked before
	// anything else, those of the whole batch in one statement and in order of
	// lane, so that processes wait for each other and never in a circle.
	events []ledgerKey
	lanes  []int64
	// until is when it is too late for this, zero for never.
	until time.Time
	// accept is decided in memory upon what was read for all of the batch.
	accept *acceptance
	// apply either changes something and returns nil, or returns a *turnout.Error,
	// which rejects this job alone; any other error rolls the whole transaction
	// back. It may run several times, and then starts anew.
	apply func(*tx) error
}

// do makes a change durable together with those of other callers. When it
// returns nil, the change is committed.
func (s *Store) do(ctx context.Context, op string, j *job) error {
	err := s.writer.Do(ctx, j)
	if errors.Is(err, groupcommit.ErrClosed) {
		return turnout.Wrap(turnout.CodeUnavailable, op, err)
	}
	return wire.Wrap(op, err)
}

// inTime makes a change durable as do does, unless its turn comes after ctx's deadline.
func (s *Store) inTime(ctx context.Context, op string, j *job) error {
	j.until, _ = ctx.Deadline()
	return s.do(ctx, op, j)
}

// Ping tells whether the writer reaches the database: registrations can be taken.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, "reach the writer", &job{apply: func(t *tx) error { return t.Exec("SELECT 1") }})
}

// aside makes a change in a transaction of its own on a connection of its own:
// for what is seldom, or knows only on the way what it has to lock.
func (s *Store) aside(ctx context.Context, op string, apply func(*tx) error) error {
	var err error
	for range attempts {
		conn, acquireErr := s.acquire(ctx)
		if acquireErr != nil {
			return wire.Wrap(op, acquireErr)
		}
		errs := []error{nil}
		err = s.transact(conn.Conn(), []*job{{apply: apply}}, errs)
		if err == nil {
			err = errs[0]
		}
		if broken(conn.Conn(), err) {
			_ = conn.Conn().Close(context.Background()) // the pool makes another one
		}
		conn.Release()
		if !wire.Again(err) {
			break
		}
	}
	return wire.Wrap(op, err)
}

func (s *Store) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, wire.Patience)
	defer cancel()
	return s.pool.Acquire(ctx)
}

// attempts is how often a transaction is tried that another process got in the
// way of. Each time, one of those that met is through.
const attempts = 10

// commit runs jobs in one transaction. When one of them fails in an unexpected
// way, each gets a transaction of its own, so that it takes nobody else down.
func (s *Store) commit(jobs []*job) []error {
	errs := make([]error, len(jobs))
	err := s.persist(jobs, errs)
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
		if err := s.persist(jobs[i:i+1], errs[i:i+1]); err != nil {
			errs[i] = err
		}
	}
	return errs
}

// persist runs jobs on the writer's connection, again where processes met, and
// once more on a new connection where the old one was lost before the commit: a
// server that was restarted, or is no longer the primary, costs nobody an error.
func (s *Store) persist(jobs []*job, errs []error) error {
	var err error
	anew := false
	for range attempts {
		if s.conn == nil {
			if err := s.reconnect(); err != nil {
				return turnout.Wrap(turnout.CodeUnavailable, "write", err)
			}
		}
		clear(errs)
		err = s.transact(s.conn, jobs, errs)
		if broken(s.conn, err) {
			s.log.Error("store: the writer's connection is opened anew", "cause", err)
			_ = s.conn.Close(context.Background())
			s.conn = nil
			s.pool.Reset() // those beside it most likely broke too
			if !anew && turnout.CodeOf(err) != turnout.CodeUnknown && !pgconn.Timeout(err) {
				anew = true
				continue
			}
		}
		if !wire.Again(err) {
			break
		}
	}
	return wire.Wrap("write", err)
}

// aboutOneJob tells a failure that one job brought about from one of the
// database or the connection, which the next attempt would meet as well.
func aboutOneJob(err error) bool {
	switch turnout.CodeOf(err) {
	case turnout.CodeUnknown, turnout.CodeNoSpace, turnout.CodeUnavailable:
		return false
	}
	return true
}

// broken tells whether a connection must not be used again after err.
func broken(conn *pgx.Conn, err error) bool {
	if err == nil {
		return false
	}
	const idle = 'I' // outside of any transaction
	return wire.Demoted(err) || conn.IsClosed() || conn.PgConn().TxStatus() != idle
}

// transact runs jobs in one transaction of READ COMMITTED and leaves each one's
// rejection in errs. An error means that nothing was committed, or CodeUnknown.
//
// The locks come first, so that every statement after them sees all that was
// committed under them before; the feed's counter comes last.
func (s *Store) transact(conn *pgx.Conn, jobs []*job, errs []error) error {
	t := &tx{Session: wire.Session{Conn: conn}, ledgers: map[ledgerKey]*ledger.Ledger{}, reads: newReads(jobs)}
	if err := t.begin(jobs); err != nil {
		return t.back(err)
	}
	s.step("begun")
	if err := t.run(jobs, errs); err != nil {
		return t.back(err)
	}
	s.step("written")
	return t.end()
}

// tx is one transaction. Ledgers that it touches are read once, changed in
// memory and written before the commit: however many registrations one
// transaction takes, each seat counter is read and written once.
type tx struct {
	wire.Session
	ledgers map[ledgerKey]*ledger.Ledger
	reads   *reads
	writes  writes
	feed    []turnout.Change
	// changes counts the statements that changed rows.
	changes int
}

// ExecN shadows the session's, to know whether a job changed anything.
func (t *tx) ExecN(query string, args ...any) (int64, error) {
	n, err := t.Session.ExecN(query, args...)
	if n > 0 {
		t.changes++
	}
	return n, err
}

func (t *tx) Exec(query string, args ...any) error {
	_, err := t.ExecN(query, args...)
	return err
}

// begin opens the transaction, locks and reads in one exchange.
func (t *tx) begin(jobs []*job) error {
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	t.queueLocks(b, jobs)
	t.reads.early = !slices.ContainsFunc(jobs, func(j *job) bool { return j.apply != nil })
	if t.reads.early {
		t.reads.queue(b)
	}
	if err := t.Send(b); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	return nil
}

// run does what is done by functions, then what is accepted, then gives seats
// that came free to those who wait.
func (t *tx) run(jobs []*job, errs []error) error {
	for i, j := range jobs {
		if j.apply == nil {
			continue
		}
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
	if !t.reads.early {
		b := &pgx.Batch{}
		t.reads.queue(b)
		if err := t.Send(b); err != nil {
			return fmt.Errorf("read for acceptances: %w", err)
		}
	}
	for i, j := range jobs {
		if j.accept == nil {
			continue
		}
		if errs[i] = ledger.Late(j.until); errs[i] == nil {
			errs[i] = t.accept(j.accept)
		}
	}
	return t.promoteAll()
}

// end writes what is left and commits, in one exchange. What changed nothing is
// rolled back, which costs no wait for the disk.
func (t *tx) end() error {
	b := &pgx.Batch{}
	t.writes.queue(b)
	t.queueSeats(b)
	t.queueFeed(b)
	if b.Len() == 0 && t.changes == 0 {
		return t.back(nil)
	}
	committed := false
	b.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		committed = tag.String() == "COMMIT"
		return nil
	})
	err := t.Send(b)
	switch {
	case err == nil && committed:
		return nil
	case err == nil:
		return errors.New("commit: the server rolled back")
	case wire.Refused(err): // a statement before the commit failed, which was then skipped
		return t.back(err)
	}
	return turnout.Wrap(turnout.CodeUnknown, "commit", err)
}

// back rolls back and returns err, or why that did not go.
func (t *tx) back(err error) error {
	if t.Conn.IsClosed() {
		return err // the server rolls back what the connection leaves
	}
	if failed := t.Session.Exec("ROLLBACK"); failed != nil {
		return fmt.Errorf("roll back: %w", failed)
	}
	return err
}

// isRejection tells a no from a failure.
func isRejection(err error) bool {
	var no *turnout.Error
	return errors.As(err, &no) && no.Code != turnout.CodeUnknown && no.Err == nil
}

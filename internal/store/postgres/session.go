package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/turnout-events/turnout"
)

// patience bounds each exchange with the server. Whoever does not answer for so
// long, such as a host behind a dead network, is given up and dialled anew.
const patience = 30 * time.Second

// session is a connection within a transaction. One goroutine uses it. A
// transaction that is half done is not worth interrupting, so its statements
// run under a bound of their own and not under a caller's context.
type session struct{ conn *pgx.Conn }

func (s session) exec(query string, args ...any) error {
	_, err := s.execN(query, args...)
	return err
}

// execN returns the number of rows that changed.
func (s session) execN(query string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tag, err := s.conn.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

// row reads one row into dest; pgx.ErrNoRows for none.
func (s session) row(query string, args []any, dest ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.conn.QueryRow(ctx, query, args...).Scan(dest...)
}

// send makes several statements one exchange. Their results go to the functions
// that the batch's statements were given.
func (s session) send(b *pgx.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.conn.SendBatch(ctx, b).Close()
}

// rows reads them all, each by scan.
func rows[T any](s session, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found, err := s.conn.Query(ctx, query, args...)
	return collect(found, err, scan)
}

type scanner interface{ Scan(...any) error }

// collect reads all of an answer.
func collect[T any](found pgx.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var all []T
	for found.Next() {
		one, err := scan(found)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, found.Err()
}

// The server's states that decide something, by their codes in appendix A of
// PostgreSQL's manual.
const (
	uniqueViolation     = "23505"
	readOnlyTransaction = "25006" // what was the primary is a standby now
	serializationFailed = "40001"
	deadlock            = "40P01"
	diskFull            = "53100"
	lockNotAvailable    = "55P03"
)

// errRace says that somebody else came first, between look and write.
var errRace = errors.New("somebody else changed it meanwhile")

// again tells failures after which the same transaction may well succeed: two
// processes met, and this one gave way.
func again(err error) bool {
	if errors.Is(err, errRace) {
		return true
	}
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == uniqueViolation || e.Code == serializationFailed || e.Code == deadlock)
}

// refused tells what the server itself rejected, by a connection that goes on.
func refused(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Severity == "ERROR"
}

// codeOf turns a failure into one of our codes.
func codeOf(err error) turnout.Code {
	var e *pgconn.PgError
	var connecting *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &e):
		return codeOfState(e.Code)
	case errors.Is(err, errRace), errors.As(err, &connecting), errors.As(err, &network), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), pgconn.SafeToRetry(err), pgconn.Timeout(err):
		return turnout.CodeUnavailable
	}
	return turnout.CodeOf(err)
}

func codeOfState(state string) turnout.Code {
	switch state {
	case diskFull:
		return turnout.CodeNoSpace
	case readOnlyTransaction, lockNotAvailable, movedState:
		return turnout.CodeUnavailable
	}
	// Lost connection, rolled back, too many connections, told to end.
	for _, class := range []string{"08", "40", "53", "57"} {
		if strings.HasPrefix(state, class) {
			return turnout.CodeUnavailable
		}
	}
	return turnout.CodeInternal
}

// wrap gives err its code, and keeps one that it already has.
func wrap(op string, err error) error {
	var e *turnout.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return turnout.Wrap(codeOf(err), op, err)
}

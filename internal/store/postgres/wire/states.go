package wire

import (
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/turnout-events/turnout"
)

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

// Moved is the state that a fence raises (see transfer): another store takes this
// one's place. It is ours, of a class that PostgreSQL leaves to applications.
const Moved = "TM001"

// Waited tells that two waited for each other, or one for too long.
func Waited(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == deadlock || e.Code == lockNotAvailable)
}

// ErrRace says that somebody else came first, between look and write.
var ErrRace = errors.New("somebody else changed it meanwhile")

// Again tells failures after which the same transaction may well succeed: two
// processes met, and this one gave way.
func Again(err error) bool {
	if errors.Is(err, ErrRace) {
		return true
	}
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == uniqueViolation || e.Code == serializationFailed || e.Code == deadlock)
}

// Refused tells what the server itself rejected, by a connection that goes on, whatever
// language it speaks (lc_messages).
func Refused(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.SeverityUnlocalized == "ERROR"
}

// codeOf turns a failure into one of our codes.
func codeOf(err error) turnout.Code {
	var e *pgconn.PgError
	var connecting *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &e):
		return codeOfState(e.Code)
	case errors.Is(err, ErrRace), errors.As(err, &connecting), errors.As(err, &network), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), pgconn.SafeToRetry(err), pgconn.Timeout(err):
		return turnout.CodeUnavailable
	}
	return turnout.CodeOf(err)
}

func codeOfState(state string) turnout.Code {
	switch state {
	case diskFull:
		return turnout.CodeNoSpace
	case readOnlyTransaction, lockNotAvailable, Moved:
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

// Wrap gives err its code, and keeps one that it already has.
func Wrap(op string, err error) error {
	var e *turnout.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return turnout.Wrap(codeOf(err), op, err)
}

// Demoted tells that the server takes no writes any more.
func Demoted(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == readOnlyTransaction
}

package sqlite

import (
	"context"
	"errors"

	"github.com/turnout-events/turnout"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// result is SQLite's primary result code in err, or 0.
func result(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff // the rest makes it an extended code
	}
	return 0
}

// damaged reports whether only a new file helps.
func damaged(err error) bool {
	switch result(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return errors.Is(err, errVersion)
}

// codeOf is the one table from SQLite's result codes to ours.
func codeOf(err error) turnout.Code {
	switch result(err) {
	case sqlite3.SQLITE_FULL:
		return turnout.CodeNoSpace
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_READONLY:
		return turnout.CodeUnavailable
	}
	switch {
	case errors.Is(err, errForeign):
		return turnout.CodeMisconfigured
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return turnout.CodeUnavailable
	}
	return turnout.CodeInternal
}

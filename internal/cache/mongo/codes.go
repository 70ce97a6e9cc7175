package mongo

import (
	"context"
	"errors"
	"strings"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/turnout-events/turnout"
)

// Error codes of the server that mean something here.
const (
	codeUnauthorized = 13
	codeNoPassword   = 18
	codeDuplicate    = 11000
	codeOutOfDisk    = 14031
	codeAtlas        = 8000 // how Atlas says that a password is wrong
)

// away are the server's ways to say that another one has to be asked, or that
// this one goes down or had no time.
func away() []int {
	return []int{6, 7, 50, 64, 89, 91, 100, 133, 134, 189, 202, 262, 9001, 10058, 10107, 11600, 11602, 13388, 13435, 13436}
}

var (
	// errRefused, errForeign, errOthers and errSchema are for an operator to solve.
	errRefused = errors.New("the server refuses the user or its password: check both in the cache's URL, the user's right readWrite, and authSource")
	errForeign = errors.New("the database holds something else: name one of its own at the end of the cache's URL")
	errOthers  = errors.New("the database is another deployment's cache: name one of its own at the end of the cache's URL, or drop it if the store was begun anew")
	errSchema  = errors.New("the cache's schema cannot be used")
	// errAway says that there is no server that takes writes now.
	errAway = errors.New("no server that takes writes answers")
)

// codeOf is the one table from the driver's errors to our codes.
func codeOf(err error) turnout.Code {
	if code := turnout.CodeOf(err); code != "" && code != turnout.CodeInternal {
		return code
	}
	var server driver.ServerError
	is := func(codes ...int) bool {
		for _, code := range codes {
			if errors.As(err, &server) && server.HasErrorCode(code) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, errRefused), errors.Is(err, errForeign), errors.Is(err, errOthers), errors.Is(err, errSchema),
		is(codeUnauthorized, codeNoPassword, codeAtlas):
		return turnout.CodeMisconfigured
	case is(codeOutOfDisk):
		return turnout.CodeNoSpace
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, driver.ErrClientDisconnected),
		driver.IsTimeout(err), driver.IsNetworkError(err), unreachable(err), is(away()...):
		return turnout.CodeUnavailable
	}
	return turnout.CodeInternal
}

// unreachable reports whether no server could be chosen, or no connection got.
func unreachable(err error) bool {
	var none topology.ServerSelectionError
	var conn topology.ConnectionError
	var full topology.WaitQueueTimeoutError
	return errors.As(err, &none) || errors.As(err, &conn) || errors.As(err, &full)
}

// plain puts the driver's longer errors into one line that says what to do.
func plain(err error) error {
	var server driver.ServerError
	if refused(err) {
		return errRefused
	}
	if errors.As(err, &server) {
		return err
	}
	var none topology.ServerSelectionError
	if errors.As(err, &none) {
		for _, s := range none.Desc.Servers {
			if refused(s.LastError) {
				return errRefused
			}
			if s.LastError != nil {
				return cause{errAway, oneLine(s.LastError.Error())}
			}
		}
		return cause{errAway, "none of the hosts is reached"}
	}
	return err
}

// refused reports whether it is the credentials.
func refused(err error) bool {
	var server driver.ServerError
	if errors.As(err, &server) {
		return server.HasErrorCode(codeNoPassword) || server.HasErrorCode(codeUnauthorized) || server.HasErrorCode(codeAtlas)
	}
	return err != nil && strings.Contains(err.Error(), "auth error")
}

// cause is an error with why.
type cause struct {
	error
	why string
}

func (c cause) Error() string { return c.error.Error() + ": " + c.why }
func (c cause) Unwrap() error { return c.error }

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

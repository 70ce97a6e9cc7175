package mongotest

import (
	"errors"
	"os"
	"testing"
)

// New is a server of its own that runs until the test ends, which is skipped as Need says.
func New(t testing.TB) *Server {
	t.Helper()
	s, err := StartOwn(t.Context())
	Need(t, err)
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

// Need ends a test whose server did not start for err, nil for one that did: where
// there is no server and none can be built it is skipped, but not in CI.
func Need(t testing.TB, err error) {
	t.Helper()
	if Missing(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Missing reports whether tests do without a server, since none is installed and
// this is not CI (TURNOUT_CI).
func Missing(err error) bool {
	return errors.Is(err, ErrMissing) && os.Getenv("TURNOUT_CI") == ""
}

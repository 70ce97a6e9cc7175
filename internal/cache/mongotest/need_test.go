package mongotest

import (
	"errors"
	"fmt"
	"testing"
)

// What is not installed may be missing, but not in CI; what failed may not.
func TestMissing(t *testing.T) {
	for _, c := range []struct {
		err  error
		ci   string
		want bool
	}{
		{nil, "", false},
		{fmt.Errorf("start: %w", ErrMissing), "", true},
		{fmt.Errorf("start: %w", ErrMissing), "1", false},
		{errors.New("it ended"), "", false},
	} {
		t.Setenv("TURNOUT_CI", c.ci)
		if got := Missing(c.err); got != c.want {
			t.Errorf("%v in CI %q: %v", c.err, c.ci, got)
		}
	}
}

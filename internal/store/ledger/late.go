package ledger

import (
	"time"

	"github.com/turnout-events/turnout"
)

// Late refuses a change that comes to its turn after its caller's time is up; the zero
// time is never. The caller may be gone, and whoever asked it may have asked elsewhere
// since and been told, of what is stored, that there is no seat: a registration that
// was made later than that would make it a lie (P1).
func Late(until time.Time) error {
	if until.IsZero() || time.Now().Before(until) {
		return nil
	}
	return turnout.Errorf(turnout.CodeUnavailable, "write", "it did not come to its turn in time")
}

package loading

import (
	"testing"

	"github.com/turnout-events/turnout/internal/load/result"
)

// What still waits later had not arrived before.
func TestDrainedIsTheLastTime(t *testing.T) {
	run := &result.Run{Salesforce: &result.Salesforce{}, Timeline: []result.Interval{
		{Second: 0, Accepted: 100, OldestAge: 0.5}, {Second: 1}, {Second: 2, OldestAge: 2.5}, {Second: 60, OldestAge: 60}, {Second: 61}, {Second: 62},
	}}
	cost(run)
	if run.Salesforce.DrainedAfter != 61 || run.Salesforce.OldestWaiting != 60 {
		t.Errorf("%+v", run.Salesforce)
	}
}

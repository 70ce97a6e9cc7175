package load

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/load/result"
	"github.com/turnout-events/turnout/internal/load/scenario"
)

// measured is a run of which everything is known.
func measured() *result.Run {
	run := &result.Run{
		Steps: []result.Step{
			{Name: "open", Group: "a, quiet", Sent: 990, Latency: result.Latency{Count: 990, P50: 1, P99: 10, Max: 30}},
			{Name: "open", Group: "a, noisy", Sent: 1000, Errors: []result.Count{{What: "timeout", Count: 1}, {What: noRoom, Count: 10}}, Latency: result.Latency{Count: 1000, P50: 2, P99: 25, Max: 40}},
			{Name: "never", Group: "a, quiet"},
		},
		Timeline:   []result.Interval{{OldestAge: 9.5, Delivered: 3}},
		Salesforce: &result.Salesforce{Records: 100, CallsAThousand: 210},
	}
	for second := range 100 {
		run.Usage = append(run.Usage, result.Usage{Second: second, Process: "instance", Memory: int64(second) << 22, Goroutines: 50, Files: 20})
	}
	return run
}

func TestVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		threshold scenario.Threshold
		want      string // what the verdict begins with
	}{
		"a latency that is met":           {scenario.Threshold{Of: "open", P99: 25 * time.Millisecond}, "met p99 of open at most 25ms"},
		"the slowest group counts":        {scenario.Threshold{Of: "open", P99: 24 * time.Millisecond}, "MISSED p99 of open"},
		"all requests":                    {scenario.Threshold{Max: 30 * time.Millisecond}, "MISSED the longest of all requests"},
		"no answer is no good answer":     {scenario.Threshold{Of: "never", P50: time.Hour}, "MISSED p50 of never"},
		"errors count who never came":     {scenario.Threshold{Of: "open", Errors: "0.5%"}, "MISSED errors of open at most 0.5%: 11 of 2000"},
		"errors that are few":             {scenario.Threshold{Of: "open", Errors: "1%"}, "met errors"},
		"noise that is felt":              {scenario.Threshold{Of: "open", NoisyTimes: 2}, "MISSED p99 of open while others are noisy"},
		"noise that is little":            {scenario.Threshold{Of: "open", NoisyTimes: 2, NoisyMore: 15 * time.Millisecond}, "met p99 of open while"},
		"a call for the rest":             {scenario.Threshold{CallsAThousand: 200}, "met at most 200 calls"},
		"too many calls":                  {scenario.Threshold{CallsAThousand: 199}, "MISSED at most 199 calls"},
		"too old":                         {scenario.Threshold{Oldest: 9 * time.Second}, "MISSED no registration waits"},
		"memory that grows":               {scenario.Threshold{Growth: 1.5}, "MISSED memory of instance grows"},
		"goroutines and files that don't": {scenario.Threshold{Growth: 3}, "met memory"},
	} {
		run := measured()
		Judge(run, &scenario.Scenario{Thresholds: []scenario.Threshold{c.threshold}})
		if len(run.Verdicts) == 0 {
			t.Errorf("%s: nothing is said", name)
			continue
		}
		v := run.Verdicts[0]
		got := map[bool]string{true: "met ", false: "MISSED "}[v.Met] + v.Threshold + ": " + v.Measured
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSeatsAreJudged(t *testing.T) {
	run := &result.Run{Seats: []result.Seats{{What: "gala", Limit: 10, Recorded: 11, Oversold: 1}, {What: "all", Recorded: 5, Lost: 1}, {What: "unknown", Recorded: -1, Lost: 9}}}
	Judge(run, &scenario.Scenario{})
	missed := 0
	for _, v := range run.Verdicts {
		if !v.Met {
			missed++
		}
	}
	if len(run.Verdicts) != 3 || missed != 2 {
		t.Errorf("%+v", run.Verdicts)
	}
}

// What could not be measured is a note, and nothing that was met.
func TestWhatIsNotKnownIsNotMet(t *testing.T) {
	run := &result.Run{}
	Judge(run, &scenario.Scenario{Thresholds: []scenario.Threshold{{CallsAThousand: 200, Oldest: time.Minute, Growth: 2}}})
	if len(run.Verdicts) != 0 || len(run.Notes) != 3 {
		t.Errorf("%+v", run)
	}
}

// What comes back to an odd request: a refusal or nothing is right.
func TestJudgeOfOddRequests(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	bad := "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad"
	for answer, want := range map[string]string{
		"":        "",
		"garbage": "",
		bad:       "",
		ok:        "x: answered 200",
		bad + bad: "x: answered twice",
		"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n": "x: answered 500",
		"HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n": "",
	} {
		here, there := net.Pipe()
		go func() {
			w := bufio.NewWriter(there)
			_, _ = w.WriteString(answer)
			_ = w.Flush()
			there.Close()
		}()
		if got := judge(here, oddity{name: "x", once: true}, func() {}); got != want {
			t.Errorf("%q: %q, want %q", answer, got, want)
		}
		here.Close()
	}
}

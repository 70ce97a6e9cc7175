package load

import (
	"fmt"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/load/result"
	"github.com/turnout-events/turnout/internal/load/scenario"
)

// Judge compares a run with its scenario's thresholds. What could not be measured is
// a note and no verdict.
func Judge(run *result.Run, s *scenario.Scenario) {
	j := judging{run: run, events: max(1, s.Event.Make)}
	for _, t := range s.Thresholds {
		j.latencies(t)
		j.errors(t)
		j.noise(t)
		j.salesforce(t)
		j.growth(t)
	}
	for _, seats := range run.Seats {
		if seats.Limit > 0 && seats.Recorded >= 0 {
			j.say(seats.What+": nothing oversold", fmt.Sprintf("%d too many", seats.Oversold), seats.Oversold == 0)
		}
		if seats.Recorded >= 0 {
			j.say(seats.What+": nothing acknowledged is lost or twice in Salesforce", fmt.Sprintf("%d lost, %d twice", seats.Lost, seats.Twice), seats.Lost+seats.Twice == 0)
		}
	}
}

type judging struct {
	run    *result.Run
	events int // as many as visitors go to
}

func (j judging) say(threshold, measured string, met bool) {
	j.run.Verdicts = append(j.run.Verdicts, result.Verdict{Threshold: threshold, Measured: measured, Met: met})
}

func (j judging) note(format string, args ...any) {
	j.run.Notes = append(j.run.Notes, fmt.Sprintf(format, args...))
}

// of are the steps that a threshold is about.
func (j judging) of(name string) (all []result.Step) {
	for _, s := range j.run.Steps {
		if s.Name == name || name == "" {
			all = append(all, s)
		}
	}
	return all
}

// latencies are judged of each group by itself: the slowest counts.
func (j judging) latencies(t scenario.Threshold) {
	for _, x := range []struct {
		name string
		most time.Duration
		of   func(result.Latency) float64
	}{
		{"p50", t.P50, func(l result.Latency) float64 { return l.P50 }},
		{"p90", t.P90, func(l result.Latency) float64 { return l.P90 }},
		{"p99", t.P99, func(l result.Latency) float64 { return l.P99 }},
		{"p99.9", t.P999, func(l result.Latency) float64 { return l.P999 }},
		{"the longest", t.Max, func(l result.Latency) float64 { return l.Max }},
	} {
		if x.most == 0 {
			continue
		}
		worst, measured := 0.0, false
		for _, s := range j.of(t.Of) {
			if s.Latency.Count > 0 {
				worst, measured = max(worst, x.of(s.Latency)), true
			}
		}
		title := fmt.Sprintf("%s of %s at most %v", x.name, named(t.Of), x.most)
		if !measured {
			if !j.run.Interrupted { // else it may not have come to that
				j.say(title, "no answer", false)
			}
			continue
		}
		j.say(title, inMilliseconds(worst), worst <= x.most.Seconds()*1000)
	}
}

func (j judging) errors(t scenario.Threshold) {
	most, err := scenario.Percent(t.Errors)
	if err != nil || most < 0 {
		return
	}
	sent, failed := int64(0), int64(0)
	for _, s := range j.of(t.Of) {
		sent += s.Sent
		for _, c := range s.Errors {
			failed += c.Count
			if c.What == noRoom {
				sent += c.Count
			}
		}
	}
	j.say(fmt.Sprintf("errors of %s at most %s", named(t.Of), t.Errors), fmt.Sprintf("%d of %d", failed, sent), float64(failed) <= most*float64(sent))
}

// noise compares the noisy periods with the quiet ones, group by group.
func (j judging) noise(t scenario.Threshold) {
	if t.NoisyTimes == 0 {
		return
	}
	quiet := map[string]result.Latency{}
	for _, s := range j.of(t.Of) {
		if group, ok := strings.CutSuffix(s.Group, ", quiet"); ok {
			quiet[group] = s.Latency
		}
	}
	for _, s := range j.of(t.Of) {
		group, ok := strings.CutSuffix(s.Group, ", noisy")
		before, known := quiet[group]
		if !ok || !known || before.Count == 0 || s.Latency.Count == 0 {
			continue
		}
		title := fmt.Sprintf("p99 of %s while others are noisy at most %g times that of quiet periods", t.Of, t.NoisyTimes)
		if t.NoisyMore > 0 {
			title += fmt.Sprintf(", or %v more", t.NoisyMore)
		}
		most := max(before.P99*t.NoisyTimes, before.P99+t.NoisyMore.Seconds()*1000)
		j.say(title, fmt.Sprintf("%s, and %s when quiet", inMilliseconds(s.Latency.P99), inMilliseconds(before.P99)), s.Latency.P99 <= most)
	}
}

func (j judging) salesforce(t scenario.Threshold) {
	sf := j.run.Salesforce
	switch {
	case t.CallsAThousand == 0 || j.run.Interrupted:
	case sf == nil:
		j.note("Calls to Salesforce were not counted: say where the simulator is (--simulator).")
	case sf.Records > 0:
		// The last call of each event carries what is left, however little.
		rest := 1000 * float64(j.events) / float64(sf.Records)
		j.say(fmt.Sprintf("at most %g calls to Salesforce for each 1,000 registrations, the last one of each event not counted", t.CallsAThousand),
			fmt.Sprintf("%.0f for each 1,000 with these, %d written", sf.CallsAThousand, sf.Records), sf.CallsAThousand <= t.CallsAThousand+rest)
	}
	if t.Oldest == 0 {
		return
	}
	oldest, watched := 0.0, false
	for _, in := range j.run.Timeline {
		oldest = max(oldest, in.OldestAge)
		watched = watched || in.OldestAge > 0 || in.Delivered > 0 || in.Calls > 0
	}
	if !watched {
		j.note("How long registrations waited for Salesforce was not seen: say where metrics are (--metrics).")
		return
	}
	j.say(fmt.Sprintf("no registration waits for Salesforce longer than %v", t.Oldest), fmt.Sprintf("%.1f s", oldest), oldest <= t.Oldest.Seconds())
}

func named(step string) string {
	if step == "" {
		return "all requests"
	}
	return step
}

func inMilliseconds(ms float64) string {
	if ms < 10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

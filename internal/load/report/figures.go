package report

import (
	"cmp"
	"slices"

	"github.com/turnout-events/turnout/internal/load/report/plot"
	"github.com/turnout-events/turnout/internal/load/result"
)

// A figure is one of the few numbers that a run is judged by at first sight.
type figure struct {
	Name, Value string
	Also        string // what to know beside it; may be empty
	Bad         bool
}

// figures are a run's key figures; those that were not measured are left out.
func figures(run *result.Run) []figure {
	all := []figure{}
	if sent(run) > 0 {
		all = append(all, rateFigure(run), latencyFigures(run)[0], latencyFigures(run)[1], errorFigure(run))
	}
	if f, ok := acceptedFigure(run); ok {
		all = slices.Insert(all, min(1, len(all)), f)
	}
	all = append(all, seatFigures(run.Seats)...)
	if s := run.Salesforce; s != nil {
		all = append(all, callsFigure(s), drainFigure(s))
	}
	return all
}

func rateFigure(run *result.Run) figure {
	f := figure{Name: "Requests a second", Value: none}
	if run.Seconds > 0 {
		f.Value = rate(float64(sent(run)) / run.Seconds)
	}
	peak := int64(0)
	for _, i := range run.Timeline {
		peak = max(peak, i.Intended)
	}
	f.Also = plot.Group(sent(run)) + " in " + duration(run.Seconds)
	if peak > 0 {
		f.Also += ", at most " + plot.Group(peak) + "/s"
	}
	return f
}

func acceptedFigure(run *result.Run) (figure, bool) {
	n := int64(0)
	peak := int64(0)
	for _, i := range run.Timeline {
		n, peak = n+i.Accepted, max(peak, i.Accepted)
	}
	for _, o := range run.Outcomes {
		if o.What == "accepted" {
			n = o.Count
		}
	}
	if n == 0 && len(run.Outcomes) == 0 {
		return figure{}, false
	}
	f := figure{Name: "Accepted", Value: plot.Group(n)}
	if peak > 0 {
		f.Also = "at most " + plot.Group(peak) + "/s"
	}
	return f, true
}

// latencyFigures are p50 and p99: of all requests where the run has them, and
// of its slowest step otherwise.
func latencyFigures(run *result.Run) [2]figure {
	slow := slowest(run.Steps)
	if run.All.Count == 0 {
		of := "of the slowest step, " + stepName(slow)
		return [2]figure{{Name: "p50", Value: milliseconds(slow.Latency.P50), Also: of}, {Name: "p99", Value: milliseconds(slow.Latency.P99), Also: of}}
	}
	p99 := figure{Name: "p99", Value: milliseconds(run.All.P99), Also: "of all requests"}
	if len(run.Steps) > 1 {
		p99.Also += "; slowest " + stepName(slow) + ", " + milliseconds(slow.Latency.P99)
	}
	return [2]figure{{Name: "p50", Value: milliseconds(run.All.P50), Also: "of all requests"}, p99}
}

// slowest is the step with the greatest p99.
func slowest(steps []result.Step) result.Step {
	if len(steps) == 0 {
		return result.Step{}
	}
	return slices.MaxFunc(steps, func(a, b result.Step) int { return cmp.Compare(a.Latency.P99, b.Latency.P99) })
}

// stepName is a step's name, with whose it is.
func stepName(s result.Step) string {
	if s.Group == "" {
		return s.Name
	}
	return s.Name + " (" + s.Group + ")"
}

func errorFigure(run *result.Run) figure {
	n := total(errorsByKind(run.Steps))
	return figure{Name: "Errors", Value: plot.Group(n), Also: share(n, sent(run)) + " of requests", Bad: n > 0 && !run.Passed()}
}

func seatFigures(seats []result.Seats) []figure {
	if len(seats) == 0 {
		return nil
	}
	var oversold, lost, twice int64
	asked := false
	for _, s := range seats {
		oversold, lost, twice = oversold+s.Oversold, lost+s.Lost, twice+s.Twice
		asked = asked || s.Recorded >= 0
	}
	f := []figure{{Name: "Oversold", Value: plot.Group(oversold), Bad: oversold > 0}, {Name: "Lost", Value: none, Also: "Salesforce was not asked"}}
	if asked {
		f[1] = figure{Name: "Lost", Value: plot.Group(lost), Bad: lost+twice > 0, Also: plot.Group(twice) + " recorded twice"}
	}
	return f
}

func callsFigure(s *result.Salesforce) figure {
	return figure{Name: "Calls per 1,000", Value: rate(s.CallsAThousand), Also: plot.Group(s.Records) + " registrations written"}
}

func drainFigure(s *result.Salesforce) figure {
	f := figure{Name: "All in Salesforce", Value: "not yet", Bad: true}
	if s.DrainedAfter >= 0 {
		f = figure{Name: f.Name, Value: duration(s.DrainedAfter)}
	}
	f.Also = "after the last accept"
	return f
}

// errorsByKind adds up the errors of all steps, and by group where steps have
// one, the most frequent first.
func errorsByKind(steps []result.Step) []result.Count {
	byKind := map[string]int64{}
	for _, s := range steps {
		for _, e := range s.Errors {
			byKind[stepName(result.Step{Name: e.What, Group: s.Group})] += e.Count
		}
	}
	var all []result.Count
	for what, n := range byKind {
		if n > 0 {
			all = append(all, result.Count{What: what, Count: n})
		}
	}
	slices.SortFunc(all, func(a, b result.Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.What, b.What))
	})
	return all
}

func total(counts []result.Count) (n int64) {
	for _, c := range counts {
		n += c.Count
	}
	return n
}

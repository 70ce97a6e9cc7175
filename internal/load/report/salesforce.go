package report

import (
	"github.com/turnout-events/turnout/internal/load/report/plot"
	"github.com/turnout-events/turnout/internal/load/result"
)

func salesforceSection(run *result.Run) section {
	s := section{ID: "salesforce", Name: "Salesforce"}
	s.Charts = overTime("calls-over-time", run, plot.Mean,
		plot.Chart{Title: "API calls a second", About: "Calls of Salesforce's API, second by second.", Y: plot.Axis{Name: "per second"}},
		series{"calls", styleMain, func(i result.Interval) float64 { return float64(i.Calls) }})
	s.Charts = append(s.Charts, deliveryChart(run)...)
	s.Charts = append(s.Charts, overTime("waiting-over-time", run, plot.Largest,
		plot.Chart{Title: "Not yet in Salesforce", About: "Registrations that wait to be delivered, second by second.", Y: plot.Axis{Name: "registrations", Scale: plot.Whole}},
		series{"waiting", styleMain, func(i result.Interval) float64 { return float64(i.Waiting) }})...)
	s.Charts = append(s.Charts, overTime("oldest-over-time", run, plot.Largest,
		plot.Chart{Title: "Age of the oldest that waits", About: "How long ago the oldest registration that is not in Salesforce was accepted.", Y: plot.Axis{Name: "age", Write: duration}},
		series{"oldest", styleMain, func(i result.Interval) float64 { return i.OldestAge }})...)
	if run.Salesforce != nil {
		s.addBars("Calls by operation", "Operation", run.Salesforce.Calls, false)
		s.addBars("Batches by size", "Records in a call", run.Salesforce.Batches, false)
		s.Facts = salesforceFacts(run.Salesforce)
	}
	return s
}

// deliveryChart has what was accepted beside what Salesforce took, where that
// is known.
func deliveryChart(run *result.Run) []*plot.Drawing {
	known := false
	for _, i := range run.Timeline {
		known = known || i.Delivered > 0
	}
	if !known {
		return nil
	}
	return overTime("delivery-over-time", run, plot.Mean,
		plot.Chart{Title: "Accepted and delivered a second", About: "Registrations that were accepted and records that Salesforce took, second by second.", Y: plot.Axis{Name: "per second"}},
		series{"accepted", styleGood, func(i result.Interval) float64 { return float64(i.Accepted) }},
		series{"taken by Salesforce", styleMain, func(i result.Interval) float64 { return float64(i.Delivered) }})
}

func salesforceFacts(s *result.Salesforce) []fact {
	facts := []fact{
		{Name: "Registrations written", Value: plot.Group(s.Records)}, {Name: "Oldest that waited", Value: duration(s.OldestWaiting)},
		{Name: "Duplicates seen", Value: plot.Group(s.DuplicatesSeen)},
	}
	if s.MaxCallsAParent > 0 {
		facts = append(facts, fact{Name: "Calls at once to a parent", Value: "at most " + plot.Group(s.MaxCallsAParent)})
	}
	return facts
}

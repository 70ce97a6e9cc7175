package simulated

import (
	"cmp"
	"slices"

	"github.com/turnout-events/turnout/internal/load/result"
)

// registrations is what is written for visitors, registration by registration.
const (
	registrations = "Turnout_Registration__c"
	writing       = "collections_upsert"
)

// Cost is what Salesforce was asked for between two looks at its counters.
func Cost(before, after Stats) *result.Salesforce {
	s := &result.Salesforce{
		DuplicatesSeen: after.Duplicates - before.Duplicates, MaxCallsAParent: after.AtOnce, DrainedAfter: -1,
		Calls: []result.Count{}, Batches: []result.Count{},
	}
	for what, n := range after.Calls {
		if n -= before.Calls[what]; n > 0 {
			s.Calls = append(s.Calls, result.Count{What: what, Count: n})
		}
	}
	slices.SortFunc(s.Calls, func(a, b result.Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.What, b.What))
	})
	s.Records = after.Records[registrations] - before.Records[registrations]
	calls := batches(s, before.Batches[writing], after.Batches[writing])
	if s.Records > 0 {
		s.CallsAThousand = 1000 * float64(calls) / float64(s.Records)
	}
	return s
}

// batches sorts the calls that wrote registrations by size, and counts them.
func batches(s *result.Salesforce, before, after []BatchSize) (calls int64) {
	sizes := []struct {
		what string
		most int64
	}{{"1", 1}, {"2 to 5", 5}, {"6 to 50", 50}, {"51 to 200", 200}}
	counts := make([]int64, len(sizes))
	add := func(all []BatchSize, sign int64) {
		for _, b := range all {
			calls += sign * b.Count
			i := slices.IndexFunc(sizes, func(x struct {
				what string
				most int64
			}) bool {
				return b.Size <= x.most
			})
			if i < 0 {
				i = len(sizes) - 1
			}
			counts[i] += sign * b.Count
		}
	}
	add(after, 1)
	add(before, -1)
	for i, x := range sizes {
		s.Batches = append(s.Batches, result.Count{What: x.what, Count: counts[i]})
	}
	return calls
}

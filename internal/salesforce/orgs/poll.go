package orgs

import (
	"cmp"
	"maps"

	"net/url"
	"slices"
	"time"

	"github.com/turnout-events/turnout/internal/salesforce"
)

// How long after its SystemModstamp a record may still become visible: a
// transaction stamps its records before it commits, and one of Apex may take
// ten minutes (Apex Developer Guide, "Execution Governors and Limits"). What is
// read again for that costs rows, not calls, and callers skip what they know.
const (
	settle = 10 * time.Minute
	// settleEvents is short, since whoever polls events asks for an overlap of
	// minutes anyway.
	settleEvents = 30 * time.Second
)

// cursor finds out where the next poll starts.
type cursor struct {
	since, latest time.Time
	// horizon bounds it: nothing later is known to be complete.
	horizon func() time.Time
}

// cursor begins a poll. It is made before the first query: what changes while
// a result is being read may be missing from it, however long that takes.
func (o *Org) cursor(since time.Time, settle time.Duration) *cursor {
	began, clock := o.now(), o.client.Clock()
	return &cursor{since: since, horizon: func() time.Time {
		// Before the first reply Salesforce's clock was not known.
		if known := o.client.Clock().Add(-o.now().Sub(began)); known.Before(clock) {
			clock = known
		}
		return clock.Add(-settle).Truncate(time.Second)
	}}
}

func (c *cursor) see(t time.Time) {
	if t.After(c.latest) {
		c.latest = t
	}
}

// next is the time to poll from after everything was seen. A stamp that has
// settled is left behind, so that a quiet org's poll is one empty page.
func (c *cursor) next() time.Time { return c.upTo(c.latest.Add(time.Millisecond)) } // Salesforce stores no less than that

// broken is the time to poll from after an ordered result broke off.
func (c *cursor) broken() time.Time { return c.upTo(c.latest) }

func (c *cursor) upTo(next time.Time) time.Time {
	if c.latest.IsZero() {
		return c.since
	}
	if horizon := c.horizon(); next.After(horizon) {
		next = horizon
	}
	if next.Before(c.since) {
		return c.since
	}
	return next
}

// after is the condition of a poll.
func after(since time.Time) string { return "SystemModstamp >= " + salesforce.Time(since) }

// split cuts values into lists that fit one query's URL beside base, each with
// at most limit of them.
func split(base string, values []string, limit int) [][]string {
	room := salesforce.MaxQuery - len(url.QueryEscape(base))
	var out [][]string
	used := 0
	for _, v := range values {
		cost := len(url.QueryEscape(salesforce.Quote(v) + ","))
		if len(out) == 0 || used+cost > room || len(out[len(out)-1]) == limit {
			out = append(out, nil)
			used = 0
		}
		used += cost
		out[len(out)-1] = append(out[len(out)-1], v)
	}
	return out
}

// recordIDs normalises ids and leaves out what is none, and repetitions.
func recordIDs[S ~string](ids []S) []string {
	seen := map[string]bool{}
	var out []string
	for _, raw := range ids {
		if id := salesforce.ID(string(raw)); id != "" && !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// sorted are the keys of m in order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

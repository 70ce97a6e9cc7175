//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// P4, P1: what gathered over five parents while Salesforce was away goes out in at
// most ten calls for 1,000, one call at a time under a parent and five at once,
// and is there once each. How long that takes is said and not judged here: the
// machine is shared (docs/performance.md).
func TestP4BacklogOverFiveParents(t *testing.T) {
	const parents, each = 5, 1000
	d := startDemo(t)
	for _, way := range []struct {
		name, faults string
		calls        int // for 1,000; an answer that was lost, or a call that failed, is made again
	}{
		{"calm", `{"latency_ms": 150}`, 10},
		{"rough", `{"latency_ms": 150, "error_rate": 0.1, "lose_reply_rate": 0.05}`, 0},
	} {
		var slugs, ids []string
		for p := range parents {
			slugs = append(slugs, fmt.Sprintf("%s-%d", way.name, p))
			ids = append(ids, d.event(slugs[p], -1, nil))
		}
		d.sim(http.MethodPut, "/_sim/faults", `{"outage_seconds": 3600}`, nil)
		acknowledged := d.gather(slugs, each)
		d.sim(http.MethodDelete, "/_sim/stats", "", nil)
		d.sim(http.MethodPut, "/_sim/faults", way.faults, nil)
		took := d.untilThere(parents * each)
		s := d.stats()
		calls := s.Calls["collections_upsert"]
		t.Logf("%s: %d are in Salesforce %v after the first call, in %d calls", way.name, parents*each, took.Round(10*time.Millisecond), calls)
		if way.calls > 0 && calls*1000 > way.calls*parents*each {
			t.Errorf("P4: %d calls for %d that waited: %v", calls, parents*each, s.Batches)
		}
		if s.MaxInFlight != 1 {
			t.Errorf("P4: %d calls at once under one parent", s.MaxInFlight)
		}
		d.sim(http.MethodPut, "/_sim/faults", `{}`, nil)
		pass(11 * time.Second) // as long as any retry waits
		for p, id := range ids {
			arrived := d.arrived(id) // an error where a key is there twice
			for key := range acknowledged[p] {
				if arrived[key] == nil {
					t.Errorf("P1: %s was acknowledged and is not in Salesforce", key)
				}
			}
			if len(arrived) != each || len(acknowledged[p]) != each {
				t.Errorf("P1: %d acknowledged of %s, %d in Salesforce, want %d", len(acknowledged[p]), slugs[p], len(arrived), each)
			}
		}
	}
}

// gather registers so many for each event, and returns what was acknowledged.
func (d *demo) gather(slugs []string, each int) []map[string]bool {
	d.t.Helper()
	acknowledged := make([]map[string]bool, len(slugs))
	var clients sync.WaitGroup
	var mu sync.Mutex
	for p, slug := range slugs {
		acknowledged[p] = map[string]bool{}
		for c := range 10 {
			clients.Go(func() {
				for i := range each / 10 {
					key := fmt.Sprintf("%s-%d-%d", slug, c, i)
					if r, err := d.register(slug, key, nil); err == nil && r.status == http.StatusCreated {
						mu.Lock()
						acknowledged[p][key] = true
						mu.Unlock()
					}
				}
			})
		}
	}
	clients.Wait()
	return acknowledged
}

// untilThere waits until so many more records are in Salesforce, and tells how long
// after the first call for them the last was there.
func (d *demo) untilThere(n int) time.Duration {
	d.t.Helper()
	before := d.stats().Records["Turnout_Registration__c"]
	var first time.Time
	d.within(3*time.Minute, fmt.Sprintf("%d registrations in Salesforce", n), func() bool {
		s := d.stats()
		if first.IsZero() && s.Calls["collections_upsert"] > 0 {
			first = time.Now()
		}
		return s.Records["Turnout_Registration__c"]-before >= n
	})
	return time.Since(first)
}

// Package result is what a run of load measured, as data: what the engine of
// internal/load fills, what reports show, and what the JSON file holds. All
// latencies count from the time at which a request was meant to be sent
// (DESIGN.md, "Measuring"), so a target that stalls cannot hide it.
package result

import "time"

// A Run is one run of one scenario, whole or interrupted.
type Run struct {
	Scenario    string    `json:"scenario"`
	About       string    `json:"about"` // one sentence on what the scenario does
	Target      string    `json:"target"`
	Version     string    `json:"version"`
	Seed        uint64    `json:"seed"`
	Began       time.Time `json:"began"`
	Seconds     float64   `json:"seconds"`     // from the first intended request to the last answer
	Interrupted bool      `json:"interrupted"` // Ctrl-C: what follows is what there was by then

	Steps      []Step      `json:"steps"`      // by kind of request, in the scenario's order
	All        Latency     `json:"all"`        // of all requests together; a Count of 0 where it is not known
	Timeline   []Interval  `json:"timeline"`   // one for each second
	Outcomes   []Count     `json:"outcomes"`   // of submissions: accepted, waitlisted, full, declined, …
	Seats      []Seats     `json:"seats"`      // what the run proved of seats; empty where it did not look
	Salesforce *Salesforce `json:"salesforce"` // nil where the target's simulator is not known
	Usage      []Usage     `json:"usage"`      // the instance's resources over time; empty where its metrics are not known
	Pages      []Page      `json:"pages"`      // a verdict page by page; smoke alone
	Verdicts   []Verdict   `json:"verdicts"`   // the scenario's thresholds
	Notes      []string    `json:"notes"`      // what a reader has to know, in whole sentences
}

// Passed tells whether every threshold was met and every page was right. An
// interrupted run has not passed.
func (r *Run) Passed() bool {
	for _, v := range r.Verdicts {
		if !v.Met {
			return false
		}
	}
	for _, p := range r.Pages {
		if p.Fault != "" {
			return false
		}
	}
	return !r.Interrupted
}

// A Step is one kind of request: "open the link", "submit".
type Step struct {
	Name    string  `json:"name"`
	Group   string  `json:"group"` // whose requests: "visitors", "scanners", "abuser", "victim, quiet"; may be empty
	Sent    int64   `json:"sent"`
	Errors  []Count `json:"errors"` // by kind: "timeout", "refused", "status 503", "wrong page", …
	Latency Latency `json:"latency"`
}

// Latency is a distribution, in milliseconds.
type Latency struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
	// Curve is for plotting: milliseconds below which a share of the requests
	// stayed, at rising shares.
	Curve []Quantile `json:"curve"`
}

// A Quantile says that a share (0 to 1) of requests took at most so long.
type Quantile struct {
	Share        float64 `json:"share"`
	Milliseconds float64 `json:"milliseconds"`
}

// An Interval is one second of a run. Latencies are those of requests that were
// meant to be sent in it; 0 where there was none.
type Interval struct {
	Second    int     `json:"second"`   // since the run began
	Intended  int64   `json:"intended"` // requests meant to be sent
	Answered  int64   `json:"answered"`
	Errors    int64   `json:"errors"`
	Accepted  int64   `json:"accepted"` // registrations acknowledged
	P50       float64 `json:"p50"`      // milliseconds
	P99       float64 `json:"p99"`
	Max       float64 `json:"max"`
	InFlight  int64   `json:"in_flight"`  // the most requests under way at once
	Sessions  int64   `json:"sessions"`   // the most visitors at work at once
	Calls     int64   `json:"calls"`      // Salesforce API calls in this second; 0 where unknown
	Delivered int64   `json:"delivered"`  // records that Salesforce took in this second
	Waiting   int64   `json:"waiting"`    // registrations not yet in Salesforce, from the target's metrics
	OldestAge float64 `json:"oldest_age"` // seconds, of the oldest of them
}

// A Count is how often something was seen.
type Count struct {
	What  string `json:"what"`
	Count int64  `json:"count"`
}

// Seats is what a run proved about an event's (or ticket's) seats.
type Seats struct {
	What         string `json:"what"`         // the event's slug, with the ticket's name
	Limit        int64  `json:"limit"`        // 0 where there is none
	Acknowledged int64  `json:"acknowledged"` // accepted in a visitor's eyes
	Recorded     int64  `json:"recorded"`     // in Salesforce, -1 where not asked
	Oversold     int64  `json:"oversold"`
	Lost         int64  `json:"lost"`  // acknowledged and not in Salesforce
	Twice        int64  `json:"twice"` // in Salesforce more than once
}

// Salesforce is what the run cost there.
type Salesforce struct {
	Calls           []Count `json:"calls"`            // by operation
	Batches         []Count `json:"batches"`          // by size: "1", "2 to 5", "6 to 50", "51 to 200"
	Records         int64   `json:"records"`          // registrations written
	CallsAThousand  float64 `json:"calls_a_thousand"` // calls that wrote, for each 1,000 registrations
	OldestWaiting   float64 `json:"oldest_waiting"`   // seconds, the most that was seen
	DrainedAfter    float64 `json:"drained_after"`    // seconds from the last accept until nothing waited; -1 when it did not
	DuplicatesSeen  int64   `json:"duplicates_seen"`
	MaxCallsAParent int64   `json:"max_calls_a_parent"` // in flight at once
}

// A Usage is what one process held at a time.
type Usage struct {
	Second     int    `json:"second"`
	Process    string `json:"process"` // "instance 1", "edge"
	Memory     int64  `json:"memory"`  // resident bytes
	Goroutines int64  `json:"goroutines"`
	Files      int64  `json:"files"` // open file handles
	Store      int64  `json:"store"` // bytes on disk, 0 where unknown
}

// A Page is smoke's verdict on one route.
type Page struct {
	Method       string  `json:"method"`
	Route        string  `json:"route"` // as DESIGN.md writes it: "/l/TOKEN", never a real token
	Status       int     `json:"status"`
	Milliseconds float64 `json:"milliseconds"`
	Bytes        int64   `json:"bytes"`
	Fault        string  `json:"fault"` // empty when right; else what to look at
}

// A Verdict is one threshold and what was measured for it.
type Verdict struct {
	Threshold string `json:"threshold"` // "p99 of submit at most 500 ms"
	Measured  string `json:"measured"`  // "212 ms"
	Met       bool   `json:"met"`
}

// Package measure gathers what becomes of requests while a run of load goes on:
// how many were meant to be sent, how long each took since then, what failed. Its
// memory does not grow with the number of requests.
//
// Times are those since the run began. A latency counts from the time at which its
// request was meant to be sent, and is shown in that second of the timeline, however
// late it was sent and answered.
package measure

import (
	"slices"
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"github.com/turnout-events/turnout/internal/load/result"
)

// longest is the largest latency that is told from larger ones.
const longest = time.Hour

// newHistogram counts microseconds, precise to so many digits.
func newHistogram(digits int) *hdr.Histogram {
	return hdr.New(1, longest.Microseconds(), digits)
}

// A Recorder gathers. Safe for concurrent use.
type Recorder struct {
	mu       sync.Mutex
	steps    []*step
	outcomes counts
	seconds  []result.Interval
	// open are the latencies of seconds of which answers are still out, by second.
	open map[int]*hdr.Histogram
	// closed is the last second that was summed up, -1 for none.
	closed int
	// since the last Live
	recent           *hdr.Histogram
	recently, faulty int64
	// of the whole run
	all, lateness                *hdr.Histogram
	inFlight, sessions, accepted int64
	faults, mostAtOnce           int64
	// the most of this second
	mostInFlight, mostSessions int64
	lastEnd                    time.Duration
}

type step struct {
	name, group string
	sent        int64
	errors      counts
	latency     *hdr.Histogram
}

// New makes a recorder.
func New() *Recorder {
	return &Recorder{open: map[int]*hdr.Histogram{}, closed: -1, recent: newHistogram(2), all: newHistogram(3), lateness: newHistogram(2)}
}

// Step names one kind of request, in the order in which they are to be shown, and
// gives the number by which Done knows it. The same name and group give the same.
func (r *Recorder) Step(name, group string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, s := range r.steps {
		if s.name == name && s.group == group {
			return i
		}
	}
	r.steps = append(r.steps, &step{name: name, group: group, latency: newHistogram(3)})
	return len(r.steps) - 1
}

// An Observation is one request and what became of it.
type Observation struct {
	// Step is its kind, as Step gave it.
	Step int
	// Intended is when it was meant to be sent, Sent when it was, Ended when its
	// answer was read whole or given up.
	Intended, Sent, Ended time.Duration
	// Fault is what was wrong with the answer, in words that are the same for all of
	// a kind; "" for nothing.
	Fault string
	// Unanswered: nothing came at all, and not for want of time (a refused
	// connection). It has no latency, or failing fast would look like being fast.
	Unanswered bool
}

// Begin counts a request that is being sent.
func (r *Recorder) Begin(intended time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.second(intended).Intended++
	r.inFlight++
	r.mostInFlight = max(r.mostInFlight, r.inFlight)
}

// Done counts what became of it.
func (r *Recorder) Done(o Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight--
	s, in := r.steps[o.Step], r.second(o.Intended)
	s.sent++
	late := micros(o.Sent - o.Intended)
	_ = r.lateness.RecordValue(late) // a value is made to fit
	if o.Fault != "" {
		s.errors.add(o.Fault, 1)
		in.Errors++
		r.faults++
		r.faulty++
	}
	r.lastEnd = max(r.lastEnd, o.Ended)
	r.recently++
	if o.Unanswered {
		return
	}
	in.Answered++
	took := micros(o.Ended - o.Intended)
	_ = s.latency.RecordValue(took)
	_ = r.recent.RecordValue(took)
	_ = r.all.RecordValue(took)
	n := int(o.Intended / time.Second)
	if n <= r.closed { // long summed up: an answer that came very late
		in.Max = max(in.Max, milliseconds(took))
		return
	}
	if r.open[n] == nil {
		r.open[n] = newHistogram(2)
	}
	_ = r.open[n].RecordValue(took)
}

// Dropped takes back a Begin: the run was interrupted before there was an answer.
func (r *Recorder) Dropped(intended time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight--
	r.second(intended).Intended--
}

// Never counts a request that was meant to be sent and was not, for want of room
// on the generator's side.
func (r *Recorder) Never(step int, intended time.Duration, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.second(intended)
	in.Intended++
	in.Errors++
	r.faults++
	r.faulty++
	r.steps[step].errors.add(why, 1)
}

// Outcome counts what became of a submission.
func (r *Recorder) Outcome(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes.add(what, 1)
}

// Acknowledged counts a registration that was acknowledged at a time.
func (r *Recorder) Acknowledged(at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.second(at).Accepted++
	r.accepted++
}

// Visitors counts visitors who come (1) and leave (-1).
func (r *Recorder) Visitors(change int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions += change
	r.mostAtOnce = max(r.mostAtOnce, r.sessions)
	r.mostSessions = max(r.mostSessions, r.sessions)
}

// second is the interval of a time.
func (r *Recorder) second(at time.Duration) *result.Interval {
	n := max(0, int(at/time.Second))
	for len(r.seconds) <= n {
		r.seconds = append(r.seconds, result.Interval{Second: len(r.seconds)})
	}
	return &r.seconds[n]
}

// Seen is what others counted in a second: the target's metrics and its Salesforce.
type Seen struct {
	Calls, Delivered, Waiting int64
	OldestAge                 float64
}

// keepOpen is how many seconds' latencies are kept apart for answers still out.
const keepOpen = 40

// Tick ends a second: the most that was under way at once is noted in it, and
// latencies of seconds long ago are summed up.
func (r *Recorder) Tick(now time.Duration, seen Seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.second(now - time.Second)
	in.InFlight, in.Sessions = r.mostInFlight, r.mostSessions
	r.mostInFlight, r.mostSessions = r.inFlight, r.sessions
	in.Calls += seen.Calls
	in.Delivered += seen.Delivered
	in.Waiting, in.OldestAge = seen.Waiting, seen.OldestAge
	r.closed = max(r.closed, int(now/time.Second)-keepOpen)
	for n, h := range r.open {
		if n <= r.closed {
			r.sumUp(n, h)
		}
	}
}

// sumUp writes a second's latencies into its interval and frees them.
func (r *Recorder) sumUp(n int, h *hdr.Histogram) {
	in := &r.seconds[n]
	in.P50, in.P99 = milliseconds(h.ValueAtQuantile(50)), milliseconds(h.ValueAtQuantile(99))
	in.Max = max(in.Max, milliseconds(h.Max()))
	delete(r.open, n)
}

// Live is how a run goes.
type Live struct {
	// Requests and Faults of the time since the last Live; P50 and P99 of their
	// answers, in milliseconds.
	Requests, Faults   int64
	P50, P99           float64
	InFlight, Sessions int64
	// Accepted and AllFaults are of the whole run.
	Accepted, AllFaults int64
}

// Live tells how it goes since it was last asked.
func (r *Recorder) Live() Live {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := Live{Requests: r.recently, Faults: r.faulty, InFlight: r.inFlight, Sessions: r.sessions, Accepted: r.accepted, AllFaults: r.faults}
	if r.recent.TotalCount() > 0 {
		l.P50, l.P99 = milliseconds(r.recent.ValueAtQuantile(50)), milliseconds(r.recent.ValueAtQuantile(99))
	}
	r.recently, r.faulty = 0, 0
	r.recent.Reset()
	return l
}

// Lateness is how late the generator itself sent, in milliseconds: half of the
// requests, 99 of 100, and the latest; and the most visitors that were there at once.
func (r *Recorder) Lateness() (p50, p99, most float64, visitors int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lateness.TotalCount() == 0 {
		return 0, 0, 0, r.mostAtOnce
	}
	return milliseconds(r.lateness.ValueAtQuantile(50)), milliseconds(r.lateness.ValueAtQuantile(99)), milliseconds(r.lateness.Max()), r.mostAtOnce
}

// Into writes all that was gathered into a run. Nothing is recorded afterwards.
func (r *Recorder) Into(run *result.Run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n, h := range r.open {
		r.sumUp(n, h)
	}
	for _, s := range r.steps {
		if s.sent > 0 || len(s.errors) > 0 {
			run.Steps = append(run.Steps, result.Step{Name: s.name, Group: s.group, Sent: s.sent, Errors: s.errors.sorted(), Latency: latency(s.latency)})
		}
	}
	run.All = latency(r.all)
	run.Timeline = slices.Clone(r.seconds)
	run.Outcomes = r.outcomes.sorted()
	run.Seconds = r.lastEnd.Seconds()
}

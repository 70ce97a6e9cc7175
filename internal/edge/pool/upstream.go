// Package pool is the instances that the edge spreads sessions over: how each
// of them is, and which one a session is given.
//
// An upstream is *down* when probes find nobody there, and gets nothing while
// another is up. It is *ejected* when it answers and too much of that fails: it
// gets no new sessions for a while, unless so many are ejected that the trouble
// is not theirs. It is *draining* when it says so or an operator does: it keeps
// its sessions until a deadline and gets no new ones.
package pool

import (
	"math"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/limit"
)

// Exchange sends requests to one upstream.
type Exchange interface {
	http.RoundTripper
	// Break ends everything under way there, with cause.
	Break(cause error)
	Close() error
}

// Condition is how an upstream is.
type Condition string

// The conditions, best first.
const (
	Up       Condition = "up"
	Draining Condition = "draining"
	Ejected  Condition = "ejected"
	Down     Condition = "down"
)

// Upstream is one instance. Safe for concurrent use.
type Upstream struct {
	Name   string
	Origin *url.URL
	// Handle names it in sessions.
	Handle   uint64
	Exchange Exchange
	// Places is how many requests it may have at once, learnt from how long they take.
	Places *limit.Adaptive

	// latency is smoothed, in nanoseconds: the bits of a float64, 0 for unknown.
	latency atomic.Uint64
	// answered is when latency was last measured, in nanoseconds since 1970.
	answered atomic.Int64
	// away is the smoothed time of a probe, in nanoseconds, 0 for unknown.
	away atomic.Int64
	// heard is when it last answered anything, in nanoseconds since 1970.
	heard atomic.Int64
	// Requests, Failures, and Sessions that began here or moved here.
	Requests, Failures, Sessions atomic.Int64

	mu     sync.Mutex
	health health
	// since is when it last came up; a newcomer gets its full part by and by.
	since time.Time
	// drain is until when it keeps its sessions; zero means that it does not
	// drain. Its own word and an operator's are kept apart: one ends without
	// the other.
	drainSaid, drainTold time.Time
}

// slowStart is how long a newcomer takes to get its full part of new sessions.
const slowStart = 10 * time.Second

// State is an upstream at one moment.
type State struct {
	Condition Condition
	// Deadline is until when a draining one keeps its sessions.
	Deadline time.Time
	// Weight is its part of new sessions, in (0,1].
	Weight float64
}

// NewUpstream makes an upstream that counts as up and settled: what was there
// when the edge started is no newcomer.
func NewUpstream(name string, origin *url.URL, x Exchange) *Upstream {
	return &Upstream{
		Name: name, Origin: origin, Handle: affinity.Handle(name), Exchange: x,
		Places: limit.NewAdaptive(limit.AdaptiveOptions{Initial: 256, Min: 16, Max: 4096}),
	}
}

// State tells how it is.
func (u *Upstream) State(now time.Time) State {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := State{Condition: Up, Weight: 1, Deadline: u.drainSaid}
	if u.drainTold.After(s.Deadline) {
		s.Deadline = u.drainTold
	}
	switch {
	case u.health.down:
		s.Condition = Down
	case now.Before(u.health.ejected):
		s.Condition = Ejected
	case !s.Deadline.IsZero():
		s.Condition = Draining
	}
	if age := now.Sub(u.since); age < slowStart {
		s.Weight = max(0.05, float64(age)/float64(slowStart))
	}
	return s
}

// smoothing is the least weight of one answer in the smoothed latency; fades is
// in what time what was measured loses half of its own: a slow first answer is
// not to keep an instance idle for good.
const (
	smoothing = 0.1
	fades     = 5 * time.Second
	// quickest is what nobody counts as quicker than, and what is not known yet
	// counts as, so that chance decides between those that are idle: a part of a
	// millisecond says nothing about the hours of a session.
	quickest = 2 * time.Millisecond
)

// left is what is left of the weight of what was last measured, in (0,1].
func (u *Upstream) left(now time.Time) float64 {
	idle := max(0, now.UnixNano()-u.answered.Load())
	return math.Exp2(-float64(idle) / float64(fades))
}

// Answered counts an answer to an org's request (see Key) that took a time, and
// reports whether it got the upstream ejected.
func (u *Upstream) Answered(org uint64, took time.Duration, failed bool, now time.Time) bool {
	u.heard.Store(now.UnixNano())
	u.Requests.Add(1)
	if failed {
		u.Failures.Add(1)
	}
	old := math.Float64frombits(u.latency.Load())
	fresh := float64(took)
	if old != 0 {
		fresh = old + max(smoothing, 1-u.left(now))*(fresh-old)
	}
	u.answered.Store(now.UnixNano())
	u.latency.Store(math.Float64bits(fresh)) // of two at once one is lost, which smooths, too
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.health.answered(org, failed, now)
}

// Lost counts a request that got no answer.
func (u *Upstream) Lost(now time.Time) bool {
	u.Requests.Add(1)
	u.Failures.Add(1)
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.health.answered(0, true, now)
}

// Latency is the smoothed time to an answer, 0 for unknown.
func (u *Upstream) Latency() time.Duration {
	return time.Duration(math.Float64frombits(u.latency.Load()))
}

// Probed notes what a probe found: nobody, or somebody who drains until a time
// (zero: does not). It reports whether the upstream went down or came back.
func (u *Upstream) Probed(there bool, drain time.Time, now time.Time) (went, came bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	went, came = u.health.probed(there)
	if there {
		u.drainSaid = drain
		u.heard.Store(now.UnixNano())
	}
	if went {
		u.drainSaid = time.Time{} // whoever comes back is somebody else
	}
	if came {
		u.since = now
		u.Places.Reset() // what was learnt while it went says nothing of it now
	}
	return went, came
}

// HeardFrom reports whether it ever answered anything.
func (u *Upstream) HeardFrom() bool { return u.heard.Load() != 0 }

// measured smooths the time that a probe took. One goroutine probes an upstream.
func (u *Upstream) measured(took time.Duration) {
	old := time.Duration(u.away.Load())
	if old != 0 {
		took = old + time.Duration(smoothing*float64(took-old))
	}
	u.away.Store(int64(took))
}

// Drain keeps new sessions away, and those that are there until deadline. The
// zero time ends that.
func (u *Upstream) Drain(deadline time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.drainTold = deadline
}

// Joins says that it has just been added, so that it starts slowly.
func (u *Upstream) Joins(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.since = now
}

// IsDown reports whether probes find nobody there.
func (u *Upstream) IsDown() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.health.down
}

// load is how busy it looks to a new session; less is better.
func (u *Upstream) load(now time.Time) float64 {
	latency := max(math.Float64frombits(u.latency.Load())*u.left(now), float64(quickest))
	return (float64(u.Places.InFlight()) + 1) * latency
}

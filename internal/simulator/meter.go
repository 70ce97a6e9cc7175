package simulator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/misbehave"
	"github.com/turnout-events/turnout/internal/simulator/tally"
)

const (
	// longRequest and maxLongRequests: an org may have 25 requests running
	// that took 20 seconds or more.
	longRequest     = 20 * time.Second
	maxLongRequests = 25
)

// BatchSize counts calls that carried so many records.
type BatchSize struct {
	Size  int `json:"size"`
	Count int `json:"count"`
}

// Stats is the answer of GET /_sim/stats.
type Stats struct {
	Calls      map[string]int         `json:"calls"`
	APIUsage   int                    `json:"api_usage"`
	Records    map[string]int         `json:"records"`
	Duplicates int                    `json:"duplicates"` // rows refused because a key was there already
	MaxPerLock int                    `json:"max_in_flight_per_parent"`
	Lost       int                    `json:"lost_replies"`  // calls that were done and not answered
	Locked     int                    `json:"lock_refusals"` // calls refused with UNABLE_TO_LOCK_ROW
	Batches    map[string][]BatchSize `json:"batches"`
}

// meter counts what was asked of the org.
type meter struct {
	now func() time.Time

	mu      sync.Mutex
	counts  tally.Counts
	fresh   bool // something was counted since keep
	running map[int]time.Time
	next    int
}

func newMeter(now func() time.Time) *meter {
	m := &meter{now: now, running: map[int]time.Time{}}
	m.set(tally.Counts{})
	return m
}

func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(tally.Counts{})
	m.fresh = true
}

// set takes counters over, with maps that can be counted in.
func (m *meter) set(counts tally.Counts) {
	if counts.Calls == nil {
		counts.Calls = map[string]int{}
	}
	if counts.Batches == nil {
		counts.Batches = map[string]map[int]int{}
	}
	if counts.Hours == nil {
		counts.Hours = map[int64]int{}
	}
	m.counts = counts
}

// restore goes on from what a directory keeps.
func (m *meter) restore(dir string) error {
	counts, err := tally.Load(dir)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(counts)
	return nil
}

// keep writes the counters to a directory when they changed.
func (m *meter) keep(dir string) error {
	m.mu.Lock()
	fresh, counts := m.fresh, m.counts.Clone()
	m.fresh = false
	m.mu.Unlock()
	if !fresh {
		return nil
	}
	err := tally.Save(dir, counts) // calls are counted meanwhile
	if err != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.fresh = true
	}
	return err
}

func (m *meter) count(operation string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.Calls[operation]++
	m.fresh = true
}

func (m *meter) batch(operation string, size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts.Batches[operation] == nil {
		m.counts.Batches[operation] = map[int]int{}
	}
	m.counts.Batches[operation][size]++
	m.fresh = true
}

func (m *meter) refusedDuplicates(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.Duplicates += n
	m.fresh = true
}

// lost notes a call that was done and not answered.
func (m *meter) lost() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.Lost++
	m.fresh = true
}

// locked notes a call that was refused for a row lock.
func (m *meter) locked() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.Locked++
	m.fresh = true
}

// heldBy notes how many calls were at one parent at the same time.
func (m *meter) heldBy(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.MaxPerLock = max(m.counts.MaxPerLock, n)
	m.fresh = true
}

// begin notes that a request runs; the function it returns, that it ended.
func (m *meter) begin() func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	number := m.next
	m.running[number] = m.now()
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.running, number)
	}
}

// use takes one request from the day's allowance. It answers why not, or "".
func (m *meter) use(f misbehave.Faults) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	long := 0
	for _, started := range m.running {
		if m.now().Sub(started) >= longRequest {
			long++
		}
	}
	if long >= maxLongRequests {
		return "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
	}
	if m.usedLocked() >= f.Limit() {
		return "TotalRequests Limit exceeded."
	}
	m.counts.Hours[m.now().Unix()/3600]++
	m.fresh = true
	return ""
}

func (m *meter) usedLocked() int {
	oldest := m.now().Unix()/3600 - 24
	used := 0
	for hour, n := range m.counts.Hours {
		if hour <= oldest {
			delete(m.counts.Hours, hour)
			continue
		}
		used += n
	}
	return used
}

// usage is the requests of the last 24 hours and how many there may be.
func (m *meter) usage(f misbehave.Faults) (used, most int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.usedLocked(), f.Limit()
}

func (m *meter) limitInfo(f misbehave.Faults) string {
	used, most := m.usage(f)
	return fmt.Sprintf("api-usage=%d/%d", used, most)
}

// stats copies the counters; the caller fills in the records.
func (m *meter) stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := Stats{Calls: maps.Clone(m.counts.Calls), APIUsage: m.usedLocked(), Duplicates: m.counts.Duplicates, MaxPerLock: m.counts.MaxPerLock, Lost: m.counts.Lost, Locked: m.counts.Locked,
		Records: map[string]int{}, Batches: map[string][]BatchSize{}}
	for operation, sizes := range m.counts.Batches {
		for _, size := range slices.Sorted(maps.Keys(sizes)) {
			out.Batches[operation] = append(out.Batches[operation], BatchSize{size, sizes[size]})
		}
	}
	return out
}

// locks are the parent records that calls in flight hold.
type locks struct {
	mu sync.Mutex
	by map[string]*lock
}

type lock struct {
	owner *holder
	calls int // calls at this parent, refused ones included
}

func newLocks() *locks { return &locks{by: map[string]*lock{}} }

// holder is one HTTP request or bulk chunk with what it holds.
type holder struct {
	locks  *locks
	ctx    context.Context
	faults misbehave.Faults
	waited bool
	held   map[string]bool
}

func (l *locks) holder(ctx context.Context, f misbehave.Faults) *holder {
	return &holder{locks: l, ctx: ctx, faults: f, held: map[string]bool{}}
}

// take marks the parents as touched by this call. It names one that another
// call holds, or "", and the most calls that are at any of them now.
func (h *holder) take(parents []string) (contested string, most int) {
	h.locks.mu.Lock()
	defer h.locks.mu.Unlock()
	for _, parent := range parents {
		if h.held[parent] {
			continue
		}
		h.held[parent] = true
		at := h.locks.by[parent]
		if at == nil {
			at = &lock{}
			h.locks.by[parent] = at
		}
		at.calls++
		most = max(most, at.calls)
		if at.owner == nil {
			at.owner = h
		}
	}
	for _, parent := range parents {
		if h.locks.by[parent].owner != h {
			return parent, most
		}
	}
	return "", most
}

// release lets go of everything.
func (h *holder) release() {
	h.locks.mu.Lock()
	defer h.locks.mu.Unlock()
	for parent := range h.held {
		at := h.locks.by[parent]
		if at.calls--; at.calls == 0 {
			delete(h.locks.by, parent)
			continue
		}
		if at.owner == h {
			at.owner = nil
		}
	}
	clear(h.held)
}

// wait spends the latency that was asked for, once per request.
func (h *holder) wait() {
	if h.waited || h.faults.LatencyMS <= 0 {
		return
	}
	h.waited = true
	timer := time.NewTimer(time.Duration(h.faults.LatencyMS) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-h.ctx.Done():
	}
}

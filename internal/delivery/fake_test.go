package delivery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

// queue is the store's side of delivery, in memory.
type queue struct {
	mu    sync.Mutex
	rows  []*turnout.Registration
	lanes map[turnout.EventID]*laneRow
}

type laneRow struct {
	lane             turnout.Lane
	fence            int64
	until, notBefore time.Time
}

func newQueue() *queue { return &queue{lanes: map[turnout.EventID]*laneRow{}} }

func (q *queue) add(event turnout.EventID, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if q.lanes[event] == nil {
		q.lanes[event] = &laneRow{lane: turnout.Lane{ID: int64(len(q.lanes) + 1), Org: "acme", Event: event}}
	}
	for range n {
		key := turnout.Key(fmt.Sprintf("%s-%d", event, len(q.rows)))
		q.rows = append(q.rows, &turnout.Registration{Org: "acme", Event: event, Key: key, Revision: 1, Due: now, ChangedAt: now, Status: turnout.StatusRegistered,
			Person: turnout.PersonID{1}, Sealed: []byte("sealed")})
	}
}

func (q *queue) due(event turnout.EventID, now time.Time) []*turnout.Registration {
	var due []*turnout.Registration
	for _, r := range q.rows {
		if r.Event == event && !r.Due.IsZero() && !r.Due.After(now) {
			due = append(due, r)
		}
	}
	return due
}

func (q *queue) Lanes(_ context.Context, now time.Time, count int) ([]turnout.LaneStatus, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []turnout.LaneStatus
	for _, event := range slices.Sorted(maps.Keys(q.lanes)) {
		l := q.lanes[event]
		all = q.status(all, l, now, count)
	}
	return all, nil
}

func (q *queue) status(all []turnout.LaneStatus, l *laneRow, now time.Time, count int) []turnout.LaneStatus {
	waiting := q.due(l.lane.Event, now.Add(1000*time.Hour))
	if len(waiting) == 0 {
		return all
	}
	due := q.due(l.lane.Event, now)
	var since time.Time
	if len(due) > 0 {
		since = due[0].ChangedAt
	}
	return append(all, turnout.LaneStatus{
		Lane: l.lane, Waiting: min(len(due), count), Due: since, Oldest: waiting[0].ChangedAt,
		Leased: l.until.After(now), Resting: l.notBefore.After(now),
	})
}

func (q *queue) Take(_ context.Context, lease turnout.Lease, most int, now time.Time) ([]turnout.DueRegistration, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var batch []turnout.DueRegistration
	for _, r := range q.due(lease.Event, now) {
		if len(batch) < most {
			batch = append(batch, turnout.DueRegistration{Registration: *r, Wrapped: []byte("key")})
		}
	}
	return batch, nil
}

func (q *queue) Claim(_ context.Context, lane turnout.Lane, _ string, now time.Time, ttl time.Duration) (turnout.Lease, bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[lane.Event]
	if l.until.After(now) || l.notBefore.After(now) {
		return turnout.Lease{}, false, nil
	}
	l.fence++
	l.until = now.Add(ttl)
	return turnout.Lease{Lane: lane, Fence: l.fence, Until: l.until}, true, nil
}

func (q *queue) Renew(_ context.Context, lease turnout.Lease, until time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[lease.Event]
	if l.fence != lease.Fence {
		return turnout.Errorf(turnout.CodeConflict, "renew", "lost")
	}
	l.until = until
	return nil
}

func (q *queue) Settle(_ context.Context, lease turnout.Lease, outcomes []turnout.Outcome, notBefore time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[lease.Event]
	if l.fence != lease.Fence {
		return turnout.Errorf(turnout.CodeConflict, "settle", "lost")
	}
	l.until, l.notBefore = time.Time{}, notBefore
	for _, o := range outcomes {
		for _, r := range q.rows {
			if r.Key != o.Key {
				continue
			}
			switch o.Result {
			case turnout.ResultDone:
				r.Delivered, r.Record, r.Due = o.Revision, o.Record, time.Time{}
			case turnout.ResultRetry:
				r.Due = o.RetryAt
				if !o.Blameless {
					r.Attempts++
				}
			case turnout.ResultParked:
				r.Due, r.Parked = time.Time{}, o.Parked
			}
		}
	}
	return nil
}

// count tells how many rows satisfy ok.
func (q *queue) count(ok func(*turnout.Registration) bool) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, r := range q.rows {
		if ok(r) {
			n++
		}
	}
	return n
}

func delivered(r *turnout.Registration) bool { return r.Delivered == r.Revision }
func parked(r *turnout.Registration) bool    { return r.Parked != nil }

type records struct{}

func (records) OpenDue(_ context.Context, r *turnout.DueRegistration) (turnout.Details, error) {
	if r.Sealed == nil {
		return turnout.Details{}, turnout.Errorf(turnout.CodeForgotten, "open", "no key")
	}
	return turnout.Details{}, nil
}

func (records) SealNote(_ context.Context, _ *turnout.Registration, text string) ([]byte, error) {
	return []byte("sealed:" + text), nil
}

// target is a Salesforce that takes latency for a call and answers as told.
type target struct {
	latency time.Duration
	usage   turnout.Usage
	// answer decides about a call; nil answers done for all.
	answer func(n int, batch []turnout.Dispatch) ([]turnout.Receipt, error)

	mu        sync.Mutex
	calls     []int
	waits     []time.Duration // age of the oldest of each call
	flying    map[turnout.EventID]int
	mostInOne int
	mostAtAll int
}

func (s *target) Usage() turnout.Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage
}

func (s *target) use(u turnout.Usage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage = u
}

// made is the sizes of the calls so far.
func (s *target) made() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *target) Deliver(ctx context.Context, event turnout.EventID, _ *turnout.Event, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
	s.begin(event, batch)
	defer s.end(event)
	select {
	case <-time.After(s.latency):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	n := len(s.calls)
	s.mu.Unlock()
	if s.answer != nil {
		return s.answer(n, batch)
	}
	return done(batch), nil
}

func (s *target) begin(event turnout.EventID, batch []turnout.Dispatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flying == nil {
		s.flying = map[turnout.EventID]int{}
	}
	s.flying[event]++
	total := 0
	for _, n := range s.flying {
		total += n
	}
	s.mostInOne, s.mostAtAll = max(s.mostInOne, s.flying[event]), max(s.mostAtAll, total)
	s.calls = append(s.calls, len(batch))
	oldest := time.Now()
	for _, d := range batch {
		if d.ChangedAt.Before(oldest) {
			oldest = d.ChangedAt
		}
	}
	s.waits = append(s.waits, time.Since(oldest))
}

func (s *target) end(event turnout.EventID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying[event]--
}

func done(batch []turnout.Dispatch) []turnout.Receipt {
	out := make([]turnout.Receipt, len(batch))
	for i, d := range batch {
		out[i] = turnout.Receipt{Key: d.Key, Record: "r-" + string(d.Key)}
	}
	return out
}

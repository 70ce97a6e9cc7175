package delivery

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/turnout-events/turnout"
)

// orgState is how it goes with one org: its calls in flight and its circuit
// breaker. Guarded by Delivery.mu.
type orgState struct {
	id turnout.OrgID
	// target is nil until the org was reached.
	target Target
	flying int
	// failures counts failed calls in a row; from tripAfter on the circuit is
	// open until openUntil, and then one call at a time tries.
	failures  int
	openUntil time.Time
	// cause is the code of the last failed call.
	cause turnout.Code
}

const (
	tripAfter  = 3
	firstPause = 500 * time.Millisecond
	longPause  = 15 * time.Second
)

// enter lets a call to org begin, unless its circuit is open, its budget is
// used up or enough calls are in flight.
func (d *Delivery) enter(org turnout.OrgID, now time.Time) (*orgState, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	state, ok := d.orgs[org]
	if !ok {
		state = &orgState{id: org}
		d.orgs[org] = state
	}
	most := d.o.LanesPerOrg
	if state.failures >= tripAfter {
		most = 1
	}
	if now.Before(state.openUntil) || state.flying >= most || !d.affords(state, now) {
		return nil, false
	}
	state.flying++
	return state, true
}

// reach finds the org's Salesforce. It is asked each time, so that changed
// settings are used from the next call on.
func (d *Delivery) reach(ctx context.Context, s *orgState) (Target, error) {
	target, err := d.o.Target(ctx, s.id)
	if err != nil {
		d.failed(s, turnout.CodeOf(err), d.o.Now())
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.target = target
	return target, nil
}

// affords reports whether the org's share of its daily API requests leaves
// room for a call.
func (d *Delivery) affords(s *orgState, now time.Time) bool {
	return s.target == nil || s.target.Usage().Affords(d.o.Share(s.id), now)
}

func (d *Delivery) leave(s *orgState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.flying--
}

// succeeded closes the circuit.
func (d *Delivery) succeeded(s *orgState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.failures, s.openUntil, s.cause = 0, time.Time{}, ""
}

// failed notes a call that failed as a whole, and opens the circuit after
// some. It tells how many failed in a row.
func (d *Delivery) failed(s *orgState, code turnout.Code, now time.Time) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.failures++
	s.cause = code
	switch {
	case code == turnout.CodeExhausted:
		s.openUntil = now.Add(turnout.UsageAge/2 + rand.N(turnout.UsageAge))
	case s.failures >= tripAfter:
		pause := longPause
		if n := s.failures - tripAfter; n < 5 {
			pause = min(longPause, firstPause<<n)
		}
		s.openUntil = now.Add(pause/2 + rand.N(pause))
	}
	return s.failures
}

// Health is how it goes with an org's deliveries.
type Health struct {
	// Open says that no calls are made for now, since Cause keeps coming back.
	Open     bool
	Until    time.Time
	Failures int
	Cause    turnout.Code
	Usage    turnout.Usage
}

// Health tells how it goes with each org that anything was delivered to.
func (d *Delivery) Health() map[turnout.OrgID]Health {
	now := d.o.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[turnout.OrgID]Health, len(d.orgs))
	for id, s := range d.orgs {
		h := Health{Open: now.Before(s.openUntil), Until: s.openUntil, Failures: s.failures, Cause: s.cause}
		if s.target != nil {
			h.Usage = s.target.Usage()
		}
		out[id] = h
	}
	return out
}

// size is the largest batch that a lane takes now.
func (d *Delivery) size(lane int64) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n, ok := d.sizes[lane]; ok {
		return n
	}
	return d.o.Policy.Most
}

// resize halves a lane's batches after trouble with one of n, or doubles them
// back after success.
func (d *Delivery) resize(lane int64, n int, smaller bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	have, shrunk := d.sizes[lane]
	switch {
	case smaller:
		d.sizes[lane] = max(1, n/2)
	case shrunk && have*2 >= d.o.Policy.Most:
		delete(d.sizes, lane)
	case shrunk:
		d.sizes[lane] = have * 2
	}
}

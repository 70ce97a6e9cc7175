// Package delivery carries what intake accepted to Salesforce: leases,
// batches, outcomes, API budget (P1, P4).
//
// Registrations under one parent record form a lane. Any instance may deliver
// any lane: it claims the lane under a lease, takes a batch, makes one call and
// settles each registration's outcome. A lane has at most one call in flight,
// since Salesforce locks the parent; many lanes go at once. Nothing here is
// needed for a visitor's request (P3), and nothing is lost by killing it: what
// is not settled is sent again, and sending is an upsert by key.
//
//	        claim           take, open            settle
//	lane ──────────► leased ───────────► in flight ──────► done | retry at | parked
//	  ▲                                      │ lease expires (killed)
//	  └──────────────────────────────────────┘
package delivery

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

// Queue shows what waits.
type Queue interface {
	Lanes(ctx context.Context, now time.Time, count int) ([]turnout.LaneStatus, error)
	Take(ctx context.Context, lease turnout.Lease, max int, now time.Time) ([]turnout.DueRegistration, error)
}

// Leases give one holder at a time the right to a lane.
type Leases interface {
	Claim(ctx context.Context, lane turnout.Lane, owner string, now time.Time, ttl time.Duration) (turnout.Lease, bool, error)
	Renew(ctx context.Context, lease turnout.Lease, until time.Time) error
	Settle(ctx context.Context, lease turnout.Lease, outcomes []turnout.Outcome, notBefore time.Time) error
}

// Records opens and seals what belongs to registrations.
type Records interface {
	OpenDue(ctx context.Context, r *turnout.DueRegistration) (turnout.Details, error)
	SealNote(ctx context.Context, r *turnout.Registration, text string) ([]byte, error)
}

// Target is an org's Salesforce.
type Target interface {
	// Deliver writes at most 200 registrations of one event in one call and
	// answers one receipt each, in order. An error means the whole call failed.
	Deliver(ctx context.Context, event turnout.EventID, def *turnout.Event, batch []turnout.Dispatch) ([]turnout.Receipt, error)
	Usage() turnout.Usage
}

// Options of a delivery. The first six are needed.
type Options struct {
	Queue   Queue
	Leases  Leases
	Records Records
	// Target finds an org's Salesforce.
	Target func(ctx context.Context, org turnout.OrgID) (Target, error)
	// Event finds a published event, nil for one that is no longer published.
	Event func(org turnout.OrgID, id turnout.EventID) *turnout.Event
	// Owner names this process in leases.
	Owner string

	Policy Policy
	// LanesPerOrg is how many calls an org gets at once; 0 means 5, well under
	// the 25 long calls that Salesforce allows.
	LanesPerOrg int
	// Share is the part of an org's daily API requests that may be used; nil
	// means 0.8 for each.
	Share  func(org turnout.OrgID) float64
	Logger *slog.Logger
	Now    func() time.Time
	// Observe counts outcomes; nil means nobody does.
	Observe func(org turnout.OrgID, result turnout.Result, n int)
}

// Delivery delivers all orgs' lanes. Safe for concurrent use.
type Delivery struct {
	o     Options
	wake  chan struct{}
	calls sync.WaitGroup

	mu     sync.Mutex
	orgs   map[turnout.OrgID]*orgState
	last   map[int64]time.Time // when a lane's last call began, within Policy.Gather
	sizes  map[int64]int       // largest batch a lane takes now, where it is below Policy.Most
	oldest map[turnout.OrgID]time.Time
}

// New makes a delivery.
func New(o Options) *Delivery {
	o.Policy = o.Policy.orDefault()
	if o.LanesPerOrg == 0 {
		o.LanesPerOrg = 5
	}
	if o.Share == nil {
		o.Share = func(turnout.OrgID) float64 { return 0.8 }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(turnout.OrgID, turnout.Result, int) {}
	}
	return &Delivery{
		o: o, wake: make(chan struct{}, 1),
		orgs: map[turnout.OrgID]*orgState{}, last: map[int64]time.Time{}, sizes: map[int64]int{}, oldest: map[turnout.OrgID]time.Time{},
	}
}

// Nudge makes Run look again soon. It never blocks.
func (d *Delivery) Nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// How often Run looks: at least every look, and not more often than breath
// however often it is nudged.
const (
	look   = 250 * time.Millisecond
	breath = 40 * time.Millisecond
)

// ahead is how much before its time a registration goes out, so that it is in
// Salesforce by then: the next look, and a call of usual length.
const ahead = look + breath + 500*time.Millisecond

// Run delivers until ctx ends, then lets calls that are under way finish, which
// takes at most callTimeout. Whoever cannot wait for that may end the process:
// what was sent and not settled is sent again.
func (d *Delivery) Run(ctx context.Context) error {
	defer d.calls.Wait()
	blind := false // said once, and not four times a second
	for {
		err := d.Step(ctx)
		if err != nil && !blind && ctx.Err() == nil {
			d.o.Logger.Error("delivery: cannot look at the queue; trying on", "error", err)
		}
		blind = err != nil
		if !d.rest(ctx) {
			return nil
		}
	}
}

// rest waits for the next look; false when ctx has ended.
func (d *Delivery) rest(ctx context.Context) bool {
	pause := time.NewTimer(breath)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-pause.C:
	}
	next := time.NewTimer(look - breath + rand.N(breath)) // instances drift apart
	defer next.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-d.wake:
	case <-next.C:
	}
	return true
}

// Step looks once at what waits and starts the calls that are due.
func (d *Delivery) Step(ctx context.Context) error {
	now := d.o.Now()
	lanes, err := d.o.Queue.Lanes(ctx, now, d.o.Policy.Most)
	if err != nil {
		return err
	}
	d.note(lanes)
	rand.Shuffle(len(lanes), func(i, j int) { lanes[i], lanes[j] = lanes[j], lanes[i] })
	for _, lane := range lanes {
		age := now.Add(ahead).Sub(lane.Due)
		n := min(d.o.Policy.Batch(lane.Waiting, age, d.since(lane.ID, now)), d.size(lane.ID))
		if n == 0 || lane.Leased || lane.Resting {
			continue
		}
		state, ok := d.enter(lane.Org, now)
		if !ok {
			continue
		}
		d.began(lane.ID, now)
		d.calls.Go(func() {
			defer d.Nudge()
			defer d.leave(state)
			d.deliver(context.WithoutCancel(ctx), state, lane.Lane, n)
		})
	}
	return nil
}

// since tells how long ago a lane's last call from here began.
func (d *Delivery) since(lane int64, now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok := d.last[lane]; ok {
		return now.Sub(at)
	}
	return math.MaxInt64
}

// began notes that a call of a lane begins, and forgets those of long ago.
func (d *Delivery) began(lane int64, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.last, func(_ int64, at time.Time) bool { return now.Sub(at) >= d.o.Policy.Gather })
	d.last[lane] = now
}

// note remembers how long the oldest undelivered registration of each org waits.
func (d *Delivery) note(lanes []turnout.LaneStatus) {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.oldest)
	for _, l := range lanes {
		if t, ok := d.oldest[l.Org]; !ok || l.Oldest.Before(t) {
			d.oldest[l.Org] = l.Oldest
		}
	}
}

// Oldest tells since when each org's oldest registration waits; orgs with
// nothing waiting are left out.
func (d *Delivery) Oldest() map[turnout.OrgID]time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[turnout.OrgID]time.Time, len(d.oldest))
	for org, t := range d.oldest {
		out[org] = t
	}
	return out
}

package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/turnout-events/turnout"
)

// A lease outlives its holder by at most leaseTTL; while a call is under way it
// is renewed every renewEvery, and a call that cannot renew is given up.
const (
	leaseTTL    = 10 * time.Second
	renewEvery  = 3 * time.Second
	callTimeout = 60 * time.Second
)

// deliver makes one call for a lane: claim, take, open, call, settle.
func (d *Delivery) deliver(ctx context.Context, state *orgState, lane turnout.Lane, n int) {
	log := d.o.Logger.With("org", lane.Org, "event", lane.Event)
	target, err := d.reach(ctx, state)
	if err != nil {
		log.Error("delivery: cannot reach org", "code", turnout.CodeOf(err), "error", err)
		return
	}
	lease, ok, err := d.o.Leases.Claim(ctx, lane, d.o.Owner, d.o.Now(), leaseTTL)
	if err != nil || !ok {
		if err != nil {
			log.Error("delivery: cannot claim lane", "error", err)
		}
		return
	}
	batch, err := d.o.Queue.Take(ctx, lease, n, d.o.Now())
	if err != nil {
		log.Error("delivery: cannot take batch", "error", err)
		d.settle(ctx, lease, nil, time.Time{})
		return
	}
	dispatches, outcomes := d.openAll(ctx, batch)
	var notBefore time.Time
	var stay int // were sent and are due as before, without an outcome of their own
	if len(dispatches) > 0 {
		receipts, err := d.call(ctx, target, lease, dispatches)
		var more []turnout.Outcome
		switch {
		case errors.Is(err, errLeaseLost):
			return // the next holder sends the same again
		case err != nil:
			log.Warn("delivery: call failed", "registrations", len(dispatches), "code", turnout.CodeOf(err), "error", err)
			more, notBefore = d.callFailed(ctx, state, lane, dispatches, err)
		default:
			more, notBefore = d.answered(ctx, state, lane, dispatches, receipts)
		}
		outcomes, stay = append(outcomes, more...), len(dispatches)-len(more)
	}
	d.settle(ctx, lease, outcomes, notBefore)
	d.count(lane.Org, outcomes, stay)
}

// unreadable is the code under which a registration is parked whose person has
// no data key, as after a restore with older keys. One of a forgotten person is
// out of the queue already, so that nothing comes of parking it.
const unreadable = "UNREADABLE"

// openAll opens a batch; what cannot be opened gets its outcome at once.
func (d *Delivery) openAll(ctx context.Context, batch []turnout.DueRegistration) ([]turnout.Dispatch, []turnout.Outcome) {
	dispatches := make([]turnout.Dispatch, 0, len(batch))
	var outcomes []turnout.Outcome
	for i := range batch {
		r := &batch[i]
		details, err := d.o.Records.OpenDue(ctx, r)
		o := turnout.Outcome{Key: r.Key, Revision: r.Revision}
		code := turnout.CodeOf(err)
		if code == turnout.CodeForgotten && r.Person.IsZero() {
			code = "" // erased: nothing but its cancellation is left to tell (P2, P8)
		}
		switch code {
		case "":
			dispatches = append(dispatches, turnout.Dispatch{Registration: r.Registration, Details: details})
			continue
		case turnout.CodeForgotten:
			o.Result, o.Parked = turnout.ResultParked, &turnout.Parked{Code: unreadable, At: d.o.Now()}
		default:
			d.o.Logger.Error("delivery: cannot open registration", "org", r.Org, "key", r.Key, "error", err)
			o.Result, o.RetryAt = turnout.ResultRetry, d.o.Now().Add(time.Minute)
		}
		outcomes = append(outcomes, o)
	}
	return dispatches, outcomes
}

// errLeaseLost says that the lane is another's by now.
var errLeaseLost = errors.New("the lease was taken over")

// call makes the call while it holds the lease: renewed right before, so that a
// holder who was asleep since the claim sends nothing late, and while it lasts.
func (d *Delivery) call(ctx context.Context, target Target, lease turnout.Lease, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
	if d.o.Now().After(lease.Until.Add(-leaseTTL + renewEvery)) {
		if err := d.o.Leases.Renew(ctx, lease, d.o.Now().Add(leaseTTL)); err != nil {
			return nil, fmt.Errorf("%w: %w", errLeaseLost, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		tick := time.NewTicker(renewEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if err := d.o.Leases.Renew(ctx, lease, d.o.Now().Add(leaseTTL)); err != nil {
					cancel()
					return
				}
			}
		}
	}()
	return target.Deliver(ctx, lease.Event, d.o.Event(lease.Org, lease.Event), batch)
}

// callFailed turns the failure of a whole call into outcomes, and says from
// when on the lane may be tried again.
func (d *Delivery) callFailed(ctx context.Context, state *orgState, lane turnout.Lane, batch []turnout.Dispatch, err error) ([]turnout.Outcome, time.Time) {
	code, now := turnout.CodeOf(err), d.o.Now()
	v := CallVerdict(code, len(batch))
	if v.Smaller {
		d.resize(lane.ID, len(batch), true)
	}
	failures := d.failed(state, code, now)
	wait := max(v.delay(steps(v, failures), rand.Float64()), turnout.RetryAfterOf(err))
	if v.Blameless {
		// Everything stays due as it is; only the lane waits.
		return nil, now.Add(wait)
	}
	outcomes := make([]turnout.Outcome, 0, len(batch))
	for i := range batch {
		r := turnout.Receipt{Key: batch[i].Key, Code: code, Status: string(code), Message: err.Error()}
		outcomes = append(outcomes, d.outcome(ctx, &batch[i].Registration, r, v))
	}
	return outcomes, time.Time{}
}

// steps is how often a lane's wait has doubled. Once the circuit is open it is the
// circuit that waits: its lanes are ready when it closes, and what gathered behind
// them goes out at once.
func steps(v Verdict, failures int) int {
	if failures >= tripAfter && !v.OrgWide {
		return 0
	}
	return failures - 1
}

// answered turns the receipts of a call into outcomes. Where all of them tell of
// the org's trouble, the call counts as failed: the lane rests, the circuit
// knows, and nobody is blamed.
func (d *Delivery) answered(ctx context.Context, state *orgState, lane turnout.Lane, batch []turnout.Dispatch, receipts []turnout.Receipt) ([]turnout.Outcome, time.Time) {
	receipts = matched(batch, receipts)
	code := OrgTrouble(receipts)
	if code == "" {
		d.succeeded(state)
		return d.judge(ctx, lane, batch, receipts), time.Time{}
	}
	d.o.Logger.Warn("delivery: the org refuses every registration of a call", "org", lane.Org, "event", lane.Event,
		"registrations", len(batch), "code", code, "status", receipts[0].Status)
	now, v := d.o.Now(), RowVerdict(code)
	failures := d.failed(state, code, now)
	wait := now.Add(v.delay(failures-1, rand.Float64()))
	if len(batch) > 1 {
		return nil, wait
	}
	// It may be this one alone, so that those behind it need not wait. The org is
	// known to take others only when it took some since the last failure.
	if failures > 1 {
		v.Attempts = 0
	}
	o := d.outcome(ctx, &batch[0].Registration, receipts[0], v)
	if o.Result == turnout.ResultRetry && o.RetryAt.Before(wait) {
		o.RetryAt = wait
	}
	return []turnout.Outcome{o}, time.Time{}
}

// matched gives each registration its receipt, an unknown outcome where there
// is none.
func matched(batch []turnout.Dispatch, receipts []turnout.Receipt) []turnout.Receipt {
	out := make([]turnout.Receipt, len(batch))
	for i := range batch {
		out[i] = turnout.Receipt{Key: batch[i].Key, Code: turnout.CodeUnknown}
		if i < len(receipts) && receipts[i].Key == batch[i].Key {
			out[i] = receipts[i]
		}
	}
	return out
}

// judge turns receipts into outcomes, one by one.
func (d *Delivery) judge(ctx context.Context, lane turnout.Lane, batch []turnout.Dispatch, receipts []turnout.Receipt) []turnout.Outcome {
	outcomes := make([]turnout.Outcome, 0, len(batch))
	smaller := false
	for i, receipt := range receipts {
		v := RowVerdict(receipt.Code)
		if receipt.WholeCall {
			v = CallVerdict(receipt.Code, len(batch))
		}
		smaller = smaller || v.Smaller
		outcomes = append(outcomes, d.outcome(ctx, &batch[i].Registration, receipt, v))
	}
	d.resize(lane.ID, len(batch), smaller)
	return outcomes
}

func (d *Delivery) outcome(ctx context.Context, r *turnout.Registration, receipt turnout.Receipt, v Verdict) turnout.Outcome {
	now := d.o.Now()
	o := turnout.Outcome{Key: r.Key, Revision: r.Revision, Status: r.Status, Result: v.Result, Record: receipt.Record, Blameless: v.Blameless}
	if v.Result == turnout.ResultRetry && v.exhausted(r.Attempts+1) {
		o.Result = turnout.ResultParked
	}
	switch o.Result {
	case turnout.ResultRetry:
		o.RetryAt = now.Add(v.delay(r.Attempts, rand.Float64()))
	case turnout.ResultParked:
		o.Parked = &turnout.Parked{Code: receipt.Status, At: now}
		note, err := d.o.Records.SealNote(ctx, r, receipt.Message)
		if err != nil { // the code alone still says why
			d.o.Logger.Error("delivery: cannot seal Salesforce's words", "org", r.Org, "key", r.Key, "error", err)
		}
		o.Parked.Sealed = note
	}
	return o
}

// settle records outcomes. When that fails the lease runs out and the same is
// sent again.
func (d *Delivery) settle(ctx context.Context, lease turnout.Lease, outcomes []turnout.Outcome, notBefore time.Time) {
	if err := d.o.Leases.Settle(ctx, lease, outcomes, notBefore); err != nil {
		d.o.Logger.Error("delivery: cannot settle batch", "org", lease.Org, "event", lease.Event, "error", err)
	}
}

// count tells what became of a batch. Those who stay due are tried again, as those
// whose outcome says so.
func (d *Delivery) count(org turnout.OrgID, outcomes []turnout.Outcome, stay int) {
	by := map[turnout.Result]int{turnout.ResultRetry: stay}
	for _, o := range outcomes {
		by[o.Result]++
	}
	for result, n := range by {
		if n > 0 {
			d.o.Observe(org, result, n)
		}
	}
}

package loading

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/turnout-events/turnout/internal/load"
	"github.com/turnout-events/turnout/internal/load/browse"
	"github.com/turnout-events/turnout/internal/load/form"
	"github.com/turnout-events/turnout/internal/load/result"
	"github.com/turnout-events/turnout/internal/load/simulated"
)

// hasSeats is right once an event's seats are what they were made to be, 0 for none.
func hasSeats(seats int) func(browse.Page) bool {
	return func(p browse.Page) bool {
		var event struct {
			Left *int `json:"seats_left"`
		}
		if p.Status != http.StatusOK || json.Unmarshal([]byte(p.Body), &event) != nil {
			return false
		}
		return seats == 0 || event.Left != nil && *event.Left == seats
	}
}

// warn notes that an attack met no limit, if so: then it shows what the whole machine
// bears, and not what one org's allowance does for the others.
func (p *party) warn(run *result.Run) {
	if !p.scenario.Attacks() {
		return
	}
	for _, c := range run.Outcomes {
		if c.What == load.AttackRefused && c.Count > 0 {
			return
		}
	}
	run.Notes = append(run.Notes, fmt.Sprintf("THE ATTACKED ORG HAS NO ALLOWANCE, or a larger one than %g requests a second: nothing of the attack was refused with 429. A demo gives one with --allowance.", p.allowance))
}

// prove asks Salesforce what arrived, and the target whether what must not change has
// not.
func (p *party) prove(ctx context.Context, out *load.Outcome, before simulated.Stats, events []simulated.Event) {
	run := out.Run
	p.unchanged(ctx, out)
	if p.simulator == nil {
		if out.Acknowledged.Len() > 0 {
			run.Notes = append(run.Notes, "Whether every registration reached Salesforce was not proven: its simulator is not known (--simulator).")
		}
		return
	}
	p.o.Say("asking the simulator what arrived")
	arrived := p.settle(ctx, out, events)
	after, err := p.simulator.Stats(ctx)
	if err != nil {
		run.Notes = append(run.Notes, "The simulator's counters could not be read: "+err.Error())
		return
	}
	run.Salesforce = simulated.Cost(before, after)
	cost(run)
	run.Seats = arrived
}

// cost adds to Salesforce's account what was seen over time.
func cost(run *result.Run) {
	last, drained := -1, -1
	for _, in := range run.Timeline {
		run.Salesforce.OldestWaiting = max(run.Salesforce.OldestWaiting, in.OldestAge)
		switch {
		case in.Accepted > 0:
			last, drained = in.Second, -1
		case in.OldestAge > 0: // a second without metrics looks like one in which nothing waits
			drained = -1
		case drained < 0:
			drained = in.Second
		}
	}
	if last >= 0 && drained > last {
		run.Salesforce.DrainedAfter = float64(drained - last)
	}
}

// settlePatience is how long what was acknowledged may take to reach Salesforce.
const settlePatience = 60 * time.Second

// settle compares what visitors were told with what Salesforce holds, until nothing
// is missing any more or it has taken too long.
func (p *party) settle(ctx context.Context, out *load.Outcome, events []simulated.Event) (all []result.Seats) {
	if out.Acknowledged.Len() == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		var missing int64
		var err error
		if all, missing, err = p.compare(ctx, out, events); err != nil {
			out.Run.Notes = append(out.Run.Notes, "What arrived in Salesforce could not be read: "+err.Error())
			return nil
		}
		if missing == 0 {
			return all
		}
		select {
		case <-tick.C:
		case <-limited.Done():
			return all
		}
	}
}

// compare looks once. Keys are compared over all events, seats event by event.
func (p *party) compare(ctx context.Context, out *load.Outcome, events []simulated.Event) (all []result.Seats, missing int64, err error) {
	if p.o.Event != "" && len(events) == 0 {
		e, _, ok, err := p.simulator.Find(ctx, p.o.Event)
		if err != nil {
			return nil, 0, err
		}
		if !ok {
			return nil, 0, fmt.Errorf("%w %s", errNoEvent, p.o.Event)
		}
		events = []simulated.Event{e}
	}
	total := result.Seats{What: "all events", Acknowledged: int64(out.Acknowledged.Len())}
	each := func(yield func(string) bool) {
		if len(events) == 0 {
			_, err = p.list(ctx, nil, &total, yield)
			return
		}
		for _, e := range events {
			one := result.Seats{What: e.Slug}
			if _, one.Limit, _, err = p.simulator.Find(ctx, e.Slug); err != nil {
				return
			}
			held := int64(0)
			if held, err = p.list(ctx, &e, &one, yield); err != nil {
				return
			}
			total.Recorded += one.Recorded
			if one.Limit > 0 {
				one.Oversold = max(0, held-one.Limit)
				one.Acknowledged, one.Recorded = held, held
				all = append(all, one)
			}
		}
	}
	total.Lost, total.Twice = out.Acknowledged.Compare(each)
	if err != nil {
		return nil, 0, err
	}
	if len(events) == 1 && len(all) == 1 {
		one := &all[0]
		one.Lost, one.Twice = total.Lost, total.Twice
		if sold, gone := told(out.Run); gone == 0 { // whoever was told so has a seat still
			one.Acknowledged, one.Oversold = sold, max(one.Oversold, sold-one.Limit)
		}
		return all, total.Lost, nil
	}
	return append(all, total), total.Lost, nil
}

// told is how many visitors were told that they have a place, and how many that
// theirs is given back.
func told(run *result.Run) (accepted, cancelled int64) {
	for _, c := range run.Outcomes {
		switch c.What {
		case load.Accepted:
			accepted = c.Count
		case load.Cancelled:
			cancelled = c.Count
		}
	}
	return accepted, cancelled
}

// list yields the keys of an event's registrations, and gives the seats that they hold.
func (p *party) list(ctx context.Context, e *simulated.Event, into *result.Seats, yield func(string) bool) (held int64, err error) {
	for r, err := range p.simulator.Registrations(ctx, e) {
		if err != nil {
			return held, err
		}
		into.Recorded++
		held += r.Holds()
		if r.Key != "" && !yield(r.Key) {
			return held, nil
		}
	}
	return held, nil
}

// unchanged opens what crowds that change nothing have opened: it must be as it was.
func (p *party) unchanged(ctx context.Context, out *load.Outcome) {
	if len(out.Scanned) == 0 {
		return
	}
	changed, unread := 0, 0
	for _, path := range out.Scanned {
		shown, err := p.target.New().Get(ctx, path, true)
		_, open := form.Cut(shown.Body)
		switch {
		case err != nil:
			unread++
		case shown.Refresh == "" && (shown.Status != http.StatusOK || !open):
			changed++
		}
	}
	if ctx.Err() != nil {
		return
	}
	measured := fmt.Sprintf("%d of %d changed", changed, len(out.Scanned))
	if unread > 0 {
		measured += fmt.Sprintf(", %d could not be opened", unread)
	}
	out.Run.Verdicts = append(out.Run.Verdicts, result.Verdict{
		Threshold: "what scanners opened is unanswered still", Measured: measured, Met: changed+unread == 0,
	})
}

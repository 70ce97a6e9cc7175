package app

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api"
	"github.com/turnout-events/turnout/internal/console"
	"github.com/turnout-events/turnout/internal/mirror"
	"github.com/turnout-events/turnout/internal/oversight"
)

// admin is what operators and their tools reach.
func (in *instance) admin() (http.Handler, error) {
	desk := in.desk()
	pages, err := console.New(console.Options{Desk: desk, Forget: in.erasure, Logger: in.log})
	if err != nil {
		return nil, err
	}
	admin, err := api.NewAdmin(api.AdminOptions{
		Desk: desk, Forget: in.erasure, Console: pages.Handler(), Hosts: in.cfg.AdminHosts,
		Checks: map[string]func(context.Context) error{"store": in.storeAnswers}, Metrics: in.metrics.registry, Logger: in.log,
	})
	if err != nil {
		return nil, err
	}
	return admin.Handler(), nil
}

// storeAnswers is the readiness check: pages come from memory, but without the
// store no registration can be taken.
func (in *instance) storeAnswers(ctx context.Context) error {
	if _, err := in.Store.LastChange(ctx); err != nil {
		return err
	}
	return in.Store.Ping(ctx)
}

// desk gathers what operators see.
func (in *instance) desk() *oversight.Desk {
	return oversight.New(oversight.Options{
		Orgs: in.Store, Store: in.Store, Records: in.intake, Registrations: in.Store,
		Event: in.event, Oldest: in.delivery.Oldest,
		Amend: func(ctx context.Context, org turnout.OrgID, e *turnout.Event, key turnout.Key, d turnout.Details) error {
			_, err := in.intake.Amend(ctx, org, e, key, d)
			return err
		},
		Connection: in.connection, Mirror: in.mirroring, Funnel: (&funnels{in: in}).of,
		Changed: func(turnout.OrgID) { in.delivery.Nudge() },
	})
}

// connection tells how it goes with writing to an org. Usage is told by reads too.
func (in *instance) connection(org turnout.OrgID) (oversight.Connection, bool) {
	u, called := in.targets.usage()[org]
	h, sent := in.delivery.Health()[org]
	if !called && !sent {
		return oversight.Connection{}, false
	}
	return oversight.Connection{
		State: oversight.StateOf(h.Failures, h.Open), Failures: h.Failures, Cause: h.Cause, Until: h.Until,
		Used: u.Used, Limit: u.Limit, Budget: int64(in.targets.share(org) * float64(u.Limit)),
	}, true
}

// mirroring tells how it goes with reading an org.
func (in *instance) mirroring(org turnout.OrgID) oversight.Mirror {
	state, known := in.mirror.State(org)
	m := oversight.Mirror{Elsewhere: known && !state.Polling, Backfilling: state.Backfilling, Success: state.LastSuccess, Cause: state.LastError, Events: map[turnout.EventID]oversight.Cached{}}
	if n, err := in.cache.CountLinks(context.Background(), org); err == nil {
		m.Links = &n
	}
	for _, f := range in.mirror.Faults(org) {
		m.Events[f.Event] = oversight.Cached{At: f.At, Faults: faultsOf(f)}
	}
	return m
}

func faultsOf(f mirror.Fault) []turnout.FieldError {
	if fields := turnout.FieldsOf(f.Err); len(fields) > 0 {
		return fields
	}
	return []turnout.FieldError{{Message: f.Err.Error()}}
}

// funnels count registrations for the console, at most once in a while.
type funnels struct {
	in *instance

	mu   sync.Mutex
	made map[turnout.OrgID]funnel
}

type funnel struct {
	at     time.Time
	counts map[turnout.EventID]oversight.Funnel
}

// funnelFor is how long a count is shown: it reads every registration.
const funnelFor = 15 * time.Second

func (f *funnels) of(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]oversight.Funnel, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if have, ok := f.made[org]; ok && time.Since(have.at) < funnelFor {
		return have.counts, nil
	}
	progress, err := f.in.Store.Progress(ctx, org)
	if err != nil {
		return nil, err
	}
	counts := map[turnout.EventID]oversight.Funnel{}
	for event, p := range progress {
		counts[event] = oversight.Funnel{Registered: &p.Registered, Delivered: &p.Delivered}
	}
	if f.made == nil {
		f.made = map[turnout.OrgID]funnel{}
	}
	f.made[org] = funnel{time.Now(), counts}
	return counts, nil
}

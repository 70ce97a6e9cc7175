package app

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api"
	"github.com/turnout-events/turnout/internal/console"
	"github.com/turnout-events/turnout/internal/interest"
	"github.com/turnout-events/turnout/internal/migration"
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
		Desk: desk, Forget: in.erasure, Sessions: in.sessions, Console: pages.Handler(), Hosts: in.cfg.AdminHosts,
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
		Dismiss:    in.intake.Dismiss,
		Connection: in.connection, Mirror: in.mirroring, Funnel: (&funnels{in: in}).of, Migration: in.migrating,
		Sessions: in.sessions.active,
		Changed:  func(turnout.OrgID) { in.delivery.Nudge() },
		Now:      in.Store.Now,
	})
}

// migrating tells how the moving of orgs stands, as far as the store knows: an edge does it.
func (in *instance) migrating(ctx context.Context, orgs []turnout.Org) (oversight.Migration, error) {
	var m oversight.Migration
	moving, now := migration.Moving(orgs), in.Store.Now()
	if len(moving) == 0 {
		return m, nil
	}
	looked, err := in.MigrationLooked(ctx)
	if err != nil {
		return m, err
	}
	due := map[turnout.OrgID]bool{}
	for _, o := range migration.Due(moving, now) {
		due[o.ID] = true
	}
	m.Summary, m.Note = migration.Summary(moving), migration.Attended(moving, looked, now)
	for _, o := range moving {
		m.Orgs = append(m.Orgs, oversight.Moving{
			Org: o.ID, Name: cmp.Or(o.Name, string(o.ID)), Wave: o.Move.Wave, From: o.Move.From, To: o.Move.To, State: o.Move.State,
			When: migration.When(moving, o, now), Hindered: due[o.ID] && o.Move.Obstacle != "",
		})
	}
	return m, nil
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

// mirroring tells how it goes with reading an org: when it was read and what
// cannot be shown, from the cache, which all instances share; why reading
// fails, as far as this one knows.
func (in *instance) mirroring(ctx context.Context, org turnout.OrgID) (oversight.Mirror, error) {
	reading, err := in.mirror.Reading(ctx, org)
	if err != nil {
		return oversight.Mirror{}, err
	}
	links, err := in.cache.CountLinks(ctx, org)
	if err != nil {
		return oversight.Mirror{}, err
	}
	fetched, err := in.cache.Fetched(ctx, org)
	if err != nil {
		return oversight.Mirror{}, err
	}
	faults, err := in.mirror.Faults(ctx, org)
	if err != nil {
		return oversight.Mirror{}, err
	}
	state, known := in.mirror.State(org)
	m := oversight.Mirror{
		Success: reading.Oldest(), Reads: reading.At, Every: in.mirror.Every(), Elsewhere: known && !state.Polling,
		Backfilling: reading.Backfilling, Links: &links, Events: map[turnout.EventID]oversight.Cached{},
	}
	m.Reading = readingOf(reading.Links)
	if state.Polling || state.LastErrorAt.After(m.Success) { // what came before is over
		m.Cause = state.LastError
	}
	for event, at := range fetched {
		m.Events[event] = oversight.Cached{At: at}
	}
	for _, f := range faults {
		m.Events[f.Event] = oversight.Cached{At: fetched[f.Event], Faults: f.Fields}
	}
	return m, nil
}

// readingOf says how far reading many links is, nil where that is not under way.
func readingOf(p *mirror.Progress) *oversight.Reading {
	if p == nil {
		return nil
	}
	return &oversight.Reading{Done: p.Done, Total: p.Total, Since: p.Since, At: p.At, Rate: math.Round(p.Rate), Left: int64(p.Left().Seconds())}
}

// lastReads tells when each org was last read, and how far that is.
func (in *instance) lastReads() map[turnout.OrgID]mirror.Reading {
	ctx, cancel := context.WithTimeout(context.Background(), readsWithin)
	defer cancel()
	orgs, err := in.Store.Orgs(ctx)
	if err != nil {
		in.log.Warn("orgs cannot be read for metrics", "err", err)
	}
	all := map[turnout.OrgID]mirror.Reading{}
	for _, o := range orgs {
		reading, err := in.mirror.Reading(ctx, o.ID)
		if err != nil {
			in.log.Warn("age of an org cannot be read for metrics", "org", o.ID, "err", err)
			continue // no value is better than a wrong one
		}
		all[o.ID] = reading
	}
	return all
}

// readsWithin bounds what a scrape waits for; scrapers give up after ten seconds.
const readsWithin = 5 * time.Second

// funnels count links and registrations for the console, at most once in a while.
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
	invited, err := f.in.cache.Invited(ctx, org)
	if err != nil {
		return nil, err
	}
	interest, err := f.in.interest.Of(ctx, org)
	if err != nil {
		return nil, err
	}
	counts := funnelsOf(invited, interest, progress)
	if f.made == nil {
		f.made = map[turnout.OrgID]funnel{}
	}
	f.made[org] = funnel{time.Now(), counts}
	return counts, nil
}

// funnelsOf joins what cache and store count, and what was seen of visitors. An event
// that not all of them know has zeros from the others.
func funnelsOf(invited map[turnout.EventID]int, seen map[turnout.EventID]interest.Counts, progress map[turnout.EventID]turnout.Progress) map[turnout.EventID]oversight.Funnel {
	all := map[turnout.EventID]oversight.Funnel{}
	add := func(event turnout.EventID) {
		links, s, p := invited[event], seen[event], progress[event]
		all[event] = oversight.Funnel{
			Invited: &links, Opened: &s.Opened, Started: &s.Started, Registered: &p.Registered, Delivered: &p.Delivered, Parked: &p.Parked,
			Dismissed: &p.Dismissed, Waitlisted: &p.Waitlisted, Cancelled: &p.Cancelled, Declined: &p.Declined,
		}
	}
	for event := range invited {
		add(event)
	}
	for event := range seen {
		add(event)
	}
	for event := range progress {
		add(event)
	}
	return all
}

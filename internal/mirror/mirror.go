package mirror

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

// Options of a mirror.
type Options struct {
	Orgs Orgs
	// Source opens an org's Salesforce; it is called for every pass, so it may
	// answer with another one when the org's settings changed.
	Source func(turnout.OrgID) (Source, error)

	Events  EventCache
	Links   LinkCache
	Cursors Cursors
	Faults  FaultCache

	Ledgers       Ledgers
	Registrations Registrations
	DataKeys      DataKeys
	Feed          Feed
	Turns         Turns
	Errands       Errands
	Keyring       Keyring

	// Pictures is needed with Picture.
	Pictures PictureCache
	// Picture fetches one from an organiser's address, and makes its files. Its errors are
	// in words for the organiser, without the address. Nil means that events have none.
	Picture func(ctx context.Context, address string) (turnout.Picture, map[string][]byte, error)

	// Forget erases a person. It may be called again for the same one.
	Forget func(ctx context.Context, org turnout.OrgID, email string) error
	// Allow says whether the org's API budget has room for another pass; nil
	// means always.
	Allow func(turnout.OrgID) bool

	// Owner names this process among those that take turns; needed.
	Owner  string
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Every is the time between two polls of an org; 0 means a minute. A poll
	// of a quiet org is one call for events, links and registrations each:
	// 4,700 a day with the rest, 4.1 % of the smallest Enterprise allocation
	// (115,000 requests a day).
	Every time.Duration
}

// orgsEvery is how soon a new org is mirrored.
const orgsEvery = 10 * time.Second

// Mirror mirrors all orgs. One per process; processes take turns by org.
type Mirror struct {
	o Options

	mu   sync.Mutex
	orgs map[turnout.OrgID]*orgMirror
}

// New makes a mirror that does nothing yet.
func New(o Options) *Mirror {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Every == 0 {
		o.Every = time.Minute
	}
	if o.Allow == nil {
		o.Allow = func(turnout.OrgID) bool { return true }
	}
	return &Mirror{o: o, orgs: map[turnout.OrgID]*orgMirror{}}
}

// Run mirrors until ctx ends, and returns when all of its work has stopped.
func (m *Mirror) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	stops := map[turnout.OrgID]context.CancelFunc{}
	for {
		orgs, err := m.o.Orgs.Orgs(ctx)
		if err != nil && ctx.Err() == nil {
			m.o.Logger.Error("orgs cannot be read; mirroring those that are known", "err", err)
		}
		if err == nil {
			m.follow(ctx, orgs, stops, &running)
		}
		if !wait(ctx, orgsEvery) {
			for _, stop := range stops {
				stop()
			}
			return nil
		}
	}
}

// follow starts what is new and stops what is gone.
func (m *Mirror) follow(ctx context.Context, orgs []turnout.Org, stops map[turnout.OrgID]context.CancelFunc, running *sync.WaitGroup) {
	m.mu.Lock()
	defer m.mu.Unlock()
	there := map[turnout.OrgID]bool{}
	for _, org := range orgs {
		there[org.ID] = true
		if m.orgs[org.ID] != nil {
			continue
		}
		p := newOrgMirror(&m.o, org.ID)
		m.orgs[org.ID] = p
		own, stop := context.WithCancel(ctx)
		stops[org.ID] = stop
		running.Go(func() { p.run(own) })
	}
	for id, stop := range stops {
		if !there[id] {
			stop()
			delete(stops, id)
			delete(m.orgs, id)
		}
	}
}

func (m *Mirror) org(id turnout.OrgID) *orgMirror {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.orgs[id]
}

// State is how the org's mirroring stands in this process; false if it is not
// mirrored here.
func (m *Mirror) State(org turnout.OrgID) (State, bool) {
	p := m.org(org)
	if p == nil {
		return State{}, false
	}
	return p.snapshot(), true
}

// wait waits for d, and reports whether ctx is still alive.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(0, d))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

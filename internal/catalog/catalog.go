package catalog

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// SealedEvent is a published event as the cache holds it: an alias of an
// unnamed type, so that caches need not be imported.
type SealedEvent = struct {
	ID       turnout.EventID
	Slug     string
	Sealed   []byte
	Modified time.Time
}

// Orgs lists the orgs.
type Orgs interface {
	Orgs(ctx context.Context) ([]turnout.Org, error)
}

// Events reads the cache's published events.
type Events interface {
	Events(ctx context.Context, org turnout.OrgID) ([]SealedEvent, error)
	// Event answers CodeNotFound for one that is not published.
	Event(ctx context.Context, org turnout.OrgID, id turnout.EventID) (SealedEvent, error)
}

// Seats tells how the pools of an org's events stand.
type Seats interface {
	Seatings(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]turnout.Seatings, error)
}

// Keyring opens org keys.
type Keyring interface {
	Ring(ctx context.Context, scope string) (*seal.Ring, error)
	// Drop makes the next Ring read the keys again.
	Drop(scope string)
}

// Options of a catalog. All but the last three are needed.
type Options struct {
	Orgs     Orgs
	Cache    Events
	Seats    Seats
	Feed     Feed
	Keyring  Keyring
	Renderer Renderer
	// Logger hears of reloads that failed; nil means silence.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Renders bounds how many events a second are drawn again for their seats
	// or their phase; 0 means 200. Published changes are not bounded.
	Renders int
}

// Catalog holds all published events of all orgs. Its reads take no lock.
type Catalog struct {
	o        Options
	follower *Follower
	now      atomic.Pointer[directory]

	mu    sync.Mutex // guards every change of what is shown, and the fields below
	owed  map[debt]*retry
	stale map[debt]time.Time

	gone withdrawn
}

// New makes an empty catalog.
func New(o Options) *Catalog {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Renders == 0 {
		o.Renders = 200
	}
	c := &Catalog{o: o, follower: NewFollower(o.Feed, o.Logger), owed: map[debt]*retry{}, stale: map[debt]time.Time{}}
	c.now.Store(&directory{})
	return c
}

// Follow adds a subscriber to the change feed, such as Links.Hear, or a hook
// that drops keys. It hears of each change before the catalog acts on it, in
// the order of the calls. Call it before Run.
func (c *Catalog) Follow(s Subscriber) { c.follower.Follow(s) }

// Load reads all events. It fails when the orgs cannot be read; what else
// fails is logged and tried again by Run, since one broken org must not keep
// an instance from starting.
func (c *Catalog) Load(ctx context.Context) error {
	if err := c.follower.Start(ctx); err != nil { // first: see Follower.Start
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reloadAll(ctx)
}

// Run keeps the catalog current until ctx ends. Call Load first.
func (c *Catalog) Run(ctx context.Context) error {
	c.follower.Follow(c.hear)
	var both sync.WaitGroup
	both.Go(func() { c.refresh(ctx) })
	err := c.follower.Run(ctx)
	both.Wait()
	return err
}

// Org returns the org that a host belongs to; host has no port and any case.
func (c *Catalog) Org(host string) (*turnout.Org, bool) {
	org, ok := c.now.Load().hosts[strings.ToLower(strings.TrimSuffix(host, "."))]
	return org, ok
}

// List returns the org's list page and its public events that are not over,
// by start. Nobody may change the slice.
func (c *Catalog) List(org turnout.OrgID) (Page, []*Entry) {
	if s := c.shelf(org); s != nil {
		return s.list, s.listed
	}
	return Page{}, nil
}

// Event returns a published event by its slug; private ones and those that
// are over too.
func (c *Catalog) Event(org turnout.OrgID, slug string) (*Entry, bool) {
	s := c.shelf(org)
	if s == nil {
		return nil, false
	}
	e, ok := s.bySlug[slug]
	return e, ok
}

// EventByID returns a published event by its record id.
func (c *Catalog) EventByID(org turnout.OrgID, id turnout.EventID) (*Entry, bool) {
	s := c.shelf(org)
	if s == nil {
		return nil, false
	}
	e, ok := s.byID[id]
	return e, ok
}

// shelf is what the org shows, nil if it is unknown or was never loaded.
func (c *Catalog) shelf(org turnout.OrgID) *shelf {
	if p, ok := c.now.Load().shelves[org]; ok {
		return p.Load()
	}
	return nil
}

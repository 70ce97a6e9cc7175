// Package edge spreads traffic over instances and regions and keeps every org
// and every visitor whole while it does (P6, P7, P10, P11).
//
// A request goes through it in one direction: who asks (client), whose page
// it is (view.go), whether they may now (modulate.go), which session it belongs
// to and so which upstream (session.go), and there and back, to another upstream
// where the first one fails (forward.go). Health, limits, signatures and rooms
// are packages of their own, and nothing of them is decided here.
package edge

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/accesslog"
	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/client"
	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/refusal"
	"github.com/turnout-events/turnout/internal/edge/room"
	"github.com/turnout-events/turnout/internal/edge/routing"
	"github.com/turnout-events/turnout/internal/edge/speech"
	"github.com/turnout-events/turnout/internal/limit"
	"github.com/turnout-events/turnout/internal/words"
)

// Options of an Edge.
type Options struct {
	// Signer signs sessions. Edges that share their keys share their sessions.
	Signer *affinity.Signer
	// Name tells this edge from others.
	Name string
	// Ledger is what edges share of waiting rooms; nil means that there is one edge.
	Ledger room.Ledger
	// Tickets sign places in line.
	Tickets *room.Keys
	// Connect makes what sends requests to an upstream; required.
	Connect func(origin *url.URL) pool.Exchange
	// Default is the allowance of an org that has none of its own; Client is that
	// of one client address. Zero means no limit.
	Default turnout.Allowance
	Client  limit.Rate
	// Meter and Share make what holds an org or a host to its allowance; nil means
	// that each edge does so by itself.
	Meter func(holder string) Meter
	Share func(holder string) Share
	// Trusted are proxies before the edge, whose X-Forwarded-For is believed.
	Trusted client.Proxies
	// Patience is how long a request that may be sent again waits for an
	// upstream, and any for one of its org's places; 0 means 2 s.
	Patience time.Duration
	// Stay is how long a visitor whose turn is near is kept waiting for it before
	// they are shown their place again; 0 means 10 s, less than nothing not at all.
	Stay time.Duration
	// Trial says that certificates are for development: browsers are not told to
	// keep to HTTPS, since the same names are served without it on other days.
	Trial bool
	// AccessLog gets a line for each request, nil for none. Lines hold nothing of
	// a person: tokens are masked, addresses left out.
	AccessLog io.Writer
	Logger    *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Edge is the distribution of traffic. Safe for concurrent use.
type Edge struct {
	o       Options
	now     func() time.Time
	log     *slog.Logger
	access  *accesslog.Log
	prober  *pool.Prober
	budget  *limit.Budget
	clients *limit.Table
	// throttled counts requests beyond a client's rate, whosever pages they were for.
	throttled atomic.Int64
	upgrade   http.Handler
	lines     *lines
	// refusals are what the edge says by itself.
	refusals refusal.Set
	speech   *words.Languages
	// linePages are the pages of those who wait, by language.
	linePages map[string]string

	view atomic.Pointer[view]
	// changing is held while the view is replaced.
	changing sync.Mutex
	former   *view // what Back goes back to
	live     *live
	probing  context.Context //nolint:containedctx // the prober's goroutines end with Run, whenever they were started
}

// mostClients is how many addresses are told apart at once.
const mostClients = 1 << 16

// retryShare of requests may be sent a second time, and retryReserve a second
// besides, so that a quiet edge may retry at all: what fails everywhere is not
// to be multiplied.
const (
	retryShare   = 0.2
	retryReserve = 20
)

// New makes an edge that routes by table.
func New(o Options, table *routing.Table) *Edge {
	if o.Patience == 0 {
		o.Patience = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Stay == 0 {
		o.Stay = 10 * time.Second
	}
	if o.Meter == nil {
		o.Meter = func(string) Meter { return &limit.Meter{} }
	}
	if o.Share == nil {
		o.Share = func(string) Share { return &limit.Share{} }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	e := &Edge{
		o: o, now: o.Now, log: o.Logger, access: accesslog.New(o.AccessLog),
		prober: pool.NewProber(pool.ProberOptions{Logger: o.Logger}), budget: limit.NewBudget(retryShare, retryReserve),
		clients: limit.NewTable(mostClients), live: newLive(o), speech: speech.New(),
		lines: newLines(o),
	}
	e.refusals, e.linePages = refusal.New(e.speech), linePages(e.speech)
	e.upgrade = e.upgrades()
	e.view.Store(newView(table, e.live, nil, o.Default, e.now()))
	return e
}

// Run probes upstreams until ctx ends, and the last probe is over.
func (e *Edge) Run(ctx context.Context) error {
	e.changing.Lock()
	e.probing = ctx
	e.watch()
	e.changing.Unlock()
	go e.access.Run(ctx)
	go e.moveLines(ctx)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			e.changing.Lock()
			e.probing = nil
			e.changing.Unlock()
			e.prober.Wait()
			return e.access.Flush()
		case <-tick.C:
			e.steerAll(e.now())
		}
	}
}

// stepsASecond is how often the lines move in which somebody waits.
const stepsASecond = 4

// moveLines steps the waiting rooms, which may wait for the store and are not to
// hold up anything else.
func (e *Edge) moveLines(ctx context.Context) {
	defer close(e.lines.ended)
	tick := time.NewTicker(time.Second / stepsASecond)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n%stepsASecond == 0 {
			e.stepRooms(ctx, e.now())
		} else {
			e.stepBusy(ctx, e.now())
		}
	}
}

// Swap routes by another table from the next request on. Connections stay, and
// so do sessions, as their upstreams do.
func (e *Edge) Swap(table *routing.Table) {
	e.changing.Lock()
	defer e.changing.Unlock()
	old := e.view.Load()
	e.former = old
	e.install(newView(table, e.live, old, e.o.Default, e.now()))
}

// Back routes by the table before the last Swap again, and reports whether
// there was one. Going back twice is going forth.
func (e *Edge) Back() bool {
	e.changing.Lock()
	defer e.changing.Unlock()
	if e.former == nil {
		return false
	}
	old := e.view.Load()
	again := e.former.table
	e.former = old
	e.install(newView(again, e.live, old, e.o.Default, e.now()))
	return true
}

func (e *Edge) install(v *view) {
	e.view.Store(v)
	e.live.keep(v, e.former)
	e.watch()
}

// watch has exactly the upstreams probed that are routed to, or were before:
// something may be under way there.
func (e *Edge) watch() {
	if e.probing == nil {
		return
	}
	all := map[*pool.Upstream]bool{}
	for _, v := range []*view{e.view.Load(), e.former} {
		if v == nil {
			continue
		}
		for _, u := range v.upstreams {
			all[u] = true
		}
	}
	e.prober.Watch(e.probing, all)
}

// Table is what is routed by now.
func (e *Edge) Table() *routing.Table { return e.view.Load().table }

// Drain keeps new sessions away from an upstream, and those that are there
// until deadline; the zero time ends that. It reports whether there is such an
// upstream.
func (e *Edge) Drain(name string, deadline time.Time) bool {
	for _, u := range e.view.Load().upstreams {
		if u.Name == name {
			u.Drain(deadline)
			return true
		}
	}
	return false
}

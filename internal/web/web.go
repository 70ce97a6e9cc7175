// Package web serves registrants: the list of events, event pages, forms,
// personal links and registrations, without any client code that they need.
//
// Handlers parse, call a feature and answer with a page. The package promises
// that nothing here can reach Salesforce (P3), that a GET or HEAD changes
// nothing (P12), that no personal data gets into an address or a log (P8), and
// that whatever a visitor typed comes back to them when it could not be taken.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/intake"
	"github.com/turnout-events/turnout/internal/session"
	"github.com/turnout-events/turnout/internal/web/page"
)

// Catalog answers from memory what is published.
type Catalog interface {
	Org(host string) (*turnout.Org, bool)
	List(org turnout.OrgID) (catalog.Page, []*catalog.Entry)
	Event(org turnout.OrgID, slug string) (*catalog.Entry, bool)
	EventByID(org turnout.OrgID, id turnout.EventID) (*catalog.Entry, bool)
}

// Links opens personal links from the cache.
type Links interface {
	Open(ctx context.Context, org turnout.OrgID, token string) (catalog.Link, error)
	// OpenSent is Open for what was sent through a link.
	OpenSent(ctx context.Context, org turnout.OrgID, token string) (catalog.Link, error)
}

// Pictures opens files of events' pictures from memory or the cache.
type Pictures interface {
	// Picture answers CodeNotFound for a file that is not there.
	Picture(ctx context.Context, org turnout.OrgID, name string) ([]byte, error)
}

// Reader shows registrations; it changes nothing.
type Reader interface {
	View(ctx context.Context, org turnout.OrgID, token string) (intake.View, error)
	// ByLink is the latest registration that came through a link, false if there is none.
	ByLink(ctx context.Context, org turnout.OrgID, link turnout.AttendeeLink) (intake.View, bool, error)
}

// Writer takes and changes registrations. Only POST handlers call it (P12).
type Writer interface {
	Register(ctx context.Context, org turnout.OrgID, e *turnout.Event, s turnout.Submission) (intake.View, error)
	Decline(ctx context.Context, org turnout.OrgID, e *turnout.Event, link turnout.AttendeeLink, invite turnout.Invite, key turnout.Key) (intake.View, error)
	Edit(ctx context.Context, org turnout.OrgID, e *turnout.Event, token string, from int64, d turnout.Details) (intake.View, error)
	Cancel(ctx context.Context, org turnout.OrgID, e *turnout.Event, token string) (intake.View, error)
}

// Intake is both.
type Intake interface {
	Reader
	Writer
}

// Sessions knows browsers again that opened a personal link. It keeps no request
// waiting for more than a moment, and writes nothing before the request is answered.
type Sessions interface {
	// Open is the session that a cookie's value stands for.
	Open(ctx context.Context, b session.Binding, value string) (session.Session, bool)
	// Seal is a session as a cookie's value.
	Seal(ctx context.Context, b session.Binding, s session.Session) (string, error)
	// End makes copies of a session's cookie worthless, as far as that can be done.
	End(ctx context.Context, b session.Binding, s session.Session) error
}

// Options of Web. Catalog, Links and Intake are required.
type Options struct {
	Catalog Catalog
	Links   Links
	Intake  Intake
	// Pictures may be nil, for none.
	Pictures Pictures
	// Sessions may be nil, for none. Stack is the one that this instance belongs to,
	// and that its sessions are worthless without (P6).
	Sessions Sessions
	Stack    string
	// Pages draws; nil means NewRenderer's. Give the one that the catalog has,
	// so that both say the same.
	Pages *page.Pages
	// Logger gets faults of ours, never personal data; nil means none.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// MaxBody bounds a form in bytes; zero means 64 KiB.
	MaxBody int64
}

// DefaultMaxBody is the largest form taken, in bytes: 20 guests and a dozen
// long answers fit several times over.
const DefaultMaxBody = 64 << 10

// Web serves registrants' pages. Any number of goroutines may use it.
type Web struct {
	catalog  Catalog
	links    Links
	pictures Pictures
	reader   Reader
	writer   Writer
	sessions Sessions
	stack    string
	pages    *page.Pages
	log      *slog.Logger
	now      func() time.Time
	maxBody  int64
	buffers  sync.Pool
	handler  http.Handler
}

// NewRenderer makes the catalog's renderer, which is also what Web draws with.
func NewRenderer(o page.Options) (*page.Pages, error) { return page.New(o) }

var _ catalog.Renderer = (*page.Pages)(nil)

// New makes a Web. It does no I/O.
func New(o Options) (*Web, error) {
	if o.Catalog == nil || o.Links == nil || o.Intake == nil {
		return nil, errors.New("make web: catalog, links and intake are required")
	}
	w := &Web{
		catalog: o.Catalog, links: o.Links, pictures: o.Pictures, reader: o.Intake, writer: o.Intake,
		sessions: o.Sessions, stack: o.Stack,
		pages: o.Pages, log: o.Logger, now: o.Now, maxBody: o.MaxBody,
	}
	w.buffers.New = func() any { return new([]byte) }
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.now == nil {
		w.now = time.Now
	}
	if w.maxBody == 0 {
		w.maxBody = DefaultMaxBody
	}
	if w.pages == nil {
		var err error
		if w.pages, err = NewRenderer(page.Options{Now: w.now}); err != nil {
			return nil, err
		}
	}
	w.handler = w.routes()
	return w, nil
}

// Handler serves the pages.
func (w *Web) Handler() http.Handler { return w.handler }

// Package api is Turnout's JSON: the public API for registrants' clients,
// Salesforce's hook, and the operators' API.
//
// The public part promises what the pages promise: no request reaches
// Salesforce (P3), a GET changes nothing (P12), a registration that was
// answered with 201 is on disk (P1), and a repeat under the same
// Idempotency-Key gets the first answer again. Errors are RFC 9457 problems
// and, like logs, repeat nothing that was sent (P8). Other origins are not let
// in: there is no CORS.
//
// The operators' part shows personal data where a person must decide, and so
// belongs on the admin listener alone.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/endpoint"
	"github.com/turnout-events/turnout/internal/api/hook"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/intake"
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

// Reader shows registrations; it changes nothing.
type Reader interface {
	View(ctx context.Context, org turnout.OrgID, token string) (intake.View, error)
	ByLink(ctx context.Context, org turnout.OrgID, link turnout.AttendeeLink) (intake.View, bool, error)
}

// Writer takes and changes registrations. No GET calls it (P12).
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

// Options of an API. The first five are needed.
type Options struct {
	Catalog Catalog
	Links   Links
	Intake  Intake
	Secrets hook.Secrets
	Hints   hook.Hints
	// HookOurs is hook.Options.Ours.
	HookOurs func(ctx context.Context, org turnout.OrgID, hook string, ttl time.Duration) (bool, error)
	// Origin is the absolute origin of an org's public pages; nil means https
	// on the org's first host, or http on ORG.localhost if it has none.
	Origin func(*turnout.Org) string
	// Logger gets faults of ours, never personal data; nil means none.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// MaxBody bounds a body in bytes, 0 means 64 KiB; ReadTimeout its time to
	// arrive, 0 means 10 s.
	MaxBody     int64
	ReadTimeout time.Duration
}

// API is the public API with the hook. Any number of goroutines may use it.
type API struct {
	catalog Catalog
	links   Links
	reader  Reader
	writer  Writer
	origin  func(*turnout.Org) string
	now     func() time.Time
	served  *endpoint.API
}

// New makes an API. It does no I/O.
func New(o Options) (*API, error) {
	if o.Catalog == nil || o.Links == nil || o.Intake == nil || o.Secrets == nil || o.Hints == nil {
		return nil, errors.New("make api: catalog, links, intake, secrets and hints are required")
	}
	a := &API{catalog: o.Catalog, links: o.Links, reader: o.Intake, writer: o.Intake, origin: o.Origin, now: o.Now}
	if a.now == nil {
		a.now = time.Now
	}
	if a.origin == nil {
		a.origin = func(o *turnout.Org) string { return o.PublicOrigin() }
	}
	h := hook.New(hook.Options{Org: a.org, Secrets: o.Secrets, Hints: o.Hints, Ours: o.HookOurs, Logger: o.Logger, Now: a.now, MaxBody: o.MaxBody, ReadTimeout: o.ReadTimeout})
	var err error
	a.served, err = endpoint.New(endpoint.Options{
		Title: "Turnout", About: about, Document: "/api/openapi.json", Routes: a.routes(h),
		Org: a.org, MaxBody: o.MaxBody, ReadTimeout: o.ReadTimeout, Logger: o.Logger,
	})
	return a, err
}

const about = "Events, registrations and personal links of the organisation whose host name is asked. " +
	"Bodies are JSON; names are taken exactly as written here. " +
	"Refusals are problems as in RFC 9457: decide by code, show errors to people."

// Handler serves /api/… and /hooks/salesforce.
func (a *API) Handler() http.Handler { return a.served }

// org finds the org by the request's host.
func (a *API) org(r *http.Request) (*turnout.Org, error) {
	if org, ok := a.catalog.Org(hostOf(r.Host)); ok {
		return org, nil
	}
	return nil, endpoint.Misdirected("no organisation has this host name")
}

// hostOf is a host without port, in lower case.
func hostOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

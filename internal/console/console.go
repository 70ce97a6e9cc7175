// Package console is the operators' pages under /console/: how it goes with
// every org, what Salesforce refused and why, and forgetting a person.
//
// The pages are drawn on the server, work without a script (there is none) and
// ask nobody else for anything. They hold personal data where a person must
// decide, so they belong on the admin listener, are kept by no cache, and put
// nothing personal into an address or a log (P8). A GET changes nothing (P12).
package console

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/erasure"
	"github.com/turnout-events/turnout/internal/oversight"
	"github.com/turnout-events/turnout/internal/words"
)

// Overseer shows how it goes.
type Overseer interface {
	Overview(ctx context.Context) ([]oversight.Org, error)
	Org(ctx context.Context, org turnout.OrgID) (oversight.Org, error)
	Events(ctx context.Context, org turnout.OrgID) ([]oversight.Event, error)
	Migration(ctx context.Context) (oversight.Migration, error)
}

// Parked shows what Salesforce refused.
type Parked interface {
	Parked(ctx context.Context, org turnout.OrgID, dismissed bool, limit int) ([]oversight.Parked, bool, error)
	OneParked(ctx context.Context, org turnout.OrgID, key turnout.Key) (oversight.Parked, error)
}

// Decider does what a person decides about it.
type Decider interface {
	Retry(ctx context.Context, org turnout.OrgID, key turnout.Key) (int, error)
	Amend(ctx context.Context, org turnout.OrgID, key turnout.Key, d turnout.Details) error
	Dismiss(ctx context.Context, org turnout.OrgID, key turnout.Key, cancel bool) error
}

// Desk is all of them.
type Desk interface {
	Overseer
	Parked
	Decider
}

// Forgetter erases people.
type Forgetter interface {
	Forget(ctx context.Context, org turnout.OrgID, email string) (erasure.Receipt, error)
}

// Options of a Console. Desk and Forget are needed.
type Options struct {
	Desk   Desk
	Forget Forgetter
	// Logger gets faults of ours, never personal data; nil means none.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Console serves the pages. Any number of goroutines may use it.
type Console struct {
	desk    Desk
	forget  Forgetter
	log     *slog.Logger
	now     func() time.Time
	pages   *pages
	handler http.Handler
}

// New parses the templates. It does no I/O besides.
func New(o Options) (*Console, error) {
	if o.Desk == nil || o.Forget == nil {
		return nil, errors.New("make console: desk and forget are required")
	}
	c := &Console{desk: o.Desk, forget: o.Forget, log: o.Logger, now: o.Now}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	var err error
	if c.pages, err = newPages(c.now); err != nil {
		return nil, err
	}
	c.handler = c.routes()
	return c, nil
}

// Handler serves /console/….
func (c *Console) Handler() http.Handler { return c.handler }

// routes are all addresses of the console.
func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /console/{$}", c.showOverview)
	mux.HandleFunc("GET /console/migration", c.showMigration)
	mux.HandleFunc("GET /console/assets/{name}", c.pages.showAsset)
	mux.HandleFunc("GET /console/orgs/{org}", c.showOrg)
	mux.HandleFunc("GET /console/orgs/{org}/parked", c.showParked)
	mux.HandleFunc("POST /console/orgs/{org}/parked/retry", c.retryAll)
	mux.HandleFunc("GET /console/orgs/{org}/parked/{key}", c.showAmend)
	mux.HandleFunc("POST /console/orgs/{org}/parked/{key}", c.amend)
	mux.HandleFunc("POST /console/orgs/{org}/parked/{key}/retry", c.retryOne)
	mux.HandleFunc("GET /console/orgs/{org}/parked/{key}/dismiss", c.showDismiss)
	mux.HandleFunc("POST /console/orgs/{org}/parked/{key}/dismiss", c.dismiss)
	mux.HandleFunc("GET /console/orgs/{org}/forget", c.showForget)
	mux.HandleFunc("POST /console/orgs/{org}/forget", c.forgetPerson)
	mux.HandleFunc("/console/", func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, turnout.Errorf(turnout.CodeNotFound, "find page", "there is no such page"))
	})
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, turnout.Errorf(turnout.CodeForbidden, "check origin", "that came from a page of another site, so nothing was done"))
	}))
	return secured(protection.Handler(mux))
}

// policy is the Content-Security-Policy of every page: our own stylesheet and
// nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// secured sets the headers that every answer carries.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cache-Control", "private, no-store")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		next.ServeHTTP(w, r)
	})
}

// show draws a page and writes it.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var page bytes.Buffer
	if err := c.pages.draw(&page, name, data); err != nil {
		c.note(r, err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // whoever went away does not need it
}

// problem is the page that says what went wrong.
type problem struct {
	frame
	Detail string
}

// fail answers an error that no page of its own is made for.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := turnout.CodeOf(err)
	status, title := statusOf(code)
	p := problem{frame: frame{Title: title}}
	p.setLive(w, r) // a page on a wall comes back by itself
	var e *turnout.Error
	switch {
	case status == http.StatusInternalServerError:
		c.note(r, err)
		p.Detail = "The log of this instance says more."
	case status == http.StatusServiceUnavailable:
		p.Detail = "The store did not answer, so it is not certain that anything was done. Look again in a minute."
	case errors.As(err, &e) && e.Detail != "":
		p.Detail = words.Sentence(e.Detail)
	}
	c.show(w, r, status, "problem", p)
}

// note logs a fault of ours. The route is named by its pattern (P8).
func (c *Console) note(r *http.Request, err error) {
	c.log.ErrorContext(r.Context(), "show console", slog.String("route", r.Pattern), slog.Any("error", err))
}

// statusOf is a code as an HTTP status and a title.
func statusOf(code turnout.Code) (int, string) {
	switch code {
	case turnout.CodeNotFound:
		return http.StatusNotFound, "Not found"
	case turnout.CodeForbidden:
		return http.StatusForbidden, "Not allowed"
	case turnout.CodeMalformed:
		return http.StatusBadRequest, "This could not be read"
	case turnout.CodeTooLarge:
		return http.StatusRequestEntityTooLarge, "This is too much"
	case turnout.CodeInvalid, turnout.CodeClosed, turnout.CodeConflict, turnout.CodeFull, turnout.CodeStale:
		return http.StatusConflict, "This does not work now"
	case turnout.CodeForgotten:
		return http.StatusGone, "This was deleted for good"
	case turnout.CodeUnavailable, turnout.CodeUnknown, turnout.CodeNoSpace, turnout.CodeThrottled:
		return http.StatusServiceUnavailable, "The store does not answer"
	}
	return http.StatusInternalServerError, "Turnout made a mistake"
}

package web

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/web/page"
)

// retryAfter is what a visitor is told to wait where nobody said otherwise, in
// step with the words "in a minute".
const retryAfter = time.Minute

// writePrivate writes a page that is one person's own.
func (web *Web) writePrivate(w http.ResponseWriter, status int, html []byte) {
	private(w.Header())
	writeHTML(w, status, html)
}

func writeHTML(w http.ResponseWriter, status int, html []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", itoa(len(html)))
	w.WriteHeader(status)
	_, _ = w.Write(html) // whoever went away does not need it
}

// notice writes a page that says one thing. Org is nil where none is known.
func (web *Web) notice(w http.ResponseWriter, r *http.Request, org *turnout.Org, status int, n page.Notice) {
	html, err := n.Page(org)
	if err != nil {
		web.log.ErrorContext(r.Context(), "draw notice", slog.Any("error", err))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	web.writePrivate(w, status, html)
}

// about is the pages about an event, in its language.
func (web *Web) about(entry *catalog.Entry) *page.Edition {
	return web.pages.Of(entry.Org, entry.Event)
}

// visitors is the pages about no event, in the language of whoever asks.
func (web *Web) visitors(r *http.Request, org *turnout.Org) *page.Edition {
	return web.pages.For(org, r.Header.Get("Accept-Language"))
}

func toEvents(in *page.Edition) page.Link {
	return page.Link{Path: "/", Text: in.Say("notice.events")}
}

func toEvent(in *page.Edition, e *turnout.Event) page.Link {
	return page.Link{Path: page.EventPath(e), Text: in.Say("notice.event")}
}

func toRegistration(in *page.Edition, token string) page.Link {
	return page.Link{Path: page.RegistrationPath(token), Text: in.Say("notice.registration")}
}

func (web *Web) showUnknownHost(w http.ResponseWriter, r *http.Request) {
	web.notice(w, r, nil, http.StatusMisdirectedRequest, web.visitors(r, nil).Notice("host"))
}

func (web *Web) showMissing(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	in := web.visitors(r, org)
	n := in.Notice("missing")
	n.Links = []page.Link{toEvents(in)}
	web.notice(w, r, org, http.StatusNotFound, n)
}

func (web *Web) showUnrouted(w http.ResponseWriter, r *http.Request, org *turnout.Org, status int) {
	if status == http.StatusMethodNotAllowed {
		web.notice(w, r, org, status, web.visitors(r, org).Notice("method"))
		return
	}
	web.showMissing(w, r, org)
}

func (web *Web) refuseCrossOrigin(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	in := web.visitors(r, org)
	n := in.Notice("cross")
	n.Links = []page.Link{{Path: r.URL.Path, Text: in.Say("notice.retry")}}
	web.notice(w, r, org, http.StatusForbidden, n)
}

// refuseBody answers a body that readForm could not read.
func (web *Web) refuseBody(w http.ResponseWriter, r *http.Request, entry *catalog.Entry, err error) {
	in, org := web.about(entry), entry.Org
	switch {
	case errors.Is(err, errMediaType):
		web.notice(w, r, org, http.StatusUnsupportedMediaType, in.Notice("media"))
	case errors.Is(err, errSlow):
		w.Header().Set("Connection", "close")
		web.notice(w, r, org, http.StatusRequestTimeout, in.Notice("slow"))
	case turnout.CodeOf(err) == turnout.CodeTooLarge:
		w.Header().Set("Connection", "close")
		web.notice(w, r, org, http.StatusRequestEntityTooLarge, in.Notice("large", web.maxBody>>10))
	default:
		web.notice(w, r, org, http.StatusBadRequest, in.Notice("malformed"))
	}
}

// status is the one table from codes to HTTP statuses for pages.
func status(code turnout.Code) int {
	switch code {
	case turnout.CodeMalformed:
		return http.StatusBadRequest
	case turnout.CodeInvalid:
		return http.StatusUnprocessableEntity
	case turnout.CodeStale, turnout.CodeReused, turnout.CodeFull, turnout.CodeConflict, turnout.CodeClosed:
		return http.StatusConflict
	case turnout.CodeNotFound:
		return http.StatusNotFound
	case turnout.CodeForgotten:
		return http.StatusGone
	case turnout.CodeUnauthorized, turnout.CodeForbidden:
		return http.StatusForbidden
	case turnout.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case turnout.CodeThrottled:
		return http.StatusTooManyRequests
	case turnout.CodeUnavailable, turnout.CodeUnknown, turnout.CodeNoSpace:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// mayPass reports whether the same request may succeed a little later.
func mayPass(code turnout.Code) bool {
	s := status(code)
	return s == http.StatusServiceUnavailable || s == http.StatusTooManyRequests
}

// setRetryAfter says when to come back, in whole seconds.
func setRetryAfter(h http.Header, err error) {
	wait := turnout.RetryAfterOf(err)
	if wait <= 0 {
		wait = retryAfter
	}
	h.Set("Retry-After", itoa(int((wait+time.Second-1)/time.Second)))
}

// fail answers an error that no page of its own is made for.
func (web *Web) fail(w http.ResponseWriter, r *http.Request, org *turnout.Org, err error) {
	code, in := turnout.CodeOf(err), web.visitors(r, org)
	switch {
	case code == turnout.CodeNotFound:
		web.showMissing(w, r, org)
	case code == turnout.CodeForgotten:
		web.notice(w, r, org, http.StatusGone, in.Notice("forgotten"))
	case code == turnout.CodeMalformed:
		web.notice(w, r, org, http.StatusBadRequest, in.Notice("malformed"))
	case mayPass(code):
		setRetryAfter(w.Header(), err)
		web.notice(w, r, org, status(code), in.Notice("later"))
	default:
		web.note(r, org, err)
		web.notice(w, r, org, http.StatusInternalServerError, in.Notice("fault"))
	}
}

// note logs a fault of ours. The route is named by its pattern, since the path
// may hold a token.
func (web *Web) note(r *http.Request, org *turnout.Org, err error) {
	web.log.ErrorContext(r.Context(), "answer request",
		slog.String("route", r.Pattern), slog.String("org", string(org.ID)), slog.Any("error", err))
}

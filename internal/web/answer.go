package web

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/turnout-events/turnout"
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
	html, err := web.pages.NoticePage(org, n)
	if err != nil {
		web.log.ErrorContext(r.Context(), "draw notice", slog.Any("error", err))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	web.writePrivate(w, status, html)
}

// say makes a notice of the words "notice.KEY.title" and "notice.KEY.text".
func (web *Web) say(key string, args ...any) page.Notice {
	return page.Notice{Title: web.pages.Say("notice." + key + ".title"), Lines: []string{web.pages.Say("notice."+key+".text", args...)}}
}

func (web *Web) toEvents() page.Link {
	return page.Link{Path: "/", Text: web.pages.Say("notice.events")}
}

func (web *Web) toEvent(e *turnout.Event) page.Link {
	return page.Link{Path: page.EventPath(e), Text: web.pages.Say("notice.event")}
}

func (web *Web) showUnknownHost(w http.ResponseWriter, r *http.Request) {
	web.notice(w, r, nil, http.StatusMisdirectedRequest, web.say("host"))
}

func (web *Web) showMissing(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	n := web.say("missing")
	n.Links = []page.Link{web.toEvents()}
	web.notice(w, r, org, http.StatusNotFound, n)
}

func (web *Web) showUnrouted(w http.ResponseWriter, r *http.Request, org *turnout.Org, status int) {
	if status == http.StatusMethodNotAllowed {
		web.notice(w, r, org, status, web.say("method"))
		return
	}
	web.showMissing(w, r, org)
}

func (web *Web) refuseCrossOrigin(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	n := web.say("cross")
	n.Links = []page.Link{{Path: r.URL.Path, Text: web.pages.Say("notice.retry")}}
	web.notice(w, r, org, http.StatusForbidden, n)
}

// refuseBody answers a body that readForm could not read.
func (web *Web) refuseBody(w http.ResponseWriter, r *http.Request, org *turnout.Org, err error) {
	switch {
	case errors.Is(err, errMediaType):
		web.notice(w, r, org, http.StatusUnsupportedMediaType, web.say("media"))
	case errors.Is(err, errSlow):
		w.Header().Set("Connection", "close")
		web.notice(w, r, org, http.StatusRequestTimeout, web.say("slow"))
	case turnout.CodeOf(err) == turnout.CodeTooLarge:
		w.Header().Set("Connection", "close")
		web.notice(w, r, org, http.StatusRequestEntityTooLarge, web.say("large", web.maxBody>>10))
	default:
		web.notice(w, r, org, http.StatusBadRequest, web.say("malformed"))
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
	code := turnout.CodeOf(err)
	switch {
	case code == turnout.CodeNotFound:
		web.showMissing(w, r, org)
	case code == turnout.CodeForgotten:
		web.notice(w, r, org, http.StatusGone, web.say("forgotten"))
	case code == turnout.CodeMalformed:
		web.notice(w, r, org, http.StatusBadRequest, web.say("malformed"))
	case mayPass(code):
		setRetryAfter(w.Header(), err)
		web.notice(w, r, org, status(code), web.say("later"))
	default:
		web.note(r, org, err)
		web.notice(w, r, org, http.StatusInternalServerError, web.say("fault"))
	}
}

// note logs a fault of ours. The route is named by its pattern, since the path
// may hold a token.
func (web *Web) note(r *http.Request, org *turnout.Org, err error) {
	web.log.ErrorContext(r.Context(), "answer request",
		slog.String("route", r.Pattern), slog.String("org", string(org.ID)), slog.Any("error", err))
}

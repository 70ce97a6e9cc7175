package edge

import (
	_ "embed"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/drain"
)

// Refusal is what the proxy says by itself, to a program as a problem
// (RFC 9457) and to a person as a page. It names nobody.
type Refusal struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Code   turnout.Code `json:"code"`
	Detail string       `json:"detail"`

	// heading and text are for people.
	heading, text string
}

// Refusals are all that the proxy says by itself. Types and titles are those of
// the API, since a client does not care who in the house refuses.
func Refusals() map[int]Refusal {
	return map[int]Refusal{
		http.StatusBadRequest: {
			Type: "urn:turnout:problem:malformed", Title: "The request cannot be read", Code: turnout.CodeMalformed,
			Detail:  "The body broke off. Send it again, whole.",
			heading: "That did not arrive whole", text: "The connection broke off on the way here. Go back and send it again.",
		},
		http.StatusRequestTimeout: {
			Type: "urn:turnout:problem:request_timeout", Title: "The request took too long to arrive", Code: turnout.CodeMalformed,
			Detail:  "The body took too long to arrive. Send it again.",
			heading: "That took too long to arrive", text: "Your connection is slow just now. Go back and send it again.",
		},
		http.StatusRequestEntityTooLarge: {
			Type: "urn:turnout:problem:too_large", Title: "The request is too large", Code: turnout.CodeTooLarge,
			Detail:  "No request of this size is taken.",
			heading: "That is too large", text: "More was sent than any form here takes. Go back and shorten it.",
		},
		http.StatusNotFound: {
			Type: "urn:turnout:problem:not_found", Title: "There is no such thing here", Code: turnout.CodeNotFound,
			Detail:  "Nothing is served at this address.",
			heading: "There is nothing here", text: "Check the address for a part that is missing.",
		},
		http.StatusMisdirectedRequest: {
			Type: "urn:turnout:problem:misdirected", Title: "This host name is not served here", Code: turnout.CodeNotFound,
			Detail:  "No organisation is served under this name. Check the host of the address.",
			heading: "There is no such site here", text: "Check the address. If a mail brought you here, use the link in it once more.",
		},
		http.StatusTooManyRequests: {
			Type: "urn:turnout:problem:throttled", Title: "Too many requests", Code: turnout.CodeThrottled,
			Detail:  "More was asked than is allowed. Wait as long as Retry-After says, then send the same request again.",
			heading: "One moment, please", text: "A great deal is being asked for at once. Wait a few seconds, then reload this page; nothing you typed is lost if you go back.",
		},
		http.StatusServiceUnavailable: {
			Type: "urn:turnout:problem:unavailable", Title: "This is not available for the moment", Code: turnout.CodeUnavailable,
			Detail:  "No server answers right now. Send the same request again in a few seconds, with the same Idempotency-Key.",
			heading: "This page is not available for a moment", text: "Try again in a few seconds. Nothing you typed is lost if you go back.",
		},
	}
}

// statusOf tells whose fault it is: what is wrong with the body is the
// client's, anything else is ours.
func statusOf(err error) int {
	switch {
	case errors.Is(err, errSlow):
		return http.StatusRequestTimeout
	case errors.Is(err, errBroken):
		return http.StatusBadRequest
	case errors.Is(err, errLarge):
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusServiceUnavailable
}

// refuse answers where no instance did.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	switch status {
	case http.StatusServiceUnavailable:
		if r.Context().Err() == nil {
			p.o.Logger.Warn("edge: no instance answered", "error", err)
		}
		w.Header().Set("Retry-After", "5")
		drain.Rest(w, r)
	case http.StatusRequestEntityTooLarge:
		w.Header().Set("Connection", "close")
		drain.Rest(w, r)
	default: // the rest of the body is not to be waited for
		w.Header().Set("Connection", "close")
	}
	answerWith(w, r, status, "")
}

// refuse answers a visit by the edge itself.
func (e *Edge) refuse(v *visit, status int) {
	v.status = status
	switch status {
	case http.StatusServiceUnavailable:
		v.w.Header().Set("Retry-After", "5")
		drain.Rest(v.w, v.r)
	case http.StatusRequestEntityTooLarge:
		v.w.Header().Set("Connection", "close")
		drain.Rest(v.w, v.r)
	case http.StatusBadRequest, http.StatusRequestTimeout: // the rest of the body is not to be waited for
		v.w.Header().Set("Connection", "close")
	}
	if v.https {
		v.w.Header().Set("Strict-Transport-Security", strictTransport)
	}
	if v.pass != "" { // whoever was let in stays in, though nobody answered
		v.setCookie(v.w.Header(), passCookie, v.pass)
	}
	name := ""
	if v.site != nil {
		name = v.site.name
	}
	answerWith(v.w, v.r, status, name)
}

// answerWith answers with a problem or a page; name is the org's whose page it
// is, empty for nobody's.
func answerWith(w http.ResponseWriter, r *http.Request, status int, name string) {
	answer := Refusals()[status]
	answer.Status = status
	if strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/hooks/") || strings.HasPrefix(r.URL.Path, "/admin/") {
		answer.problem(w)
		return
	}
	answer.page(w, name)
}

func (a Refusal) problem(w http.ResponseWriter) {
	body, err := json.Marshal(a)
	if err != nil { // it is strings and numbers
		http.Error(w, http.StatusText(a.Status), a.Status)
		return
	}
	a.write(w, "application/problem+json", append(body, '\n'))
}

//go:embed refusal.html
var pageHTML string

func (a Refusal) page(w http.ResponseWriter, name string) {
	named := ""
	if name != "" {
		named = "<p>" + html.EscapeString(name) + "</p>\n"
	}
	// The page has one inline style and nothing else.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	a.write(w, "text/html; charset=utf-8", []byte(strings.NewReplacer("{{heading}}", a.heading, "{{text}}", a.text, "{{name}}", named).Replace(pageHTML)))
}

func (a Refusal) write(w http.ResponseWriter, media string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.Status)
	_, _ = w.Write(body) // whoever went away does not need it
}

// Package refusal is what is said by whoever stands before the instances and answers
// by themselves: a problem (RFC 9457) to programs, a page that says what to do to
// people. It is made once, so that refusing costs less than serving (P7), and names
// nobody but the org whose page it is.
package refusal

import (
	_ "embed"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/held"
)

// Refusal is what is said with one status.
type Refusal struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Code   turnout.Code `json:"code"`
	Detail string       `json:"detail"`

	// heading and text are for people.
	heading, text string
}

// All is what is said, by status. Types and titles are those of
// the API, since a client does not care who in the house refuses.
func All() map[int]Refusal {
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

// Unknown is what is said, with 503, of a change that somebody may have made.
func Unknown() Refusal {
	return Refusal{
		Type: "urn:turnout:problem:unknown_outcome", Title: "It is not known whether this was done", Code: turnout.CodeUnknown,
		Status:  http.StatusServiceUnavailable,
		Detail:  "Send the same request again in half a minute, with the same Idempotency-Key or revision: it is done once.",
		heading: "We cannot tell whether this worked", text: "It may have been done already. Wait half a minute, then go back and send it again: it is done once, and nothing you typed is lost.",
	}
}

// StatusOf tells whose fault it is: what is wrong with the body is the
// client's, anything else is ours.
func StatusOf(err error) int {
	switch {
	case errors.Is(err, held.ErrSlow):
		return http.StatusRequestTimeout
	case errors.Is(err, held.ErrBroken):
		return http.StatusBadRequest
	case errors.Is(err, held.ErrLarge):
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusServiceUnavailable
}

//go:embed refusal.html
var pageHTML string

// Set is all that is said, as it goes out. Safe for concurrent use.
type Set struct {
	by      map[int]said // status
	unknown said
}

// said is one refusal, for people and for programs.
type said struct {
	status        int
	page, problem spoken
}

// spoken is one answer.
type spoken struct {
	header http.Header // whose values are shared and never changed
	body   []byte
	name   int // where in it the name of an org goes that is refused for
}

// New makes it.
func New() Set {
	all := Set{by: map[int]said{}, unknown: Unknown().said()}
	for status, r := range All() {
		r.Status = status
		all.by[status] = r.said()
	}
	return all
}

func (a Refusal) said() said { return said{a.Status, a.page(), a.problem()} }

// Answer writes what is said with a status. named is the paragraph that names
// whose page it is, empty for nobody's.
func (all Set) Answer(w http.ResponseWriter, r *http.Request, status int, named string) {
	all.by[status].answer(w, r, named)
}

// AnswerUnknown writes what is said of a change that somebody may have made.
func (all Set) AnswerUnknown(w http.ResponseWriter, r *http.Request, named string) {
	all.unknown.answer(w, r, named)
}

func (what said) answer(w http.ResponseWriter, r *http.Request, named string) {
	s := what.page
	if strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/hooks/") || strings.HasPrefix(r.URL.Path, "/admin/") {
		s = what.problem
	}
	h := w.Header()
	for name, values := range s.header {
		h[name] = values
	}
	w.WriteHeader(what.status)
	body := s.body
	if named != "" && s.name > 0 {
		body = slices.Concat(body[:s.name], []byte(named), body[s.name:])
	}
	_, _ = w.Write(body) // whoever went away does not need it
}

// Named is the paragraph that names an org, empty for one without a name.
func Named(org string) string {
	if org == "" {
		return ""
	}
	return "<p>" + html.EscapeString(org) + "</p>\n"
}

func (a Refusal) problem() spoken {
	body, err := json.Marshal(a)
	if err != nil { // it is strings and numbers
		body = []byte("{}")
	}
	return spoken{header: Header("application/problem+json"), body: append(body, '\n')}
}

func (a Refusal) page() spoken {
	h := Header("text/html; charset=utf-8")
	// The page has one inline style and nothing else.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	text := strings.NewReplacer("{{heading}}", a.heading, "{{text}}", a.text).Replace(pageHTML)
	before, after, _ := strings.Cut(text, "{{name}}")
	return spoken{header: h, body: []byte(before + after), name: len(before)}
}

// Header is what an answer has that is for this moment and this visitor alone.
func Header(media string) http.Header {
	return http.Header{"Content-Type": {media}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}}
}

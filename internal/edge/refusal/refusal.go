// Package refusal is what is said by whoever stands before the instances and answers
// by themselves: a problem (RFC 9457) to programs, a page that says what to do to
// people, in their language. It is made once, so that refusing costs less than serving
// (P7), and names nobody but the org whose page it is.
package refusal

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/held"
	"github.com/turnout-events/turnout/internal/edge/speech"
	"github.com/turnout-events/turnout/internal/words"
)

// Refusal is what is said with one status.
type Refusal struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Code   turnout.Code `json:"code"`
	Detail string       `json:"detail"`

	// key is where package speech has the words for people; empty is by the status.
	key string
}

// All is what is said, by status. Types and titles are those of
// the API, since a client does not care who in the house refuses.
func All() map[int]Refusal {
	return map[int]Refusal{
		http.StatusBadRequest: {
			Type: "urn:turnout:problem:malformed", Title: "The request cannot be read", Code: turnout.CodeMalformed,
			Detail: "The body broke off. Send it again, whole.",
		},
		http.StatusRequestTimeout: {
			Type: "urn:turnout:problem:request_timeout", Title: "The request took too long to arrive", Code: turnout.CodeMalformed,
			Detail: "The body took too long to arrive. Send it again.",
		},
		http.StatusRequestEntityTooLarge: {
			Type: "urn:turnout:problem:too_large", Title: "The request is too large", Code: turnout.CodeTooLarge,
			Detail: "No request of this size is taken.",
		},
		http.StatusNotFound: {
			Type: "urn:turnout:problem:not_found", Title: "There is no such thing here", Code: turnout.CodeNotFound,
			Detail: "Nothing is served at this address.",
		},
		http.StatusMisdirectedRequest: {
			Type: "urn:turnout:problem:misdirected", Title: "This host name is not served here", Code: turnout.CodeNotFound,
			Detail: "No organisation is served under this name. Check the host of the address.",
		},
		http.StatusTooManyRequests: {
			Type: "urn:turnout:problem:throttled", Title: "Too many requests", Code: turnout.CodeThrottled,
			Detail: "More was asked than is allowed. Wait as long as Retry-After says, then send the same request again.",
		},
		http.StatusServiceUnavailable: {
			Type: "urn:turnout:problem:unavailable", Title: "This is not available for the moment", Code: turnout.CodeUnavailable,
			Detail: "No server answers right now. Send the same request again in a few seconds, with the same Idempotency-Key.",
		},
	}
}

// Unknown is what is said, with 503, of a change that somebody may have made.
func Unknown() Refusal {
	return Refusal{
		Type: "urn:turnout:problem:unknown_outcome", Title: "It is not known whether this was done", Code: turnout.CodeUnknown,
		Status: http.StatusServiceUnavailable,
		Detail: "Send the same request again in half a minute, with the same Idempotency-Key or revision: it is done once.",
		key:    "unknown",
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
	languages *words.Languages
	by        map[int]said // status
	unknown   said
}

// said is one refusal, for people by their language, and for programs.
type said struct {
	status  int
	pages   map[string]spoken
	problem spoken
}

// spoken is one answer.
type spoken struct {
	header http.Header // whose values are shared and never changed
	body   []byte
	name   int // where in it the name of an org goes that is refused for
}

// Whose says whose page refuses. The zero value is nobody's.
type Whose struct{ named, language string }

// Of is the page of an org, by its name and language; either may be empty.
func Of(org, language string) Whose {
	if org != "" {
		org = "<p>" + html.EscapeString(org) + "</p>\n"
	}
	return Whose{org, language}
}

// New makes it in these languages.
func New(languages *words.Languages) Set {
	all := Set{languages: languages, by: map[int]said{}, unknown: Unknown().said(languages)}
	for status, r := range All() {
		r.Status = status
		all.by[status] = r.said(languages)
	}
	return all
}

func (a Refusal) said(languages *words.Languages) said {
	s := said{a.Status, map[string]spoken{}, a.problem()}
	for _, tag := range languages.Tags() {
		s.pages[tag] = a.page(languages.Of(tag))
	}
	return s
}

// Answer writes what is said with a status.
func (all Set) Answer(w http.ResponseWriter, r *http.Request, status int, whose Whose) {
	all.answer(w, r, all.by[status], whose)
}

// AnswerUnknown writes what is said of a change that somebody may have made.
func (all Set) AnswerUnknown(w http.ResponseWriter, r *http.Request, whose Whose) {
	all.answer(w, r, all.unknown, whose)
}

func (all Set) answer(w http.ResponseWriter, r *http.Request, what said, whose Whose) {
	s, path := what.problem, r.URL.Path
	people := !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/hooks/") && !strings.HasPrefix(path, "/admin/")
	if people {
		s = what.pages[speech.To(all.languages, r, whose.language).Tag]
	}
	h := w.Header()
	for name, values := range s.header {
		h[name] = values
	}
	w.WriteHeader(what.status)
	body := s.body
	if whose.named != "" && people {
		body = slices.Concat(body[:s.name], []byte(whose.named), body[s.name:])
	}
	_, _ = w.Write(body) // whoever went away does not need it
}

func (a Refusal) problem() spoken {
	body, err := json.Marshal(a)
	if err != nil { // it is strings and numbers
		body = []byte("{}")
	}
	return spoken{header: Header("application/problem+json"), body: append(body, '\n')}
}

func (a Refusal) page(in *words.Language) spoken {
	h := Header("text/html; charset=utf-8")
	// The page has one inline style and nothing else.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	key := "refusal." + cmp.Or(a.key, strconv.Itoa(a.Status))
	text := strings.NewReplacer("{{lang}}", in.Tag, "{{heading}}", html.EscapeString(in.Say(key+".title")), "{{text}}", html.EscapeString(in.Say(key+".text"))).Replace(pageHTML)
	before, after, _ := strings.Cut(text, "{{name}}")
	return spoken{header: h, body: []byte(before + after), name: len(before)}
}

// Header is what an answer has that is for this moment and this visitor alone.
func Header(media string) http.Header {
	return http.Header{"Content-Type": {media}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}}
}

// Package problem says in JSON what went wrong, as RFC 9457 asks.
//
// It holds the one table from error codes to HTTP statuses. What it writes
// names fields and says what to do about them; it never repeats a value that
// was sent, nor the text of an error's cause (P8).
package problem

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/words"
)

// ContentType is the media type of RFC 9457.
const ContentType = "application/problem+json"

// Problem is one refusal.
type Problem struct {
	// Type is a URN, one for each code and for each status that At knows. It has
	// one title.
	Type   string `json:"type" format:"uri" example:"urn:turnout:problem:invalid" doc:"Names the kind of problem: its code, or method_not_allowed (405), request_timeout (408), media_type (415) or misdirected (421)."`
	Title  string `json:"title" doc:"What kind of thing went wrong, for people."`
	Status int    `json:"status" doc:"The HTTP status."`
	// Code is what a program decides by.
	Code   turnout.Code `json:"code" doc:"What a program decides by: one of a closed set. It is malformed with 405, 408 and 415, and not_found with 421; their type says more."`
	Detail string       `json:"detail,omitempty" doc:"What to do about it, for people."`
	Errors []Fault      `json:"errors,omitempty" doc:"Every broken rule, in the order of the form. A missing Idempotency-Key comes with those of the body."`
	// RetryAfter is the Retry-After header, zero for none.
	RetryAfter time.Duration `json:"-"`
}

// Fault is one broken rule.
type Fault struct {
	Field   string `json:"field" example:"guests.0.last_name" doc:"The field's name; empty when it is about the whole."`
	Pointer string `json:"pointer" example:"#/guests/0/last_name" doc:"The same as a JSON pointer into the body that was sent."`
	Message string `json:"message" doc:"What to do about it, in English."`
	// Rule names the rule, empty where it is none of the closed set.
	Rule turnout.Rule `json:"rule,omitempty" enum:"missing,control,direction,long,email,email_plain,ticket,agenda,no_guests,one_guest,guests,question,answer,answer_choose,answer_one,answer_control,answer_direction,answer_long,answer_email,answer_phone,answer_listed,answer_yes_no,answer_line,answer_separators,answer_number,answer_min,answer_max,answer_date,answer_years" example:"missing" doc:"Which rule is broken, for whoever says it in another language: one of a closed set."`
}

const urn = "urn:turnout:problem:"

// retryAfter is what a caller is told to wait where nobody said otherwise.
const retryAfter = time.Minute

// Of says err in public: its code, its Detail and its Fields, nothing of its causes.
func Of(err error) Problem {
	code := turnout.CodeOf(err)
	k := kinds(code)
	p := Problem{Type: urn + string(code), Title: k.title, Status: k.status, Code: code, Detail: k.detail}
	var e *turnout.Error
	if errors.As(err, &e) && e.Detail != "" && k.status < http.StatusInternalServerError {
		p.Detail = words.Sentence(e.Detail)
	}
	for _, f := range turnout.FieldsOf(err) {
		p.Errors = append(p.Errors, Fault{Field: f.Field, Pointer: pointer(f.Field), Message: f.Message, Rule: f.Rule})
	}
	if k.status == http.StatusServiceUnavailable || k.status == http.StatusTooManyRequests {
		p.RetryAfter = max(turnout.RetryAfterOf(err), 0)
		if p.RetryAfter == 0 {
			p.RetryAfter = retryAfter
		}
	}
	return p
}

// At is err said with a status that HTTP has a number of its own for, such as
// 405 or 415. It is a type of its own beside its code.
func At(status int, err error) Problem {
	p := Of(err)
	name, title := named(status)
	p.Status, p.Type, p.Title = status, urn+name, title
	if name == "" { // as RFC 9457, 4.2.1 has it
		p.Type = "about:blank"
	}
	return p
}

// Write answers with p. Nobody keeps it.
func (p Problem) Write(w http.ResponseWriter) {
	body, err := json.Marshal(p)
	if err != nil { // it is strings and numbers
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((p.RetryAfter+time.Second-1)/time.Second), 10))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // whoever went away does not need it
}

// pointer turns "guests.0.last_name" into "#/guests/0/last_name".
func pointer(field string) string {
	if field == "" {
		return "#"
	}
	return "#/" + strings.ReplaceAll(strings.NewReplacer("~", "~0", "/", "~1").Replace(field), ".", "/")
}

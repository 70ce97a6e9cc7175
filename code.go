package turnout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code says what kind of thing went wrong. The set is closed: adapters turn
// foreign errors into one of these, features decide by them, and faces turn
// them into pages, problems and exit statuses. Nothing decides by message text.
type Code string

const (
	// CodeMalformed: the bytes cannot be read at all.
	CodeMalformed Code = "malformed"
	// CodeInvalid: readable, but a rule is broken; Error.Fields says where.
	CodeInvalid Code = "invalid"
	// CodeStale: the form changed after it was shown; ask again, keep what was typed.
	CodeStale Code = "stale"
	// CodeReused: an idempotency key came back with a different submission.
	CodeReused Code = "key_reused"
	// CodeNotFound: there is no such thing here, or it is not published.
	CodeNotFound Code = "not_found"
	// CodeFull: not enough seats are left.
	CodeFull Code = "full"
	// CodeClosed: registration, editing or cancelling is not open now.
	CodeClosed Code = "closed"
	// CodeConflict: somebody else changed it first; read it again.
	CodeConflict Code = "conflict"
	// CodeUnauthorized: no credentials, or wrong or expired ones.
	CodeUnauthorized Code = "unauthorized"
	// CodeForbidden: known, but not allowed.
	CodeForbidden Code = "forbidden"
	// CodeTooLarge: over a size limit.
	CodeTooLarge Code = "too_large"
	// CodeThrottled: too fast, or too many at once; try after Error.RetryAfter.
	CodeThrottled Code = "throttled"
	// CodeUnavailable: a part that is needed is away for now.
	CodeUnavailable Code = "unavailable"
	// CodeUnknown: it may or may not have happened; the same key may be sent again.
	CodeUnknown Code = "unknown_outcome"
	// CodeNoSpace: the disk that the store lives on is full.
	CodeNoSpace Code = "no_space"
	// CodeExpired: Salesforce no longer takes our access token.
	CodeExpired Code = "expired"
	// CodeLocked: Salesforce could not lock a row; smaller and later works.
	CodeLocked Code = "locked"
	// CodeExhausted: the org's daily API requests are used up.
	CodeExhausted Code = "exhausted"
	// CodeTooSlow: the call took longer than Salesforce allows; do less at once.
	CodeTooSlow Code = "too_slow"
	// CodeRefused: Salesforce refuses this record for good; a person decides.
	CodeRefused Code = "refused"
	// CodeAutomation: a trigger, flow or policy in Salesforce failed on this
	// record; it may work when tried again, a few times.
	CodeAutomation Code = "automation"
	// CodeMisconfigured: a field, right or object is missing; an admin decides.
	CodeMisconfigured Code = "misconfigured"
	// CodeStorage: the org's data storage is full; an admin decides.
	CodeStorage Code = "storage"
	// CodeForgotten: the person's data key was destroyed; the data cannot be read again.
	CodeForgotten Code = "forgotten"
	// CodeInternal: a fault of ours.
	CodeInternal Code = "internal"
)

// Error is how every part reports a failure that somebody else decides on.
// Its text may hold ids, never personal data.
type Error struct {
	Code Code
	// Op is what was being done, lower case: "accept registration".
	Op string
	// Detail says what to do, for the person who reads it. May be empty.
	Detail string
	// Fields lists every broken rule of a submission, in form order.
	Fields []FieldError
	// RetryAfter is how long to wait before trying again; zero means unsaid.
	RetryAfter time.Duration
	// Err is the cause, or nil.
	Err error
}

// FieldError is one broken rule at one field of a submission.
type FieldError struct {
	// Field is the field's name as in the HTML form: "email",
	// "guests.0.last_name", "answers.ID".
	Field string `json:"field"`
	// Message says in plain words what to do about it, in English where it is of a rule.
	Message string `json:"message"`
	// Rule says which rule it is, and Args what is said of it, for whoever says it in
	// another language; empty for what is none of the closed set.
	Rule Rule  `json:"rule,omitempty"`
	Args []any `json:"-"`
}

// Errorf makes an Error whose Detail is formatted as fmt.Sprintf does.
func Errorf(code Code, op, format string, args ...any) *Error {
	return &Error{Code: code, Op: op, Detail: fmt.Sprintf(format, args...)}
}

// Wrap gives err a code and says what was being done. A nil err stays nil.
func Wrap(code Code, op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Op: op, Err: err}
}

// Error implements error.
func (e *Error) Error() string {
	parts := make([]string, 0, 4)
	for _, part := range []string{e.Op, e.Detail} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(e.Fields) > 0 {
		names := make([]string, len(e.Fields))
		for i, f := range e.Fields {
			names[i] = f.Field
		}
		parts = append(parts, "fields: "+strings.Join(names, ", "))
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	if len(parts) == 0 {
		return string(e.Code)
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the outermost code in err's chain. A deadline or cancelled
// context without one counts as unavailable, anything else as internal; nil
// gives the empty code.
func CodeOf(err error) Code {
	if err == nil {
		return "" // before errors.As, which makes e a piece of garbage
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return CodeUnavailable
	}
	return CodeInternal
}

// FieldsOf returns the broken rules that err carries, or nil.
func FieldsOf(err error) []FieldError {
	var e *Error
	if errors.As(err, &e) {
		return e.Fields
	}
	return nil
}

// RetryAfterOf returns the wait that err asks for, or zero.
func RetryAfterOf(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

package problem

import (
	"net/http"

	"github.com/turnout-events/turnout"
)

// kind is what one code looks like over HTTP.
type kind struct {
	status int
	title  string
	// detail stands where the error says nothing for people.
	detail string
}

// kinds is the one table from codes to HTTP. 409 says that the same request
// may work once something else has changed, 422 that the request itself must.
func kinds(code turnout.Code) kind {
	switch code {
	case turnout.CodeMalformed:
		return kind{http.StatusBadRequest, "The request cannot be read", ""}
	case turnout.CodeInvalid:
		return kind{http.StatusUnprocessableEntity, "Some values are not accepted", "See errors for what to change."}
	case turnout.CodeReused:
		return kind{http.StatusUnprocessableEntity, "The idempotency key was used for something else", "Use a new Idempotency-Key for a new registration."}
	case turnout.CodeRefused:
		return kind{http.StatusUnprocessableEntity, "Salesforce refused this", ""}
	case turnout.CodeStale:
		return kind{http.StatusConflict, "The form has changed", "Read the event again, and send what its form asks for now."}
	case turnout.CodeFull:
		return kind{http.StatusConflict, "Not enough seats are left", "Where the event has a waitlist, send it again with join_waitlist."}
	case turnout.CodeClosed:
		return kind{http.StatusConflict, "This is not open now", ""}
	case turnout.CodeConflict:
		return kind{http.StatusConflict, "It was changed or taken by somebody else", "Read it again, then decide."}
	case turnout.CodeNotFound:
		return kind{http.StatusNotFound, "There is no such thing here", ""}
	case turnout.CodeForgotten:
		return kind{http.StatusGone, "This was deleted for good", ""}
	case turnout.CodeUnauthorized:
		return kind{http.StatusUnauthorized, "The signature is missing, wrong or expired", ""}
	case turnout.CodeForbidden:
		return kind{http.StatusForbidden, "This is not allowed", ""}
	case turnout.CodeTooLarge:
		return kind{http.StatusRequestEntityTooLarge, "The request is too large", ""}
	case turnout.CodeThrottled:
		return kind{http.StatusTooManyRequests, "Too many requests", "Wait as long as Retry-After says, then send the same request again."}
	}
	return later(code)
}

// later are the codes about which the caller can do nothing but wait.
func later(code turnout.Code) kind {
	switch code {
	case turnout.CodeUnavailable, turnout.CodeNoSpace:
		return kind{http.StatusServiceUnavailable, "This is not available for the moment", "This request changed nothing. Send it again later."}
	case turnout.CodeUnknown:
		return kind{http.StatusServiceUnavailable, "It is not known whether this was done", "Send the same request again with the same Idempotency-Key: it is done once."}
	case turnout.CodeExpired, turnout.CodeLocked, turnout.CodeExhausted, turnout.CodeTooSlow, turnout.CodeAutomation, turnout.CodeStorage:
		return kind{http.StatusServiceUnavailable, "Salesforce does not answer for the moment", "Try again later."}
	case turnout.CodeMisconfigured:
		return kind{http.StatusInternalServerError, "Turnout is not set up for this", "Whoever runs Turnout can see more."}
	}
	return kind{http.StatusInternalServerError, "Turnout made a mistake", "Whoever runs Turnout can see more."}
}

// named are the problems that HTTP has statuses and this table no codes for.
func named(status int) (name, title string) {
	switch status {
	case http.StatusMethodNotAllowed:
		return "method_not_allowed", "This method is not taken here"
	case http.StatusRequestTimeout:
		return "request_timeout", "The request took too long to arrive"
	case http.StatusUnsupportedMediaType:
		return "media_type", "This media type is not taken here"
	case http.StatusMisdirectedRequest:
		return "misdirected", "This host name is not served here"
	}
	return "", http.StatusText(status)
}

// Name is the last part of the type of problems that At says with a status,
// empty for a status that it does not know.
func Name(status int) string {
	name, _ := named(status)
	return name
}

// Status is the HTTP status of a code; 500 for one that is not known.
func Status(code turnout.Code) int { return kinds(code).status }

package kms

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// reason says what follows from a service's refusal.
type reason int

const (
	away      reason = iota // it does not answer, or with a fault of its own: try again
	throttled               // too fast: try again, not before it asks to
	denied                  // a right, a key or a credential is missing: a person decides
	wrong                   // the ciphertext, or its associated data, is not this key's
)

// refusal is the failure of one call. Its text holds codes, never what the
// service wrote: that may name people.
type refusal struct {
	why    reason
	detail string        // "403", "AccessDeniedException"
	after  time.Duration // zero: unsaid
	err    error         // a failure to get through, or nil
}

// Error implements error.
func (r *refusal) Error() string {
	text := map[reason]string{
		away:      "the KMS is away",
		throttled: "the KMS throttles",
		denied:    "the KMS refuses; look at the key, its policy and Turnout's credentials",
		wrong:     "the KMS does not open it",
	}[r.why]
	if r.detail != "" {
		text += " (" + r.detail + ")"
	}
	if r.err != nil {
		return fmt.Sprintf("%s: %v", text, r.err)
	}
	return text
}

// Unwrap returns the cause.
func (r *refusal) Unwrap() error { return r.err }

// ofStatus judges by the status of a reply what all HTTP services share.
func ofStatus(reply *http.Response, detail string) *refusal {
	r := &refusal{why: denied, detail: detail}
	switch {
	case reply.StatusCode == http.StatusTooManyRequests:
		r.why = throttled
	case reply.StatusCode >= 500, reply.StatusCode == http.StatusRequestTimeout:
		r.why = away
	}
	if s, err := strconv.Atoi(reply.Header.Get("Retry-After")); err == nil && s > 0 && s < 1<<20 {
		r.after = time.Duration(s) * time.Second
	}
	return r
}

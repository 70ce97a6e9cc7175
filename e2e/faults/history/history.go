// Package history records what visitors did and were answered, and checks that
// it could have been so: that there is an order of what happened, one thing after
// the other, each between its call and its answer, that explains every answer.
//
// An operation that was never answered clearly may have happened at any time
// after its call, or not at all.
package history

import (
	"errors"
	"math"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Verb is what somebody does to a registration.
type Verb string

// The verbs.
const (
	Register Verb = "register"
	Edit     Verb = "edit"
	Cancel   Verb = "cancel"
	Read     Verb = "read"
)

// Outcome is how an operation was answered.
type Outcome string

// The outcomes. Unknown is that of an operation without an answer.
const (
	Unknown  Outcome = ""
	OK       Outcome = "ok"
	Full     Outcome = "full"     // there was no seat
	Conflict Outcome = "conflict" // it had changed since it was read
)

// Asked is an operation as it was called.
type Asked struct {
	Verb Verb
	Key  string // of the registration
	// Value is what is written, by Register and Edit.
	Value string
	// From is the revision that Edit changes.
	From int64
}

// Answer is an operation's answer. What Read saw is State; an empty value and a
// revision of zero were not shown.
type Answer struct {
	Outcome Outcome
	State   State
}

// State is how a registration stands. The zero value is none.
type State struct {
	Status   string // empty, Registered or Cancelled
	Value    string
	Revision int64
}

// The statuses.
const (
	Registered = "registered"
	Cancelled  = "cancelled"
)

// Operation is one of them, with the times of its call and its return.
type Operation struct {
	Client       int
	Asked        Asked
	Answer       Answer
	Call, Return time.Duration // since the history began
}

// never is the return of what was not answered.
const never = time.Duration(math.MaxInt64)

// History is what happened. Its methods are safe for concurrent use.
type History struct {
	began time.Time
	mu    sync.Mutex
	all   []*Operation
}

// New begins a history.
func New() *History { return &History{began: time.Now()} }

// Call notes that a client asks something. The function that it returns notes the
// answer; where it is not called, or with Unknown, the outcome is unknown.
func (h *History) Call(client int, a Asked) (answered func(Answer)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := &Operation{Client: client, Asked: a, Call: time.Since(h.began), Return: never}
	h.all = append(h.all, o)
	return func(answer Answer) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if answer.Outcome != Unknown {
			o.Answer, o.Return = answer, time.Since(h.began)
		}
	}
}

// Operations are those of now, by the times of their calls.
func (h *History) Operations() []Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]Operation, len(h.all))
	for i, o := range h.all {
		all[i] = *o
	}
	return all
}

// patience bounds a search for an order.
const patience = time.Minute

// possible reports whether there is an order; ErrUndecided where none was found
// in time, and none ruled out.
func possible(model porcupine.Model, ops []porcupine.Operation) (bool, error) {
	switch porcupine.CheckOperationsTimeout(model, ops, patience) {
	case porcupine.Ok:
		return true, nil
	case porcupine.Illegal:
		return false, nil
	}
	return false, ErrUndecided
}

// ErrUndecided says that the search for an order took too long.
var ErrUndecided = errors.New("no order of what happened was found in time, and none ruled out")

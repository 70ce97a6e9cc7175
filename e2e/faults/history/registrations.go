package history

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// Registrations checks each registration by itself: that it is made once, that an
// edit changes the revision that it was made from and no other, that what is
// cancelled stays so, and that whoever reads sees the latest of it. It returns
// what cannot have been, a paragraph for each registration.
func Registrations(ops []Operation) (faults []string, err error) {
	byKey := map[string][]Operation{}
	var keys []string
	for _, o := range ops {
		if byKey[o.Asked.Key] == nil {
			keys = append(keys, o.Asked.Key)
		}
		byKey[o.Asked.Key] = append(byKey[o.Asked.Key], o)
	}
	model := (&porcupine.NondeterministicModel{
		Init: func() []any { return []any{State{}} },
		Step: func(state, input, output any) []any {
			var next []any
			for _, s := range step(state.(State), input.(Asked), output.(Answer)) {
				next = append(next, s)
			}
			return next
		},
	}).ToModel()
	for _, key := range keys {
		ok, err := possible(model, asked(byKey[key]))
		if err != nil {
			return faults, fmt.Errorf("registration %s: %w", key, err)
		}
		if !ok {
			faults = append(faults, describe(key, byKey[key]))
		}
	}
	return faults, nil
}

// asked gives a checker its operations. Reads that were not answered say nothing.
func asked(ops []Operation) []porcupine.Operation {
	var all []porcupine.Operation
	for _, o := range ops {
		if o.Asked.Verb != Read || o.Answer.Outcome == OK {
			all = append(all, porcupine.Operation{ClientId: o.Client, Input: o.Asked, Output: o.Answer, Call: int64(o.Call), Return: int64(o.Return)})
		}
	}
	return all
}

// step is how a registration may stand after an operation that was answered so;
// no states mean that it cannot have been answered so.
func step(s State, a Asked, answer Answer) []State {
	done := effect(s, a)
	switch answer.Outcome {
	case Unknown:
		return slices.Compact([]State{s, done})
	case Full:
		if s == (State{}) {
			return []State{s}
		}
	case Conflict:
		// It may be an edit's own first attempt that the second one, which the edge
		// made for it, was in conflict with.
		if a.Verb == Edit && s.Status != "" {
			return []State{done}
		}
	case OK:
		switch {
		case a.Verb == Read && shows(answer.State, s), a.Verb == Register, a.Verb == Edit && done != s, a.Verb == Cancel && s.Status != "":
			return []State{done}
		}
	}
	return nil
}

// shows reports whether a page that showed seen can have been of s.
func shows(seen, s State) bool {
	return seen.Status == s.Status && (seen.Value == "" || seen.Value == s.Value) && (seen.Revision == 0 || seen.Revision == s.Revision)
}

// effect is what an operation does that is carried out.
func effect(s State, a Asked) State {
	switch {
	case a.Verb == Register && s.Status == "":
		return State{Registered, a.Value, 1}
	case a.Verb == Edit && s.Status == Registered && s.Revision == a.From:
		return State{Registered, a.Value, s.Revision + 1}
	case a.Verb == Cancel && s.Status == Registered:
		return State{Cancelled, s.Value, s.Revision + 1}
	}
	return s
}

// describe tells a history, an operation a line.
func describe(key string, ops []Operation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "registration %s:", key)
	for _, o := range ops {
		until := "never"
		if o.Return != never {
			until = fmt.Sprintf("%.3f", o.Return.Seconds())
		}
		fmt.Fprintf(&b, "\n  %.3f-%s s, client %d: %s %q from %d: %s %+v", o.Call.Seconds(), until, o.Client,
			o.Asked.Verb, o.Asked.Value, o.Asked.From, o.Answer.Outcome, o.Answer.State)
	}
	return b.String()
}

package history

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// The steps of a counter of seats.
const (
	take = 1
	give = -1
	none = 0 // somebody was told that there is none
)

// Seats checks an event with so many seats whose registrations take one each:
// that a seat is taken and given back at one moment, that there are never more
// than there are, and that whoever was told that there is none was told the truth.
//
// final is how each registration stands in the end, by key: it tells what became
// of an operation that was not answered. Keys that are not in it took no seat.
func Seats(ops []Operation, final map[string]string, limit int) error {
	model := porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, input, _ any) (bool, any) {
			taken := state.(int)
			if input.(int) == none {
				return taken == limit, taken
			}
			taken += input.(int)
			return taken >= 0 && taken <= limit, taken
		},
	}
	moves := moves(ops, final)
	ok, err := possible(model, moves)
	switch {
	case err != nil:
		return fmt.Errorf("%d moves of seats: %w", len(moves), err)
	case !ok:
		return fmt.Errorf("no order of %d moves of %d seats explains what everybody was answered", len(moves), limit)
	}
	return nil
}

// span is when something happened: between a call and an answer.
type span struct{ from, to int64 }

// moves are the changes of the counter that the operations made, and what it was
// said to be.
func moves(ops []Operation, final map[string]string) []porcupine.Operation {
	var all []porcupine.Operation
	taken, given := map[string]span{}, map[string]span{}
	add := func(move int, s span) {
		all = append(all, porcupine.Operation{ClientId: len(all), Input: move, Call: s.from, Return: s.to})
	}
	for _, o := range ops {
		switch {
		case o.Asked.Verb == Register && o.Answer.Outcome == Full:
			add(none, span{int64(o.Call), int64(o.Return)})
		case o.Asked.Verb == Register:
			extend(taken, o)
		case o.Asked.Verb == Cancel:
			extend(given, o)
		}
	}
	for key, s := range taken {
		if final[key] != "" {
			add(take, s)
		}
	}
	for key, s := range given {
		if final[key] == Cancelled {
			add(give, s)
		}
	}
	return all
}

// extend takes an attempt into the span of what it repeats: from the first call
// to the first answer.
func extend(spans map[string]span, o Operation) {
	s, ok := spans[o.Asked.Key]
	if !ok {
		s = span{int64(o.Call), int64(never)}
	}
	if o.Answer.Outcome == OK {
		s.to = min(s.to, int64(o.Return))
	}
	spans[o.Asked.Key] = s
}

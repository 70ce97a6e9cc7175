package history

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// at is an operation from one second to another; 0 means that it was never answered.
func at(from, to int, a Asked, answer Answer) Operation {
	o := Operation{Asked: a, Answer: answer, Call: time.Duration(from) * time.Second, Return: time.Duration(to) * time.Second}
	if to == 0 {
		o.Return = never
	}
	return o
}

var (
	ok       = Answer{Outcome: OK}
	unknown  = Answer{}
	register = Asked{Verb: Register, Key: "a", Value: "one"}
	edit     = Asked{Verb: Edit, Key: "a", Value: "two", From: 1}
	other    = Asked{Verb: Edit, Key: "a", Value: "three", From: 1}
	cancel   = Asked{Verb: Cancel, Key: "a"}
	read     = Asked{Verb: Read, Key: "a"}
)

func saw(status, value string, revision int64) Answer {
	return Answer{Outcome: OK, State: State{status, value, revision}}
}

func TestRegistrations(t *testing.T) {
	for name, c := range map[string]struct {
		can bool
		ops []Operation
	}{
		"made and read":                         {true, []Operation{at(1, 2, register, ok), at(3, 4, read, saw(Registered, "one", 1))}},
		"read what is not made":                 {false, []Operation{at(1, 2, read, saw(Registered, "one", 1)), at(3, 4, register, ok)}},
		"made while it is read":                 {true, []Operation{at(1, 4, register, ok), at(2, 3, read, saw(Registered, "one", 1))}},
		"acknowledged and lost":                 {false, []Operation{at(1, 2, register, ok), at(3, 4, read, Answer{Outcome: OK})}},
		"sent twice":                            {true, []Operation{at(1, 0, register, unknown), at(3, 4, register, ok), at(5, 6, register, ok), at(7, 8, read, saw(Registered, "one", 1))}},
		"unknown and there":                     {true, []Operation{at(1, 0, register, unknown), at(3, 4, read, saw(Registered, "one", 1))}},
		"unknown and there later":               {true, []Operation{at(1, 0, register, unknown), at(2, 3, register, Answer{Outcome: Full}), at(4, 5, read, saw(Registered, "one", 1))}},
		"told full though made":                 {false, []Operation{at(1, 2, register, ok), at(3, 4, register, Answer{Outcome: Full})}},
		"edited and read":                       {true, []Operation{at(1, 2, register, ok), at(3, 4, edit, ok), at(5, 6, read, saw(Registered, "two", 2))}},
		"edited, and the old one read":          {false, []Operation{at(1, 2, register, ok), at(3, 4, edit, ok), at(5, 6, read, saw(Registered, "one", 1))}},
		"two edits of one revision":             {false, []Operation{at(1, 2, register, ok), at(3, 6, edit, ok), at(4, 7, other, ok)}},
		"two edits, one told so":                {true, []Operation{at(1, 2, register, ok), at(3, 6, edit, ok), at(4, 7, other, Answer{Outcome: Conflict}), at(8, 9, read, saw(Registered, "two", 2))}},
		"in conflict with itself":               {true, []Operation{at(1, 2, register, ok), at(3, 6, edit, Answer{Outcome: Conflict}), at(8, 9, read, saw(Registered, "two", 2))}},
		"an unknown edit comes late":            {true, []Operation{at(1, 2, register, ok), at(3, 0, edit, unknown), at(4, 5, read, saw(Registered, "one", 1)), at(6, 7, read, saw(Registered, "two", 2))}},
		"an unknown edit comes and goes":        {false, []Operation{at(1, 2, register, ok), at(3, 0, edit, unknown), at(4, 5, read, saw(Registered, "two", 2)), at(6, 7, read, saw(Registered, "one", 1))}},
		"an edit after somebody else's revives": {false, []Operation{at(1, 2, register, ok), at(3, 0, edit, unknown), at(4, 5, other, ok), at(6, 7, read, saw(Registered, "two", 3))}},
		"cancelled twice":                       {true, []Operation{at(1, 2, register, ok), at(3, 4, cancel, ok), at(5, 6, cancel, ok), at(7, 8, read, saw(Cancelled, "one", 2))}},
		"a page that shows less":                {true, []Operation{at(1, 2, register, ok), at(3, 4, cancel, ok), at(5, 6, read, saw(Cancelled, "", 0))}},
		"a page that shows another":             {false, []Operation{at(1, 2, register, ok), at(3, 4, cancel, ok), at(5, 6, read, saw(Cancelled, "two", 0))}},
		"cancelled and there again":             {false, []Operation{at(1, 2, register, ok), at(3, 4, cancel, ok), at(7, 8, read, saw(Registered, "one", 1))}},
		"cancelled before it was made":          {false, []Operation{at(1, 2, cancel, ok), at(3, 4, register, ok)}},
	} {
		faults, err := Registrations(c.ops)
		if err != nil || (len(faults) == 0) != c.can {
			t.Errorf("%s: %v %v", name, faults, err)
		}
		if !c.can && len(faults) > 0 && !strings.HasPrefix(faults[0], "registration a:\n") {
			t.Errorf("%s: it says %q", name, faults[0])
		}
	}
}

func TestSeats(t *testing.T) {
	of := func(key string, v Verb) Asked { return Asked{Verb: v, Key: key} }
	full := Answer{Outcome: Full}
	both := map[string]string{"a": Registered, "b": Registered}
	for name, c := range map[string]struct {
		can   bool
		final map[string]string
		ops   []Operation
	}{
		"one takes the seat, one is told so": {true, map[string]string{"a": Registered}, []Operation{at(1, 2, of("a", Register), ok), at(3, 4, of("b", Register), full)}},
		"two take one seat":                  {false, both, []Operation{at(1, 2, of("a", Register), ok), at(3, 4, of("b", Register), ok)}},
		"told full with a seat free":         {false, map[string]string{"a": Registered}, []Operation{at(1, 2, of("b", Register), full), at(3, 4, of("a", Register), ok)}},
		"told full for an unknown one":       {true, map[string]string{"a": Registered}, []Operation{at(1, 0, of("a", Register), unknown), at(3, 4, of("b", Register), full)}},
		"told full for one that never came":  {false, map[string]string{}, []Operation{at(1, 0, of("a", Register), unknown), at(3, 4, of("b", Register), full)}},
		"given back and taken":               {true, map[string]string{"a": Cancelled, "b": Registered}, []Operation{at(1, 2, of("a", Register), ok), at(3, 4, of("a", Cancel), ok), at(5, 6, of("b", Register), ok)}},
		"taken before it was given back":     {false, map[string]string{"a": Cancelled, "b": Registered}, []Operation{at(1, 2, of("a", Register), ok), at(3, 4, of("b", Register), ok), at(5, 6, of("a", Cancel), ok)}},
		"taken while it is given back":       {true, map[string]string{"a": Cancelled, "b": Registered}, []Operation{at(1, 2, of("a", Register), ok), at(3, 6, of("b", Register), ok), at(4, 0, of("a", Cancel), unknown)}},
		"a cancellation that never came":     {false, both, []Operation{at(1, 2, of("a", Register), ok), at(3, 0, of("a", Cancel), unknown), at(4, 5, of("b", Register), ok)}},
		"an attempt comes after it was told": {true, both, []Operation{at(1, 0, of("a", Register), unknown), at(2, 3, of("b", Register), ok), at(4, 5, of("b", Cancel), unknown), at(6, 7, of("c", Register), full)}},
	} {
		limit := 1
		if name == "an attempt comes after it was told" {
			limit = 2
		}
		if err := Seats(c.ops, c.final, limit); (err == nil) != c.can {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHistoryIsOfEverybody(t *testing.T) {
	h := New()
	var all sync.WaitGroup
	for client := range 8 {
		all.Go(func() {
			for i := range 50 {
				answered := h.Call(client, Asked{Verb: Register, Key: fmt.Sprint(client, i)})
				if i%2 == 0 {
					answered(ok)
				}
			}
		})
	}
	all.Wait()
	unanswered := 0
	for _, o := range h.Operations() {
		if o.Return == never {
			unanswered++
		} else if o.Return < o.Call {
			t.Errorf("answered before it was called: %+v", o)
		}
	}
	if unanswered != 8*25 {
		t.Errorf("%d were not answered", unanswered)
	}
}

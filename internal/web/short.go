package web

import (
	"cmp"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/web/page"
)

// shortage is one pool that has too few seats for what was asked.
type shortage struct {
	free, asked int
	// change says that the party holds seats already and asks for more.
	change bool
	// choices says that there is another ticket to choose.
	choices bool
}

// shortages say what is short of seats for a party and what helps, each at the
// field where it helps. Held are the seats that the party has already. It goes
// by the catalog's seats, which may be a second behind the store, which decided.
func shortages(in *page.Edition, entry *catalog.Entry, d turnout.Details, held []turnout.Claim) []turnout.FieldError {
	var faults []turnout.FieldError
	for _, claim := range entry.Event.Claims(d) {
		s := shortage{asked: claim.Seats, change: held != nil, choices: len(entry.Event.Tickets) > 1}
		for _, h := range held {
			if h.Pool == claim.Pool {
				s.asked -= h.Seats
			}
		}
		seating, counted := entry.Seats[claim.Pool]
		s.free = seating.Free()
		if counted && s.free != turnout.Unlimited && s.free < s.asked {
			faults = append(faults, shortFault(in, entry.Event, claim.Pool, s))
		}
	}
	if len(faults) == 0 {
		faults = []turnout.FieldError{{Message: in.Say("alert.full.generic")}}
	}
	return faults
}

// shortFault says that one pool is short.
func shortFault(in *page.Edition, e *turnout.Event, pool turnout.Pool, s shortage) turnout.FieldError {
	what, field, way, fewer := in.Say("alert.full.whole"), "", "", "alert.full.guests"
	for _, t := range e.Tickets {
		if pool == turnout.PoolTicket(t.ID) {
			what = in.Say("alert.full.part", t.Name)
			if s.choices {
				field, way, fewer = "ticket", "alert.full.ticket", "alert.full.ticket.guests"
			}
		}
	}
	for _, item := range e.Agenda {
		if pool == turnout.PoolAgenda(item.ID) {
			what = in.Say("alert.full.part", item.Name)
			field, way, fewer = "agenda", "alert.full.agenda", "alert.full.agenda.guests"
		}
	}
	if s.free > 0 && s.asked > 1 { // fewer guests would fit
		field, way = cmp.Or(field, "guests"), fewer
	}
	text := shortText(in, what, s)
	if way != "" {
		text += " " + in.Say(way)
	}
	return turnout.FieldError{Field: field, Message: text}
}

// shortText says how many places are left and how many were asked for.
func shortText(in *page.Edition, what string, s shortage) string {
	switch {
	case s.free > 0 && s.change:
		return in.Say("alert.full.some.more", what, in.Seats(s.free), s.asked)
	case s.free > 0:
		return in.Say("alert.full.some", what, in.Seats(s.free), s.asked)
	case s.asked == 1 || s.change:
		return in.Say("alert.full.none.one", what)
	}
	return in.Say("alert.full.none", what, s.asked)
}

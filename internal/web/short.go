package web

import (
	"cmp"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
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
func (web *Web) shortages(entry *catalog.Entry, d turnout.Details, held []turnout.Claim) []turnout.FieldError {
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
			faults = append(faults, web.shortFault(entry.Event, claim.Pool, s))
		}
	}
	if len(faults) == 0 {
		faults = []turnout.FieldError{{Message: web.pages.Say("alert.full.generic")}}
	}
	return faults
}

// shortFault says that one pool is short.
func (web *Web) shortFault(e *turnout.Event, pool turnout.Pool, s shortage) turnout.FieldError {
	what, field, way, fewer := web.pages.Say("alert.full.whole"), "", "", "alert.full.guests"
	for _, t := range e.Tickets {
		if pool == turnout.PoolTicket(t.ID) {
			what = web.pages.Say("alert.full.part", t.Name)
			if s.choices {
				field, way, fewer = "ticket", "alert.full.ticket", "alert.full.ticket.guests"
			}
		}
	}
	for _, item := range e.Agenda {
		if pool == turnout.PoolAgenda(item.ID) {
			what = web.pages.Say("alert.full.part", item.Name)
			field, way, fewer = "agenda", "alert.full.agenda", "alert.full.agenda.guests"
		}
	}
	if s.free > 0 && s.asked > 1 { // fewer guests would fit
		field, way = cmp.Or(field, "guests"), fewer
	}
	text := web.shortText(what, s)
	if way != "" {
		text += " " + web.pages.Say(way)
	}
	return turnout.FieldError{Field: field, Message: text}
}

// shortText says how many places are left and how many were asked for.
func (web *Web) shortText(what string, s shortage) string {
	switch {
	case s.free > 0 && s.change:
		return web.pages.Say("alert.full.some.more", what, turnout.SeatsText(s.free), s.asked)
	case s.free > 0:
		return web.pages.Say("alert.full.some", what, turnout.SeatsText(s.free), s.asked)
	case s.asked == 1 || s.change:
		return web.pages.Say("alert.full.none.one", what)
	}
	return web.pages.Say("alert.full.none", what, s.asked)
}

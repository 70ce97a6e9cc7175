package orgs

import (
	"context"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// maxCounted keeps an aggregate's groups (events times tickets) below the
// 2,000 that Salesforce gives without pages.
const maxCounted = 100

// HandCounts counts the seats of people whom organisers added by hand: records
// that hold a seat and have no key. Every event that was asked for has a count
// of PoolEvent, 0 included; a ticket that is not there has none. Together they
// replace what was known of these events.
func (o *Org) HandCounts(ctx context.Context, events []turnout.EventID) ([]turnout.HandCount, error) {
	ids := recordIDs(events)
	totals, groups, err := o.countGroups(ctx, ids)
	if err != nil {
		return nil, err
	}
	tickets, err := o.ticketNames(ctx, groups)
	if err != nil {
		return nil, err
	}
	var out []turnout.HandCount
	for _, id := range ids {
		event := turnout.EventID(id)
		out = append(out, turnout.HandCount{Event: event, Pool: turnout.PoolEvent, Seats: totals[event]})
		seats := map[string]int{}
		for _, g := range groups[event] {
			if ticket, ok := tickets[event][strings.ToLower(g.ticket)]; ok {
				seats[ticket] += g.seats
			}
		}
		for _, ticket := range sorted(seats) {
			out = append(out, turnout.HandCount{Event: event, Pool: turnout.PoolTicket(ticket), Seats: seats[ticket]})
		}
	}
	return out, nil
}

// group is the seats under one word in the ticket field.
type group struct {
	ticket string
	seats  int
}

func (o *Org) countGroups(ctx context.Context, ids []string) (totals map[turnout.EventID]int, groups map[turnout.EventID][]group, err error) {
	g := o.m.Registration
	event, ticket, guests := g.Fields["event"], g.Fields["ticket"], g.Fields["guest_count"]
	columns, by := event, event
	if ticket != "" {
		columns, by = columns+","+ticket, by+","+ticket
	}
	columns += ",COUNT(Id) people"
	if guests != "" {
		columns += ",SUM(" + guests + ") guests"
	}
	base := "SELECT " + columns + " FROM " + g.Object + " WHERE " + g.Key + " = null AND " +
		g.Fields["status"] + " IN (" + salesforce.QuoteAll(g.Seated()) + ") AND " + event + " IN ("
	end := ") GROUP BY " + by
	totals, groups = map[turnout.EventID]int{}, map[turnout.EventID][]group{}
	for _, some := range split(base+end, ids, maxCounted) {
		for r, err := range o.client.Query(ctx, salesforce.Living, base+salesforce.QuoteAll(some)+end) {
			if err != nil {
				return nil, nil, err
			}
			people, _ := r.Int("people")
			brought, _ := r.Int("guests")
			id := turnout.EventID(r.ID(event))
			totals[id] += people + brought
			groups[id] = append(groups[id], group{strings.TrimSpace(r.Text(ticket)), people + brought})
		}
	}
	return totals, groups, nil
}

// ticketNames finds, for events with people of their own, which ticket a word
// means: its id or its name, and no word the only ticket there is.
func (o *Org) ticketNames(ctx context.Context, groups map[turnout.EventID][]group) (map[turnout.EventID]map[string]string, error) {
	out := map[turnout.EventID]map[string]string{}
	if len(groups) == 0 {
		return out, nil
	}
	copies, err := o.Events(ctx, sorted(groups))
	if err != nil {
		return nil, err
	}
	for _, c := range copies {
		if c.Event == nil {
			continue
		}
		names := map[string]string{}
		for _, t := range c.Event.Tickets {
			names[strings.ToLower(t.Name)] = t.ID
		}
		for _, t := range c.Event.Tickets {
			names[strings.ToLower(t.ID)] = t.ID
		}
		if len(c.Event.Tickets) == 1 {
			names[""] = c.Event.Tickets[0].ID
		}
		out[c.ID] = names
	}
	return out, nil
}

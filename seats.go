package turnout

// Pool names one counter of seats of an event.
type Pool string

// PoolEvent counts the seats of the whole event, over all tickets.
const PoolEvent Pool = "event"

// PoolTicket counts the seats of one kind of ticket.
func PoolTicket(id string) Pool { return Pool("ticket/" + id) }

// PoolAgenda counts the seats of one agenda item.
func PoolAgenda(id string) Pool { return Pool("agenda/" + id) }

// Claim is a number of seats of one pool.
type Claim struct {
	Pool  Pool `json:"pool"`
	Seats int  `json:"seats"`
}

// Pools are all counters of the event with their limits, PoolEvent first.
func (e *Event) Pools() []Claim {
	pools := make([]Claim, 0, 1+len(e.Tickets)+len(e.Agenda))
	pools = append(pools, Claim{PoolEvent, e.Seats})
	for _, t := range e.Tickets {
		pools = append(pools, Claim{PoolTicket(t.ID), t.Seats})
	}
	for _, a := range e.Agenda {
		pools = append(pools, Claim{PoolAgenda(a.ID), a.Seats})
	}
	return pools
}

// Seating is how one pool of an event stands.
type Seating struct {
	Pool Pool `json:"pool"`
	// Limit is the number of seats, or Unlimited.
	Limit int `json:"limit"`
	// Taken are held by registrations that Turnout accepted.
	Taken int `json:"taken"`
	// Outside are taken by people whom the organiser added in Salesforce by hand.
	Outside int `json:"outside"`
	// Waiting are asked for by the waitlist. While there are any, nobody else
	// gets a seat of this pool.
	Waiting int `json:"waiting"`
}

// Free is how many seats somebody new can have now, or Unlimited.
func (s Seating) Free() int {
	switch {
	case s.Waiting > 0:
		return 0
	case s.Limit == Unlimited:
		return Unlimited
	}
	return max(0, s.Limit-s.Taken-s.Outside)
}

// Seatings is how an event's pools stand, by pool.
type Seatings map[Pool]Seating

// Free is how many parties of one the ticket still takes, the limit of the
// whole event included, or Unlimited. Pools that nobody counts are unlimited.
func (s Seatings) Free(pool Pool) int {
	free := Unlimited
	for _, p := range []Pool{PoolEvent, pool} {
		seating, ok := s[p]
		if !ok {
			continue
		}
		if n := seating.Free(); n != Unlimited && (free == Unlimited || n < free) {
			free = n
		}
		if p == pool && pool == PoolEvent {
			break
		}
	}
	return free
}

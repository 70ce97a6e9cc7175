package storetest

import (
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

// model is the store's rules in a few plain lines: no counters that are kept
// up, no indexes. What is taken is summed up from the registrations each time.
type model struct {
	events  map[turnout.EventID]*modelEvent
	parties []*party // in order of acceptance
}

type modelEvent struct {
	open    bool
	ends    time.Time // zero: never
	limits  map[turnout.Pool]int
	outside map[turnout.Pool]int
	waiting map[turnout.Pool]int
}

// party is one registration.
type party struct {
	key         turnout.Key
	event       turnout.EventID
	person      turnout.PersonID
	fingerprint turnout.Fingerprint
	link        turnout.LinkID
	status      turnout.Status
	claims      []turnout.Claim
	revision    int64
	delivered   int64
	due         time.Time
	parked      bool
	dismissed   bool // of what is parked, or would be
	erased      bool
}

func newModel() *model { return &model{events: map[turnout.EventID]*modelEvent{}} }

func (m *model) taken(event turnout.EventID, pool turnout.Pool) int {
	n := 0
	for _, p := range m.parties {
		if p.event != event || p.status != turnout.StatusRegistered {
			continue
		}
		for _, c := range p.claims {
			if c.Pool == pool {
				n += c.Seats
			}
		}
	}
	return n
}

// short reports whether a pool has too few seats for somebody new.
func (m *model) short(event turnout.EventID, c turnout.Claim) bool {
	e := m.events[event]
	limit, counted := e.limits[c.Pool]
	switch {
	case !counted:
		return false
	case e.waiting[c.Pool] > 0:
		return c.Seats > 0
	case limit == turnout.Unlimited:
		return false
	}
	return m.taken(event, c.Pool)+e.outside[c.Pool]+c.Seats > limit
}

func (m *model) shortOf(event turnout.EventID, claims []turnout.Claim) []turnout.Claim {
	var short []turnout.Claim
	for _, c := range claims {
		if m.short(event, c) {
			short = append(short, c)
		}
	}
	return short
}

func (m *model) stale(event turnout.EventID, claims []turnout.Claim) bool {
	return slices.ContainsFunc(claims, func(c turnout.Claim) bool {
		_, counted := m.events[event].limits[c.Pool]
		return !counted
	})
}

func (m *model) find(match func(*party) bool) *party {
	for _, p := range slices.Backward(m.parties) {
		if match(p) {
			return p
		}
	}
	return nil
}

// accept returns what the store must answer.
func (m *model) accept(a turnout.Acceptance) (code turnout.Code, p *party, repeat bool) {
	if first := m.find(func(p *party) bool { return p.key == a.Key }); first != nil {
		if first.fingerprint != a.Fingerprint || first.event != a.Event {
			return turnout.CodeReused, nil, false
		}
		return "", first, true
	}
	if first := m.find(func(p *party) bool {
		return !a.Link.IsZero() && p.link == a.Link && (p.status.Holds() || a.Status == turnout.StatusDeclined && p.status == turnout.StatusDeclined)
	}); first != nil {
		return "", first, true
	}
	e := m.events[a.Event]
	status := a.Status
	switch {
	case e == nil:
		return turnout.CodeNotFound, nil, false
	case a.Status == turnout.StatusDeclined && !e.ends.IsZero() && !a.At.Before(e.ends):
		return turnout.CodeClosed, nil, false
	case a.Status == turnout.StatusDeclined:
	case !e.open:
		return turnout.CodeClosed, nil, false
	case a.OncePerPerson && m.find(func(p *party) bool { return p.event == a.Event && p.person == a.DataKey.Person && p.status.Holds() }) != nil:
		return turnout.CodeConflict, nil, false
	case m.stale(a.Event, a.Claims):
		return turnout.CodeStale, nil, false
	case len(m.shortOf(a.Event, a.Claims)) == 0:
	case a.Waitlist:
		status = turnout.StatusWaitlisted
		m.wait(a.Event, a.Claims)
	default:
		return turnout.CodeFull, nil, false
	}
	p = &party{key: a.Key, event: a.Event, person: a.DataKey.Person, fingerprint: a.Fingerprint, link: a.Link, status: status,
		claims: a.Claims, revision: 1, due: a.At}
	m.parties = append(m.parties, p)
	return "", p, false
}

func (m *model) wait(event turnout.EventID, claims []turnout.Claim) {
	for _, c := range m.shortOf(event, claims) {
		m.events[event].waiting[c.Pool] += c.Seats
	}
}

// promote walks the line: whoever finds all seats takes them, whoever does not
// waits where they are short.
func (m *model) promote(event turnout.EventID, at time.Time) {
	e := m.events[event]
	clear(e.waiting)
	for _, p := range m.parties {
		if p.event != event || p.status != turnout.StatusWaitlisted {
			continue
		}
		if !e.open || !e.ends.IsZero() && !at.Before(e.ends) || len(m.shortOf(event, p.claims)) > 0 {
			m.wait(event, p.claims)
			continue
		}
		p.status, p.parked, p.dismissed = turnout.StatusRegistered, false, false
		p.revision++
		p.due = at
	}
}

func (m *model) revise(v turnout.Revision) turnout.Code {
	p := m.find(func(p *party) bool { return p.key == v.Key })
	to := v.Status
	switch {
	case p.revision != v.From:
		return turnout.CodeConflict
	case v.Source == turnout.SourceOperator:
		return m.dismiss(p, v)
	case p.erased:
		return turnout.CodeForgotten
	case v.Source == turnout.SourceSalesforce || !v.Status.Holds():
	case !p.status.Holds():
		return turnout.CodeClosed
	default:
		more := growth(p.claims, v.Claims)
		if m.stale(p.event, more) {
			return turnout.CodeStale
		}
		if p.status == turnout.StatusRegistered && len(m.shortOf(p.event, more)) > 0 {
			return turnout.CodeFull
		}
		to = p.status
	}
	p.status, p.claims = to, v.Claims
	left := v.Source == turnout.SourceSalesforce && p.parked && p.dismissed // alone: nothing of ours is on its way
	if v.Source == turnout.SourceRegistrant {
		p.dismissed = false
	}
	if left {
		m.promote(p.event, v.At)
		return ""
	}
	if v.Source == turnout.SourceRegistrant || p.delivered < p.revision {
		p.revision++
		p.due, p.parked = v.At, false
	}
	m.promote(p.event, v.At)
	return ""
}

// dismiss leaves what is parked alone; that it is cancelled goes out once.
func (m *model) dismiss(p *party, v turnout.Revision) turnout.Code {
	if !p.parked {
		return turnout.CodeNotFound
	}
	p.dismissed = true
	if v.Status != p.status {
		p.status, p.parked, p.due = v.Status, false, v.At // what is forgotten holds nothing to cancel
		p.revision++
	}
	m.promote(p.event, v.At)
	return ""
}

// growth is what one list of claims has more than another.
func growth(from, to []turnout.Claim) []turnout.Claim {
	var more []turnout.Claim
	for _, c := range to {
		for _, old := range from {
			if old.Pool == c.Pool {
				c.Seats -= old.Seats
			}
		}
		if c.Seats > 0 {
			more = append(more, c)
		}
	}
	return more
}

func (m *model) forget(person turnout.PersonID, at time.Time) (f turnout.Forgotten) {
	free := map[turnout.EventID]bool{}
	for _, p := range m.parties {
		if p.person != person || p.erased {
			continue
		}
		f.Registrations++
		held := p.status.Holds()
		if p.status == turnout.StatusRegistered {
			for _, c := range p.claims {
				if c.Pool == turnout.PoolEvent {
					f.SeatsReturned += c.Seats
				}
			}
		}
		if held {
			p.status = turnout.StatusCancelled
			free[p.event] = true
		}
		p.erased, p.parked, p.dismissed, p.due, p.link, p.fingerprint = true, false, false, time.Time{}, turnout.LinkID{}, turnout.Fingerprint{}
		p.person = turnout.PersonID{}
		switch {
		case p.delivered == 0: // Salesforce never had it
			p.delivered = p.revision
		case held:
			p.revision++
			p.due = at
		case p.delivered < p.revision:
			p.due = at
		}
	}
	for event := range free {
		m.promote(event, at)
	}
	return f
}

func (m *model) settle(o turnout.Outcome) {
	p := m.find(func(p *party) bool { return p.key == o.Key })
	same := p.revision == o.Revision && !p.due.IsZero()
	switch {
	case o.Result == turnout.ResultDone:
		p.delivered, p.dismissed = max(p.delivered, o.Revision), false
		if p.revision == o.Revision && p.status == o.Status {
			p.due = time.Time{}
		}
	case !same:
	case o.Result == turnout.ResultRetry:
		p.due = o.RetryAt
	case o.Result == turnout.ResultParked:
		p.due, p.parked, p.dismissed = time.Time{}, true, p.dismissed && p.status == turnout.StatusCancelled
	}
}

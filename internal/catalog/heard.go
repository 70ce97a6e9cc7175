package catalog

import (
	"context"
	"encoding/hex"

	"github.com/turnout-events/turnout"
)

// Hear forgets what the change feed says has changed, and owes what is to be
// read ahead again. It is a Subscriber.
func (l *Links) Hear(_ context.Context, n News) {
	if n.All {
		l.held.clear(l.epoch.Add(1))
		l.unknown.clear()
		l.owing.all()
		return
	}
	gone := goneBy(n.Changes)
	if gone.none() {
		return
	}
	epoch := l.epoch.Add(1)
	for at := range gone.spots {
		l.held.remove(at)
	}
	for whose := range gone.people {
		l.held.forget(whose)
	}
	for of := range gone.links {
		l.held.outdate(of, epoch)
		l.owing.org(of.org)
	}
	if gone.anybody {
		l.held.keys.Clear()
		l.owing.all()
	}
	for org := range gone.orgs {
		l.unknown.clearOrg(org)
	}
}

// gone is which links and people a list of changes is about.
type gone struct {
	orgs   map[turnout.OrgID]bool // whose links changed in some way
	spots  map[spot]bool
	links  map[debt]bool // links of an event, or of a whole org where it names none
	people map[holder]bool
	// anybody says that somebody was forgotten, and not who.
	anybody bool
}

func (g *gone) none() bool {
	return len(g.orgs)+len(g.spots)+len(g.links)+len(g.people) == 0 && !g.anybody
}

func goneBy(changes []turnout.Change) *gone {
	g := &gone{orgs: map[turnout.OrgID]bool{}, spots: map[spot]bool{}, links: map[debt]bool{}, people: map[holder]bool{}}
	for _, c := range changes {
		raw, err := hex.DecodeString(c.ID)
		id := err == nil && len(raw) == 16 // an event's id is 18 characters
		switch {
		case c.Kind == turnout.ChangeOrg:
			g.links[debt{org: c.Org}] = true
		case c.Kind == turnout.ChangePerson && id:
			g.people[holder{c.Org, turnout.PersonID(raw)}] = true
		case c.Kind == turnout.ChangePerson: // not to be understood: rather forget too much
			g.links[debt{org: c.Org}], g.anybody = true, true
		case c.Kind == turnout.ChangeLinks && id:
			g.orgs[c.Org], g.spots[spot{c.Org, turnout.LinkID(raw)}] = true, true
		case c.Kind == turnout.ChangeLinks:
			g.orgs[c.Org], g.links[debt{c.Org, turnout.EventID(c.ID)}] = true, true
		}
	}
	return g
}

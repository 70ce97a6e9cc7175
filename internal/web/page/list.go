package page

import (
	"html/template"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
)

// listView is an org's public list.
type listView struct {
	frame
	Heading string
	Cards   []card
}

type card struct {
	Event          head
	Summary, Image string
	Status         template.HTML
	Date           date
}

// List draws an org's list of public events. It implements catalog.Renderer.
func (p *Pages) List(org *turnout.Org, entries []*catalog.Entry) (catalog.Page, error) {
	v := listView{frame: p.frame(org, nil, p.say("list.title")), Heading: p.say("list.title")}
	v.Private = false
	v.Title += " · " + org.Name
	v.Social = &social{Title: p.say("list.title.org", org.Name), About: p.say("list.lede"), URL: p.origin(org) + "/", Site: org.Name}
	for _, entry := range entries {
		v.Cards = append(v.Cards, p.card(entry))
	}
	html, err := p.draw("list", v)
	if err != nil {
		return catalog.Page{}, err
	}
	return finish(html), nil
}

func (p *Pages) card(entry *catalog.Entry) card {
	e := entry.Event
	c := card{Event: p.head(e), Summary: e.Summary, Image: ownImage(e.Image)}
	c.Date = dateBlock(c.Event.When)
	button, status := p.action(e, entry.Seats, e.Phase(p.now()))
	switch {
	case status != "":
		c.Status = status
	case button != "":
		c.Status = fillHTML(seatsLeft(entry.Seats.Free(turnout.PoolEvent)))
	}
	return c
}

package page

import (
	"bytes"
	"fmt"
	"html/template"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
)

// listView is an org's public list.
type listView struct {
	frame
	Heading string
	Cards   []template.HTML
}

type card struct {
	Event   head
	Summary string
	Picture *picture
	Status  template.HTML
	Date    date
}

// List draws an org's list of public events.
func (p *Edition) List(org *turnout.Org, entries []*catalog.Entry) (catalog.Page, error) {
	v := listView{frame: p.frame(org, nil, p.Say("list.title")), Heading: p.Say("list.title")}
	v.Private = false
	v.Title += " · " + org.Name
	v.Social = &social{Title: p.Say("list.title.org", org.Name), About: p.Say("list.lede"), URL: p.origin(org) + "/", Site: org.Name}
	for _, entry := range entries {
		v.Cards = append(v.Cards, template.HTML(entry.Card)) //nolint:gosec // Card wrote it
	}
	html, err := p.draw("list", v)
	if err != nil {
		return catalog.Page{}, err
	}
	return finish(html), nil
}

// Card draws an event as the list shows it.
func (p *Edition) Card(e *turnout.Event, seats turnout.Seatings) ([]byte, error) {
	var b bytes.Buffer
	if err := p.templates["list"].ExecuteTemplate(&b, "card", p.card(e, seats)); err != nil {
		return nil, fmt.Errorf("draw card: %w", err)
	}
	return b.Bytes(), nil
}

func (p *Edition) card(e *turnout.Event, seats turnout.Seatings) card {
	c := card{Event: p.head(e), Summary: e.Summary, Picture: pictureOf(e)}
	c.Date = p.dateBlock(c.Event.When)
	button, status := p.action(e, seats, e.Phase(p.now()))
	switch {
	case status != "":
		c.Status = status
	case button != "":
		c.Status = fillHTML(p.seatsLeft(seats.Free(turnout.PoolEvent)))
	}
	return c
}

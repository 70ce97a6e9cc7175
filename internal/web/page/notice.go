package page

import "github.com/turnout-events/turnout"

// Notice is a page that says one thing.
type Notice struct {
	Title string
	Lines []string
	Links []Link
	// Event is the event it is about, or nil.
	Event *turnout.Event
}

// Link is a way on from a page.
type Link struct{ Path, Text string }

type noticeView struct {
	frame
	Heading string
	Lines   []string
	Links   []Link
	Event   *head
}

// NoticePage draws a notice. Org is nil where nobody's org is known.
func (p *Pages) NoticePage(org *turnout.Org, n Notice) ([]byte, error) {
	v := noticeView{frame: p.frame(org, n.Event, n.Title), Heading: n.Title, Lines: n.Lines, Links: n.Links}
	if n.Event != nil {
		h := p.head(n.Event)
		v.Event = &h
	}
	return p.draw("notice", v)
}

// cancelView asks before a registration is cancelled.
type cancelView struct {
	frame
	Event  head
	Guests bool
	Back   string
}

// CancelPage draws the question whether to cancel.
func (p *Pages) CancelPage(org *turnout.Org, e *turnout.Event, s TicketState) ([]byte, error) {
	return p.draw("cancel", cancelView{
		frame: p.frame(org, e, p.say("cancel.title")), Event: p.head(e),
		Guests: len(s.View.Details.Guests) > 0, Back: RegistrationPath(s.View.Token),
	})
}

// Say gives a sentence of the pages' words.
func (p *Pages) Say(key string, args ...any) string { return p.say(key, args...) }

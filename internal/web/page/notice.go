package page

import (
	"html/template"
	"time"

	"github.com/turnout-events/turnout"
)

// Notice is a page that says one thing.
type Notice struct {
	Title string
	Lines []string
	Links []Link
	// Event is the event it is about, or nil.
	Event *turnout.Event
	// At is said in place of the %s of the first line, in the event's zone; zero
	// for a line that has none.
	At time.Time
	// Decline is the key of a form that says "not coming", or empty for none.
	Decline turnout.Key
}

// Link is a way on from a page.
type Link struct{ Path, Text string }

type noticeView struct {
	frame
	Heading string
	Lines   []template.HTML
	Links   []Link
	Event   *head
	Key     string
	Decline template.HTML
}

// NoticePage draws a notice. Org is nil where nobody's org is known.
func (p *Pages) NoticePage(org *turnout.Org, n Notice) ([]byte, error) {
	v := noticeView{frame: p.frame(org, n.Event, n.Title), Heading: n.Title, Links: n.Links, Key: string(n.Decline)}
	for _, line := range n.Lines {
		v.Lines = append(v.Lines, fillHTML(line))
	}
	if n.Event != nil {
		h := p.head(n.Event)
		v.Event = &h
	}
	if n.Event != nil && !n.At.IsZero() {
		v.Lines[0] = p.sayAt(n.Event, n.Lines[0], n.At)
	}
	if n.Decline != "" {
		v.Decline = template.HTML(p.declineFull)
	}
	return p.draw("notice", v)
}

// cancelView asks before a registration is cancelled.
type cancelView struct {
	frame
	Event   head
	Waiting bool // holds a place in line only
	Guests  bool
	Back    string
}

// CancelPage draws the question whether to cancel.
func (p *Pages) CancelPage(org *turnout.Org, e *turnout.Event, s TicketState) ([]byte, error) {
	title, waiting := p.say("cancel.title"), s.View.Registration.Status == turnout.StatusWaitlisted
	if waiting {
		title = p.say("cancel.wait.title")
	}
	return p.draw("cancel", cancelView{
		frame: p.frame(org, e, title), Event: p.head(e), Waiting: waiting,
		Guests: len(s.View.Details.Guests) > 0, Back: RegistrationPath(s.View.Token),
	})
}

// Say gives a sentence of the pages' words.
func (p *Pages) Say(key string, args ...any) string { return p.say(key, args...) }

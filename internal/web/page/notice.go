package page

import (
	"html/template"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/intake"
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
	// Leave is the path of a button that ends the visitor's session, or empty for none.
	Leave string
	// Decline is the key of a form that says "not coming", or empty for none.
	Decline turnout.Key
}

// Link is a way on from a page.
type Link struct {
	Path, Text string
	// Top says that it opens outside of the frame that the page may be in.
	Top bool
}

type noticeView struct {
	frame
	Heading string
	Lines   []template.HTML
	Links   []Link
	Event   *head
	Key     string
	Decline template.HTML
	Leave   string
}

// NoticePage draws a notice. Org is nil where nobody's org is known.
func (p *Pages) NoticePage(org *turnout.Org, n Notice) ([]byte, error) {
	v := noticeView{frame: p.frame(org, n.Event, n.Title), Heading: n.Title, Links: n.Links, Key: string(n.Decline), Leave: n.Leave}
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

// Made says in a frame that a registration was made, and leads out to its own
// page, which is in no frame.
func (p *Pages) Made(e *turnout.Event, v intake.View) Notice {
	heading, text, _ := p.standing(v.Registration.Status, v.Registration.State())
	if v.Registration.Status == turnout.StatusWaitlisted {
		text = p.say("made.waitlisted")
	}
	return Notice{
		Title: heading, Event: e,
		Lines: []string{text, p.say("ticket.reference") + " " + Reference(v.Registration.Key), p.say("made.keep")},
		Links: []Link{
			{Path: RegistrationPath(v.Token), Text: p.say("made.open"), Top: true},
			{Path: EventPath(e) + "/register", Text: p.say("made.another")},
		},
	}
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

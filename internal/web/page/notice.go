package page

import (
	"html/template"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/intake"
)

// Notice is a page that says one thing, in the language of the edition that made it.
type Notice struct {
	in *Edition

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

// Notice makes a notice of the words "notice.KEY.title" and "notice.KEY.text".
func (p *Edition) Notice(key string, args ...any) Notice {
	return Notice{in: p, Title: p.Say("notice." + key + ".title"), Lines: []string{p.Say("notice."+key+".text", args...)}}
}

// Page draws a notice. Org is nil where nobody's org is known.
func (n Notice) Page(org *turnout.Org) ([]byte, error) {
	p := n.in
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
func (p *Edition) Made(e *turnout.Event, v intake.View) Notice {
	heading, text, _ := p.standing(v.Registration.Status, v.Registration.State())
	if v.Registration.Status == turnout.StatusWaitlisted {
		text = p.Say("made.waitlisted")
	}
	return Notice{
		in: p, Title: heading, Event: e,
		Lines: []string{text, p.Say("ticket.reference") + " " + v.Registration.Key.Reference(), p.Say("made.keep")},
		Links: []Link{
			{Path: RegistrationPath(v.Token), Text: p.Say("made.open"), Top: true},
			{Path: EventPath(e) + "/register", Text: p.Say("made.another")},
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
func (p *Edition) CancelPage(org *turnout.Org, e *turnout.Event, s TicketState) ([]byte, error) {
	title, waiting := p.Say("cancel.title"), s.View.Registration.Status == turnout.StatusWaitlisted
	if waiting {
		title = p.Say("cancel.wait.title")
	}
	return p.draw("cancel", cancelView{
		frame: p.frame(org, e, title), Event: p.head(e), Waiting: waiting,
		Guests: len(s.View.Details.Guests) > 0, Back: RegistrationPath(s.View.Token),
	})
}

package page

import (
	"html/template"
	"net/url"
	"slices"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/intake"
)

// TicketState is a registration in front of its owner.
type TicketState struct {
	View intake.View
	// Link is the path of the personal link it stands on, or empty on the
	// registration's own page.
	Link string
	// Again is the path where one can register again, or empty.
	Again string
	// AgainOnLink says that one can register again, by the personal link.
	AgainOnLink bool
	// LeftWaitlist says that a place in line was given up just now.
	LeftWaitlist bool
	// Saved says that what it says was changed just now.
	Saved bool
}

// ticketView is a registration for its template.
type ticketView struct {
	frame
	Event       head
	Heading     string
	Text        string
	Mood        string // good, wait or off: the colour of the banner
	Live        bool   // holds a place or a place in line
	Confirmed   bool   // holds a place
	Waiting     bool   // holds a place in line
	Date        date
	Ticket      string
	Sessions    []agendaDay
	Gone        bool
	Door        bool // there is a place to go to
	JoinURL     string
	Fixed       bool
	Again       string
	AgainText   string
	AgainOnLink string
	OnLink      bool
	Keep        string
	Saved       bool
	Over        bool

	// What is somebody's own: see ticketMarks.
	Reference string
	QR        template.HTML
	Name      string
	Email     string
	Company   string
	Job       string
	Guests    string
	Answers   []answerLine
	ICS       string
	Google    string
	Outlook   string
	Edit      string
	Cancel    string
}

// answerLine is an answer with the languages of question and answer.
type answerLine struct{ Label, Lang, Value, ValueLang string }

// RegistrationPath is where the registration with this token is.
func RegistrationPath(token string) string { return "/registrations/" + url.PathEscape(token) }

// TicketPage draws a registration for its owner. Registrations of one event in
// the same state are drawn once and then written from the cut page, which has
// the very bytes of a full rendering.
func (p *Edition) TicketPage(org *turnout.Org, e *turnout.Event, seats turnout.Seatings, s TicketState) ([]byte, error) {
	shape, m, err := p.ticketOf(org, e, seats, s)
	if err != nil {
		return nil, err
	}
	t, ok := p.tickets.get(shape)
	if !ok {
		if t, err = p.cutTicket(shape); err != nil {
			return nil, err
		}
		p.tickets.put(shape, t)
	}
	return t.AppendTo(make([]byte, 0, t.Size()+len(m.qr)+1024), m.values()...), nil
}

// ticketView is a ticket of a shape, with what is somebody's own from m.
func (p *Edition) ticketView(s ticketShape, m ticketMarks) ticketView {
	e := s.event
	v := ticketView{
		Event: p.head(e), Live: s.status.Holds(), Confirmed: s.status == turnout.StatusRegistered, Waiting: s.status == turnout.StatusWaitlisted,
		Gone: s.gone, Door: place(e) != "" || !e.Online, OnLink: s.onLink, Saved: s.saved, Over: s.over,
		Keep: p.Say("ticket.keep"), AgainText: p.Say("ticket.again"),
	}
	v.Heading, v.Text, v.Mood = p.standing(s.status, s.state)
	if s.left {
		v.Heading, v.Text = p.Say("ticket.title.left"), p.Say("ticket.left")
	}
	switch {
	case s.over:
		v.Text = p.Say("event.over") + "."
	case s.inside:
		v.Text = p.Say("ticket.inside")
	case s.dismissed:
		v.Text = p.Say("ticket.reserved")
	}
	v.Reference, v.Name, v.Email = m.reference, m.name, m.email
	if s.again {
		v.Again = m.again
	}
	if v.Confirmed {
		v.QR = template.HTML(m.qr)
		if !s.over {
			v.JoinURL = webAddress(e.JoinURL)
		}
	} else {
		v.Keep = p.Say("ticket.keep.wait")
	}
	if s.againOnLink {
		v.AgainOnLink = p.Say("ticket.again.link")
	}
	if s.full {
		v.AgainText = p.Say("ticket.again.wait")
		if s.againOnLink {
			v.AgainOnLink = p.Say("ticket.again.link.wait")
		}
	}
	v.frame = p.frame(s.org, e, v.Heading)
	v.Date = p.dateBlock(v.Event.When)
	if t, ok := e.Ticket(s.ticket); ok && len(e.Tickets) > 1 { // the only one goes without saying, as in the form
		v.Ticket = t.Name
	}
	v.Sessions = p.chosenDays(e, s.agenda)
	if s.company {
		v.Company = m.company
	}
	if s.title {
		v.Job = m.title
	}
	if s.guests {
		v.Guests = m.guests
	}
	v.Answers = p.answerLines(e, s.answers, m.answers)
	if v.Live {
		text := p.calendarText(e, s.status, m.reference, about(e, p.origin(s.org)))
		at := p.CalendarPlace(e, s.status)
		v.ICS, v.Google, v.Outlook = m.path+".ics", google(e, text, at), outlook(e, text, at)
		if s.edit {
			v.Edit = m.path + "/edit"
		}
		if s.cancel {
			v.Cancel = m.path + "/cancel"
		}
		v.Fixed = !s.edit && !s.cancel
	}
	return v
}

// standing says how a registration stands, in words.
func (p *Edition) standing(status turnout.Status, state turnout.State) (heading, text, mood string) {
	mood, text = "off", string(status)
	switch status {
	case turnout.StatusRegistered:
		mood, text = "good", string(state)
	case turnout.StatusWaitlisted:
		mood = "wait"
	}
	return p.Say("ticket.title." + string(status)), p.Say("ticket." + text), mood
}

// answerLines are the answered questions, with values in their order.
func (p *Edition) answerLines(e *turnout.Event, kinds string, values []string) []answerLine {
	var lines []answerLine
	for i, kind := range []byte(kinds) {
		if kind == isAbsent {
			continue
		}
		line := answerLine{Label: e.Form.Questions[i].Label, Lang: p.foreign(e), Value: values[len(lines)]}
		if kind == isForeign {
			line.ValueLang = line.Lang
		}
		lines = append(lines, line)
	}
	return lines
}

// chosenDays are the sessions that somebody chose.
func (p *Edition) chosenDays(e *turnout.Event, kinds string) []agendaDay {
	if kinds == "" {
		return nil
	}
	chosen := map[string]bool{}
	for i, a := range e.Agenda {
		chosen[a.ID] = kinds[i] == isThere
	}
	var days []agendaDay
	for _, day := range p.agendaDays(e, nil) {
		day.Items = slices.DeleteFunc(day.Items, func(item agendaLine) bool { return !chosen[item.ID] })
		if len(day.Items) > 0 {
			days = append(days, day)
		}
	}
	return days
}

// webAddress passes on an address that a browser opens as a page.
func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return u.String()
}

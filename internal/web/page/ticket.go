package page

import (
	"html/template"
	"net/url"
	"slices"
	"strings"

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
	Reference   string
	QR          template.HTML
	Person      turnout.Person
	Ticket      string
	Guests      []string
	Sessions    []agendaDay
	Answers     []answerLine
	Gone        bool
	Door        bool // there is a place to go to
	JoinURL     string
	ICS         string
	Google      string
	Outlook     string
	Edit        string
	Cancel      string
	Fixed       bool
	Again       string
	AgainText   string
	AgainOnLink bool
	OnLink      bool
	Keep        string
}

// answerLine is an answer with the languages of question and answer.
type answerLine struct{ Label, Lang, Value, ValueLang string }

// RegistrationPath is where the registration with this token is.
func RegistrationPath(token string) string { return "/registrations/" + url.PathEscape(token) }

// TicketPage draws a registration for its owner.
func (p *Pages) TicketPage(org *turnout.Org, e *turnout.Event, seats turnout.Seatings, s TicketState) ([]byte, error) {
	r, d, path := s.View.Registration, s.View.Details, RegistrationPath(s.View.Token)
	v := ticketView{
		Event: p.head(e), Person: d.Person, Reference: Reference(r.Key), Again: s.Again, AgainOnLink: s.AgainOnLink, OnLink: s.Link != "",
		Gone: d.Person == (turnout.Person{}), Live: r.Status.Holds(), Confirmed: r.Status == turnout.StatusRegistered, Waiting: r.Status == turnout.StatusWaitlisted,
		Door: place(e) != "" || !e.Online,
	}
	v.Heading, v.Text, v.Mood = p.standing(&r)
	if s.LeftWaitlist && r.Status == turnout.StatusCancelled {
		v.Heading, v.Text = p.say("ticket.title.left"), p.say("ticket.left")
	}
	v.frame = p.frame(org, e, v.Heading)
	v.Date = dateBlock(v.Event.When)
	p.addAnswers(&v, e, d)
	if v.Live {
		now := p.now()
		v.ICS, v.Google, v.Outlook = path+".ics", p.google(e, &r, p.origin(org)), p.outlook(e, &r, p.origin(org))
		if e.CanEdit(now) && !v.Gone {
			v.Edit = path + "/edit"
		}
		if e.CanCancel(now) {
			v.Cancel = path + "/cancel"
		}
		v.Fixed = v.Edit == "" && v.Cancel == ""
	}
	if v.Confirmed {
		v.JoinURL = webAddress(e.JoinURL)
		var err error
		if v.QR, err = qrCode(r.Key); err != nil {
			return nil, err
		}
	}
	v.Keep, v.AgainText = p.say("ticket.keep"), p.say("ticket.again")
	if !v.Confirmed {
		v.Keep = p.say("ticket.keep.wait")
	}
	if Full(e, seats) {
		v.AgainText = p.say("ticket.again.wait")
	}
	return p.draw("ticket", v)
}

// standing says how a registration stands, in words.
func (p *Pages) standing(r *turnout.Registration) (heading, text, mood string) {
	mood = "off"
	switch r.Status {
	case turnout.StatusRegistered:
		mood = "good"
	case turnout.StatusWaitlisted:
		mood = "wait"
	}
	text = string(r.Status)
	if r.Status == turnout.StatusRegistered {
		text = string(r.State())
	}
	return p.say("ticket.title." + string(r.Status)), p.say("ticket." + text), mood
}

func (p *Pages) addAnswers(v *ticketView, e *turnout.Event, d turnout.Details) {
	if t, ok := e.Ticket(d.Ticket); ok {
		v.Ticket = t.Name
	}
	for _, g := range d.Guests {
		v.Guests = append(v.Guests, strings.TrimSpace(g.FirstName+" "+g.LastName))
	}
	for _, day := range p.agendaDays(e, nil) {
		day.Items = slices.DeleteFunc(day.Items, func(item agendaLine) bool { return !slices.Contains(d.Agenda, item.ID) })
		if len(day.Items) > 0 {
			v.Sessions = append(v.Sessions, day)
		}
	}
	for _, q := range e.Form.Questions {
		line, values := answerLine{Label: q.Label, Lang: p.foreign(e)}, []string(nil)
		for _, a := range d.Answers[q.ID] {
			label, language := p.answerLabel(e, q, a)
			values, line.ValueLang = append(values, label), language
		}
		if len(values) > 0 {
			line.Value = strings.Join(values, ", ")
			v.Answers = append(v.Answers, line)
		}
	}
}

// webAddress passes on an address that a browser opens as a page.
func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return u.String()
}

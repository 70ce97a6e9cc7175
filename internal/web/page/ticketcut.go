package page

import (
	"slices"
	"strings"
	"sync"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/cut"
)

// ticketShape is all that a ticket says besides what is somebody's own. Org and
// event are never changed once they are shown, so their addresses stand for them.
type ticketShape struct {
	org    *turnout.Org
	event  *turnout.Event
	status turnout.Status
	state  turnout.State
	// Whether the event is full, the place in line was just given up, and
	// everything personal was erased.
	full, left, gone       bool
	edit, cancel           bool // what may still be done
	again                  string
	againOnLink, onLink    bool
	company, title, guests bool // whether there is any
	ticket                 string
	agenda                 string // a byte for each item: chosen or not
	answers                string // a byte for each question, see below
}

// The bytes of agenda and answers.
const (
	isAbsent  = '-'
	isThere   = '+'
	isForeign = 'f' // there, in the event's own language
)

// ticketMarks are the values of a ticket by mark or by value: one function
// fills both in, so that they cannot come apart.
type ticketMarks struct {
	path, reference, qr                 string
	name, email, company, title, guests string
	answers                             []string // of the questions that are not absent
}

// fixedMarks is how many marks there are besides the answers.
const fixedMarks = 8

func (m ticketMarks) values() []cut.Value {
	values := make([]cut.Value, 0, fixedMarks+len(m.answers))
	values = append(values, cut.Text(m.path), cut.Text(m.reference), cut.HTML(m.qr), cut.Text(m.name), cut.Text(m.email),
		cut.Text(m.company), cut.Text(m.title), cut.Text(m.guests))
	for _, a := range m.answers {
		values = append(values, cut.Text(a))
	}
	return values
}

// ticketOf takes a ticket apart into its shape and what is somebody's own.
func (p *Pages) ticketOf(org *turnout.Org, e *turnout.Event, seats turnout.Seatings, s TicketState) (ticketShape, ticketMarks, error) {
	r, d, now := &s.View.Registration, &s.View.Details, p.now()
	shape := ticketShape{
		org: org, event: e, status: r.Status, state: r.State(), full: Full(e, seats),
		left: s.LeftWaitlist && r.Status == turnout.StatusCancelled, gone: d.Person == (turnout.Person{}),
		cancel: e.CanCancel(now), again: s.Again, againOnLink: s.AgainOnLink, onLink: s.Link != "",
		company: d.Person.Company != "", title: d.Person.Title != "", guests: len(d.Guests) > 0, ticket: d.Ticket,
	}
	shape.edit = !shape.gone && e.CanEdit(now)
	if len(d.Agenda) > 0 {
		chosen := make([]byte, len(e.Agenda))
		for i, a := range e.Agenda {
			chosen[i] = isAbsent
			if slices.Contains(d.Agenda, a.ID) {
				chosen[i] = isThere
			}
		}
		shape.agenda = string(chosen)
	}
	m := ticketMarks{
		path: RegistrationPath(s.View.Token), reference: Reference(r.Key), name: d.Person.Name(), email: d.Person.Email,
		company: d.Person.Company, title: d.Person.Title, guests: guestNames(d.Guests),
	}
	shape.answers, m.answers = p.answersOf(e, d.Answers)
	var err error
	if r.Status == turnout.StatusRegistered {
		m.qr, err = qrCode(r.Key)
	}
	return shape, m, err
}

func guestNames(guests []turnout.Guest) string {
	names := make([]string, len(guests))
	for i, g := range guests {
		names[i] = strings.TrimSpace(g.FirstName + " " + g.LastName)
	}
	return strings.Join(names, ", ")
}

// answersOf are the answers as the form words them, and which questions they are to.
func (p *Pages) answersOf(e *turnout.Event, answers map[string][]string) (shape string, values []string) {
	if len(answers) == 0 {
		return "", nil
	}
	kinds := make([]byte, len(e.Form.Questions))
	for i, q := range e.Form.Questions {
		kinds[i] = isAbsent
		var labels []string
		for _, a := range answers[q.ID] {
			label, language := p.answerLabel(e, q, a)
			labels, kinds[i] = append(labels, label), isThere
			if language != "" {
				kinds[i] = isForeign
			}
		}
		if len(labels) > 0 {
			values = append(values, strings.Join(labels, ", "))
		}
	}
	return string(kinds), values
}

// cutTicket draws a ticket of this shape with marks, and cuts it there.
func (p *Pages) cutTicket(s ticketShape) (*cut.Template, error) {
	answers := len(s.answers) - strings.Count(s.answers, string(isAbsent))
	marks := cut.Marks(fixedMarks + answers)
	html, err := p.draw("ticket", p.ticketView(s, ticketMarks{
		path: marks[0], reference: marks[1], qr: marks[2], name: marks[3], email: marks[4],
		company: marks[5], title: marks[6], guests: marks[7], answers: marks[fixedMarks:],
	}))
	if err != nil {
		return nil, err
	}
	return cut.New(html, marks), nil
}

// maxTickets bounds the cut tickets in memory: at some 6 KB each that is 6 MB.
const maxTickets = 1024

// ticketCuts remembers cut tickets. When it is full it forgets them all, those of
// events that were drawn anew since with them, and begins again.
type ticketCuts struct {
	mu   sync.RWMutex
	cuts map[ticketShape]*cut.Template
}

func (c *ticketCuts) get(s ticketShape) (*cut.Template, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, ok := c.cuts[s]
	return t, ok
}

func (c *ticketCuts) put(s ticketShape, t *cut.Template) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cuts == nil || len(c.cuts) >= maxTickets {
		c.cuts = map[ticketShape]*cut.Template{}
	}
	c.cuts[s] = t
}

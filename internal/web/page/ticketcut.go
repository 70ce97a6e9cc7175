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
	// Whether the event is full, the place in line was just given up, everything
	// personal was erased, and they have been checked in.
	full, left, gone, inside bool
	// Whether a change was saved just now, the event is over, and somebody decided that
	// nothing is to be done about what Salesforce refuses.
	saved, over, dismissed     bool
	edit, cancel               bool // what may still be done
	again, againOnLink, onLink bool
	company, title, guests     bool // whether there is any
	ticket                     string
	agenda                     string // a byte for each item: chosen or not
	answers                    string // a byte for each question, see below
}

// The bytes of agenda and answers.
const (
	isAbsent  = '-'
	isThere   = '+'
	isForeign = 'f' // there, in the event's own language
)

// ticketMarks are the values of a ticket by mark or by value: one function
// fills both in, so that they cannot come apart. Path, again and reference also
// stand in addresses, whose escaping package cut does not know: of tokens and keys
// it leaves every character as it is.
type ticketMarks struct {
	path, again, reference, qr          string
	name, email, company, title, guests string
	answers                             []string // of the questions that are not absent
}

// fixedMarks is how many marks there are besides the answers.
const fixedMarks = 9

func (m ticketMarks) values() []cut.Value {
	values := make([]cut.Value, 0, fixedMarks+len(m.answers))
	values = append(values, cut.Text(m.path), cut.Text(m.again), cut.Text(m.reference), cut.HTML(m.qr), cut.Text(m.name), cut.Text(m.email),
		cut.Text(m.company), cut.Text(m.title), cut.Text(m.guests))
	for _, a := range m.answers {
		values = append(values, cut.Text(a))
	}
	return values
}

// ticketOf takes a ticket apart into its shape and what is somebody's own.
func (p *Edition) ticketOf(org *turnout.Org, e *turnout.Event, seats turnout.Seatings, s TicketState) (ticketShape, ticketMarks, error) {
	r, d, now := &s.View.Registration, &s.View.Details, p.now()
	shape := ticketShape{org: org, event: e, status: r.Status, state: r.State(), gone: d.Person == (turnout.Person{})}
	m := ticketMarks{path: RegistrationPath(s.View.Token), again: s.Again, reference: r.Key.Reference()}
	if !r.Status.Holds() { // then a ticket says little, and there are few shapes
		shape.full, shape.left = Full(e, seats), s.LeftWaitlist && r.Status == turnout.StatusCancelled
		shape.again, shape.againOnLink = s.Again != "", s.AgainOnLink
		return shape, m, nil
	}
	shape.inside, shape.saved, shape.over = r.Inside(), s.Saved, e.Phase(now) >= turnout.PhaseOver
	shape.dismissed = shape.state == turnout.StateParked && !r.Dismissed.IsZero()
	shape.edit, shape.cancel, shape.onLink = !shape.gone && !shape.inside && e.CanEdit(now), !shape.inside && e.CanCancel(now), s.Link != "" || !r.Link.IsZero()
	shape.company, shape.title, shape.guests, shape.ticket = d.Person.Company != "", d.Person.Title != "", len(d.Guests) > 0, d.Ticket
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
	m.name, m.email, m.company, m.title, m.guests = d.Person.Name(), d.Person.Email, d.Person.Company, d.Person.Title, guestNames(d.Guests)
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
func (p *Edition) answersOf(e *turnout.Event, answers map[string][]string) (shape string, values []string) {
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
func (p *Edition) cutTicket(s ticketShape) (*cut.Template, error) {
	answers := len(s.answers) - strings.Count(s.answers, string(isAbsent))
	marks := cut.Marks(fixedMarks + answers)
	html, err := p.draw("ticket", p.ticketView(s, ticketMarks{
		path: marks[0], again: marks[1], reference: marks[2], qr: marks[3], name: marks[4], email: marks[5],
		company: marks[6], title: marks[7], guests: marks[8], answers: marks[fixedMarks:],
	}))
	if err != nil {
		return nil, err
	}
	return cut.New(html, marks), nil
}

// maxTickets bounds the cut tickets in memory, in bytes: some 1,500 of most events,
// some hundreds of one with long texts about its sessions.
const maxTickets = 8 << 20

// ticketCuts remembers cut tickets. When it is full it forgets them all, those of
// events that were drawn anew since with them, and begins again.
type ticketCuts struct {
	mu   sync.RWMutex
	cuts map[ticketShape]*cut.Template
	size int
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
	if c.cuts == nil || c.size > maxTickets {
		c.cuts, c.size = map[ticketShape]*cut.Template{}, 0
	}
	c.cuts[s] = t
	c.size += t.Size()
}

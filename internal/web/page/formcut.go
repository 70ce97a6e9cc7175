package page

import (
	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/cut"
)

// Form draws an event's form with marks where personal values go. Public form
// and link's form are written from the same template, with FormValues.
func (p *Edition) Form(org *turnout.Org, e *turnout.Event, seats turnout.Seatings) (*cut.Template, error) {
	v := p.formView(org, e, seats, FormState{})
	marks := cut.Marks(formSlots)
	v.fill(formMarks{
		key: marks[0], first: marks[1], last: marks[2], email: marks[3], title: marks[4], company: marks[5],
		lede: marks[6], emailHint: marks[7], emailLock: marks[8], decline: marks[9], heading: marks[10],
	})
	html, err := p.draw("form", v)
	if err != nil {
		return nil, err
	}
	return cut.New(html, marks), nil
}

// FormValues are the values for the marks of Form. Of s only Key,
// Details.Person, Invited and Invitee count.
func (p *Edition) FormValues(e *turnout.Event, seats turnout.Seatings, s FormState) [formSlots]cut.Value {
	m := p.marksOf(e, seats, s)
	return [formSlots]cut.Value{
		cut.Text(m.key), cut.Text(m.first), cut.Text(m.last), cut.Text(m.email), cut.Text(m.title), cut.Text(m.company),
		cut.Text(m.lede), cut.Text(m.emailHint), cut.HTML(m.emailLock), cut.HTML(m.decline), cut.Text(m.heading),
	}
}

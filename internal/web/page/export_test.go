package page

import "github.com/turnout-events/turnout"

// Contrast gives tests the ratio of two colours, "rrggbb" each.
func Contrast(a, b string) float64 {
	c := colours(a, b)
	return contrast(c[0], c[1])
}

// LightGrounds and DarkGrounds give tests what text stands on.
func LightGrounds() []string { return []string{"f5f5f2", "ffffff"} }
func DarkGrounds() []string  { return []string{"141619", "1f2226"} }

// NewIn gives tests pages in languages of their own.
var NewIn = newIn

// RuleWords gives tests the words that are not in English's file.
var RuleWords = ruleWords

// QRCode gives tests the drawing of a key.
var QRCode = qrCode

// FullTicketPage gives tests a ticket that is drawn in full, from no cut page.
func (p *Edition) FullTicketPage(org *turnout.Org, e *turnout.Event, seats turnout.Seatings, s TicketState) ([]byte, error) {
	shape, own, err := p.ticketOf(org, e, seats, s)
	if err != nil {
		return nil, err
	}
	return p.draw("ticket", p.ticketView(shape, own))
}

// MaxTickets is how many bytes of cut tickets there may be; CutTickets tells how
// many tickets there are, and of how many bytes.
const MaxTickets = maxTickets

func (p *Edition) CutTickets() (n, size int) {
	for _, t := range p.tickets.cuts {
		size += t.Size()
	}
	return len(p.tickets.cuts), size
}

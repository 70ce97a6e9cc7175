package page

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
)

// eventView is an event's public page.
type eventView struct {
	frame
	Event    head
	Summary  string
	Body     template.HTML
	Host     string
	Hint     string // about the place
	Unlisted string // that the event is on no list, or empty
	Picture  *picture
	Date     date
	Tickets  []ticketLine
	Days     []agendaDay
	Deadline template.HTML
	Seats    string        // "12 places left", or empty where nobody counts or none is to be had
	Status   template.HTML // why one cannot register, or empty
	Action   string        // the button's words, or empty
	// ActionLang is the language of an organiser's own words for it.
	ActionLang string
	Register   string // the button's path
	ICS        string // the calendar file's path, empty once it is over
}

type ticketLine struct {
	Name, About, Seats string
	Full               bool
}

type agendaDay struct {
	Name  string // empty where the event is on one day
	Items []agendaLine
}

type agendaLine struct {
	ID, Name, About, Room, Hours, Seats string
	Lang                                string // of what the organiser wrote
	Start                               string // for a datetime attribute
	Full                                bool
	Disabled                            bool
	Checked                             bool
}

// Event draws an event's public page as it is now.
func (p *Edition) Event(org *turnout.Org, e *turnout.Event, seats turnout.Seatings) (catalog.Page, error) {
	phase := e.Phase(p.now())
	left := seats // what one may still have
	if phase > turnout.PhaseOpen {
		left = nil
	}
	v := eventView{
		frame: p.frame(org, nil, e.Title+" · "+org.Name), Event: p.head(e), Summary: e.Summary, Body: template.HTML(e.Body), Host: e.Organizer,
		Picture: pictureOf(e), Tickets: p.ticketLines(e, left), Days: p.agendaDays(e, left),
		Register: EventPath(e) + "/register",
	}
	if !Full(e, left) { // what is full says so in words
		v.Seats = p.seatsLeft(left.Free(turnout.PoolEvent))
	}
	v.Accent, v.Private, v.Date = accentPath(e.Accent), e.Private, p.dateBlock(v.Event.When)
	if phase != turnout.PhaseOver {
		v.ICS = EventPath(e) + ".ics"
	}
	if e.Private {
		v.Unlisted = p.Say("event.private")
	}
	if e.Online && phase < turnout.PhaseClosed {
		v.Hint = p.Say("event.online.hint")
	}
	if !e.Closes.IsZero() && phase <= turnout.PhaseOpen {
		v.Deadline = p.sayAt(e, "%s", e.Closes)
	}
	v.Action, v.Status = p.action(e, seats, phase)
	v.ActionLang = p.buttonLang(e, v.Action)
	v.Social = p.social(org, e, seats, phase)
	html, err := p.draw("event", v)
	if err != nil {
		return catalog.Page{}, err
	}
	return finish(html), nil
}

// action is what an event's button says, or why there is none.
func (p *Edition) action(e *turnout.Event, seats turnout.Seatings, phase turnout.Phase) (button string, status template.HTML) {
	switch {
	case phase == turnout.PhaseUpcoming:
		return "", p.sayAt(e, p.Say("event.upcoming"), e.Opens)
	case phase == turnout.PhaseClosed:
		return "", fillHTML(p.Say("event.closed"))
	case phase == turnout.PhaseOver:
		return "", fillHTML(p.Say("event.over"))
	case !Full(e, seats):
		return cmpOr(e.Button, p.Say("event.register")), ""
	case e.Waitlist:
		return p.Say("event.waitlist"), fillHTML(p.Say("event.full.wait"))
	}
	return "", fillHTML(p.Say("event.full"))
}

// buttonLang is the language of what a button says, empty where it is the page's.
func (p *Edition) buttonLang(e *turnout.Event, says string) string {
	if says != e.Button {
		return ""
	}
	return p.foreign(e)
}

// Full reports whether, as far as seats tell, nobody new gets a place: the
// event has none left, or none of its tickets has.
func Full(e *turnout.Event, seats turnout.Seatings) bool {
	for _, t := range e.Tickets {
		if seats.Free(turnout.PoolTicket(t.ID)) != 0 {
			return false
		}
	}
	return true
}

func (p *Edition) seatsLeft(free int) string {
	if free == turnout.Unlimited {
		return ""
	}
	return p.Seats(free)
}

// Seats says how many seats are left; turnout.Unlimited is a number, too.
func (p *Edition) Seats(free int) string {
	switch free {
	case turnout.Unlimited:
		return p.Say("seats.open")
	case 0:
		return p.Say("seats.none")
	case 1:
		return p.Say("seats.one")
	}
	return p.Say("seats.many", free)
}

func (p *Edition) ticketLines(e *turnout.Event, seats turnout.Seatings) []ticketLine {
	lines := make([]ticketLine, len(e.Tickets))
	for i, t := range e.Tickets {
		free := seats.Free(turnout.PoolTicket(t.ID))
		lines[i] = ticketLine{Name: t.Name, About: t.About, Seats: p.seatsLeft(free), Full: free == 0}
	}
	return lines
}

// agendaFree is how many places an agenda item has left by itself.
func agendaFree(a turnout.AgendaItem, seats turnout.Seatings) int {
	if s, ok := seats[turnout.PoolAgenda(a.ID)]; ok {
		return s.Free()
	}
	return turnout.Unlimited
}

func (p *Edition) agendaDays(e *turnout.Event, seats turnout.Seatings) []agendaDay {
	var days []agendaDay
	short := true // one day, which the page says anyway
	for _, a := range e.Agenda {
		free := agendaFree(a, seats)
		line := agendaLine{ID: a.ID, Name: a.Name, About: a.About, Room: a.Room, Lang: p.foreign(e), Seats: p.seatsLeft(free), Full: free == 0}
		name := ""
		if !a.Starts.IsZero() {
			start := a.Starts.In(p.zones.of(e))
			name, line.Hours, line.Start = p.Date("format.day", start), p.hours(a, p.zones.of(e)), start.Format(time.RFC3339)
			short = short && sameDay(start, e.Starts.In(p.zones.of(e)))
		}
		if n := len(days); n == 0 || days[n-1].Name != name {
			days = append(days, agendaDay{Name: name})
		}
		days[len(days)-1].Items = append(days[len(days)-1].Items, line)
	}
	if len(days) == 1 && short && sameDay(e.Starts.In(p.zones.of(e)), e.EndsOrStarts().In(p.zones.of(e))) {
		days[0].Name = ""
	}
	return days
}

// hours are an agenda item's. The end names its day where the clock alone would
// be taken for an earlier one.
func (p *Edition) hours(a turnout.AgendaItem, loc *time.Location) string {
	start, end := a.Starts.In(loc), a.Ends.In(loc)
	begins, ends := p.Date("format.time", start), p.Date("format.time", end)
	switch {
	case a.Ends.IsZero():
		return begins
	case end.Sub(start) >= 24*time.Hour:
		return p.Say("time.hours.days", begins, p.Date("format.day", end), ends)
	}
	return p.Say("time.hours", begins, ends)
}

// finish makes the page of its bytes.
func finish(html []byte) catalog.Page {
	sum := sha256.Sum256(html)
	return catalog.Page{HTML: html, Gzip: compress(html), ETag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

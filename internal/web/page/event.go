package page

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"strings"
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
	Image    string
	Date     date
	Tickets  []ticketLine
	Days     []agendaDay
	Deadline string
	Seats    string // "12 places left", or empty where nobody counts
	Status   string // why one cannot register, or empty
	Action   string // the button's words, or empty
	Register string // the button's path
	ICS      string // the calendar file's path, empty once it is over
}

type ticketLine struct {
	Name, About, Seats string
	Full               bool
}

type agendaDay struct {
	Name  string // empty where all is on one day
	Items []agendaLine
}

type agendaLine struct {
	ID, Name, About, Room, Hours, Seats string
	Start                               string // for a datetime attribute
	Full                                bool
	Disabled                            bool
	Checked                             bool
}

// Event draws an event's public page as it is now. It implements catalog.Renderer.
func (p *Pages) Event(org *turnout.Org, e *turnout.Event, seats turnout.Seatings) (catalog.Page, error) {
	phase := e.Phase(p.now())
	v := eventView{
		frame: p.frame(org, nil, e.Title+" · "+org.Name), Event: p.head(e), Summary: e.Summary, Body: template.HTML(e.Body), Host: e.Organizer,
		Image: ownImage(e.Image), Tickets: ticketLines(e, seats), Days: p.agendaDays(e, seats),
		Seats: seatsLeft(seats.Free(turnout.PoolEvent)), Register: EventPath(e) + "/register",
	}
	v.Accent, v.Private, v.Date = accentPath(e.Accent), e.Private, dateBlock(v.Event.When)
	if phase != turnout.PhaseOver {
		v.ICS = EventPath(e) + ".ics"
	}
	if e.Private {
		v.Unlisted = p.say("event.private")
	}
	if e.Online && phase < turnout.PhaseClosed {
		v.Hint = p.say("event.online.hint")
	}
	if !e.Closes.IsZero() && phase <= turnout.PhaseOpen {
		v.Deadline = e.Closes.In(e.Location()).Format(p.say("format.datetime"))
	}
	v.Action, v.Status = p.action(e, seats, phase)
	v.Social = p.social(org, e, seats, phase)
	html, err := p.draw("event", v)
	if err != nil {
		return catalog.Page{}, err
	}
	return finish(html), nil
}

// action is what an event's button says, or why there is none.
func (p *Pages) action(e *turnout.Event, seats turnout.Seatings, phase turnout.Phase) (button, status string) {
	switch {
	case phase == turnout.PhaseUpcoming:
		return "", p.say("event.upcoming", e.Opens.In(e.Location()).Format(p.say("format.datetime")))
	case phase == turnout.PhaseClosed:
		return "", p.say("event.closed")
	case phase == turnout.PhaseOver:
		return "", p.say("event.over")
	case !Full(e, seats):
		return p.say("event.register"), ""
	case e.Waitlist:
		return p.say("event.waitlist"), p.say("event.full.wait")
	}
	return "", p.say("event.full")
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

func seatsLeft(free int) string {
	if free == turnout.Unlimited {
		return ""
	}
	return turnout.SeatsText(free)
}

func ticketLines(e *turnout.Event, seats turnout.Seatings) []ticketLine {
	lines := make([]ticketLine, len(e.Tickets))
	for i, t := range e.Tickets {
		free := seats.Free(turnout.PoolTicket(t.ID))
		lines[i] = ticketLine{Name: t.Name, About: t.About, Seats: seatsLeft(free), Full: free == 0}
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

func (p *Pages) agendaDays(e *turnout.Event, seats turnout.Seatings) []agendaDay {
	var days []agendaDay
	names := map[string]bool{}
	for _, a := range e.Agenda {
		free := agendaFree(a, seats)
		line := agendaLine{ID: a.ID, Name: a.Name, About: a.About, Room: a.Room, Seats: seatsLeft(free), Full: free == 0}
		name := ""
		if !a.Starts.IsZero() {
			start := a.Starts.In(e.Location())
			name, line.Hours, line.Start = start.Format(p.say("format.day")), p.hours(a, e.Location()), start.Format(time.RFC3339)
		}
		if n := len(days); n == 0 || days[n-1].Name != name {
			days = append(days, agendaDay{Name: name})
		}
		names[name] = true
		days[len(days)-1].Items = append(days[len(days)-1].Items, line)
	}
	if len(names) == 1 {
		days[0].Name = ""
	}
	return days
}

func (p *Pages) hours(a turnout.AgendaItem, loc *time.Location) string {
	clock := p.say("format.time")
	if a.Ends.IsZero() {
		return a.Starts.In(loc).Format(clock)
	}
	return p.say("time.hours", a.Starts.In(loc).Format(clock), a.Ends.In(loc).Format(clock))
}

// ownImage passes on a picture that is served from here; others would be a
// third party in the visitor's browser.
func ownImage(path string) string {
	if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.HasPrefix(path, `/\`) {
		return path
	}
	return ""
}

// finish makes the page of its bytes.
func finish(html []byte) catalog.Page {
	sum := sha256.Sum256(html)
	return catalog.Page{HTML: html, Gzip: compress(html), ETag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

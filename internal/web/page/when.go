package page

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
)

// when is a span of time as a page says it, in the event's zone.
type when struct {
	Start, End time.Time // local; End may be zero
	Text       string    // "Thursday, 4 March 2027, 18:00 to 21:00"
	Day        string    // "Thursday, 4 March 2027", or both days
	Hours      string    // "18:00 to 21:00", empty over several days
	Zone       string    // "Vienna time (UTC+1)"
}

// Machine is the start for a datetime attribute.
func (w when) Machine() string { return w.Start.Format(time.RFC3339) }

// MachineEnd is the end for a script, empty if nobody said.
func (w when) MachineEnd() string {
	if w.End.IsZero() {
		return ""
	}
	return w.End.Format(time.RFC3339)
}

func (p *Edition) when(e *turnout.Event) when {
	loc := p.zones.of(e)
	w := when{Start: e.Starts.In(loc), Zone: p.zone(e, e.Starts)}
	if e.Ends.After(e.Starts) {
		w.End = e.Ends.In(loc)
	}
	w.Day, w.Hours = p.span(w.Start, w.End)
	w.Text = w.Day
	if w.Hours != "" {
		w.Text += ", " + w.Hours
	}
	return w
}

// span says a day and its hours, or both ends where the days differ.
func (p *Edition) span(start, end time.Time) (day, hours string) {
	day, begins := p.Date("format.date", start), p.Date("format.time", start)
	if end.IsZero() {
		return day, p.Say("time.start", begins)
	}
	ends := p.Date("format.time", end)
	if sameDay(start, end) {
		return day, p.Say("time.range", begins, ends)
	}
	return p.Say("time.days", day, begins, p.Date("format.date", end), ends), ""
}

func sameDay(a, b time.Time) bool {
	ay, am, ad := a.Date()
	by, bm, bd := b.Date()
	return ay == by && am == bm && ad == bd
}

// zone names the event's zone at t by its city, which people know better than
// abbreviations.
func (p *Edition) zone(e *turnout.Event, t time.Time) string {
	loc := p.zones.of(e)
	if loc == time.UTC {
		return "UTC"
	}
	city := strings.ReplaceAll(e.Zone[strings.LastIndexByte(e.Zone, '/')+1:], "_", " ")
	if key := "city." + e.Zone; p.Has(key) {
		city = p.Say(key)
	}
	return p.Say("time.zone", city, offset(t.In(loc)))
}

// sayAt fills one point in time into a sentence, in the event's zone. Behind the
// sentence is a place where the script says it in the visitor's own.
func (p *Edition) sayAt(e *turnout.Event, sentence string, t time.Time) template.HTML {
	esc := template.HTMLEscapeString
	local := t.In(p.zones.of(e))
	machine := local.Format(time.RFC3339)
	moment := `<time datetime="` + machine + `">` + esc(p.Date("format.datetime", local)) + `</time>, ` + esc(p.zone(e, t))
	return fillHTML(sentence, template.HTML(moment)) +
		template.HTML(`<span class="visitor" data-start="`+machine+`" data-label="`+esc(p.Say("time.visitor"))+`" hidden></span>`)
}

// offset is "UTC+5:30".
func offset(t time.Time) string {
	_, seconds := t.Zone()
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	hours, minutes := seconds/3600, seconds%3600/60
	switch {
	case hours == 0 && minutes == 0:
		return "UTC"
	case minutes == 0:
		return fmt.Sprintf("UTC%c%d", sign, hours)
	}
	return fmt.Sprintf("UTC%c%d:%02d", sign, hours, minutes)
}

// date is the block that stands for a day in pictures; screen readers get the
// words beside it instead.
type date struct{ Weekday, Day, Month string }

func (p *Edition) dateBlock(w when) date {
	return date{p.Date("format.weekday", w.Start), w.Start.Format("2"), p.Date("format.month", w.Start)}
}

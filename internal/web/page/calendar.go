package page

import (
	"net/url"
	"strings"

	"github.com/turnout-events/turnout"
)

// CalendarText is about with what whoever is registered needs on the day: the
// reference and the address to join, or that it is a place in line only. It
// names nobody (P8).
func (p *Edition) CalendarText(e *turnout.Event, r *turnout.Registration, about string) string {
	return p.calendarText(e, r.Status, r.Key.Reference(), about)
}

func (p *Edition) calendarText(e *turnout.Event, status turnout.Status, reference, about string) string {
	switch status {
	case turnout.StatusWaitlisted:
		about = p.Say("ticket.calendar.waitlisted") + "\n\n" + about
	case turnout.StatusRegistered:
		about += "\n\n" + p.Say("ticket.calendar.line", p.Say("ticket.reference"), reference)
		if e.JoinURL != "" {
			about += "\n" + p.Say("ticket.calendar.line", p.Say("ticket.join"), e.JoinURL)
		}
	}
	return strings.TrimSpace(about)
}

// CalendarPlace is where an entry says the event is: its place, or for an event that is
// online the address to join, of which calendars make a button, once somebody is
// registered. An empty status is nobody's.
func (p *Edition) CalendarPlace(e *turnout.Event, status turnout.Status) string {
	switch at := place(e); {
	case at != "":
		return at
	case status == turnout.StatusRegistered && e.JoinURL != "":
		return e.JoinURL
	case e.Online:
		return p.Say("event.online")
	}
	return ""
}

// google and outlook are links that open a prefilled entry in those calendars,
// with the text and the place that the calendar file has.
func google(e *turnout.Event, text, at string) string {
	const stamp = "20060102T150405Z"
	end := e.EndsOrStarts()
	return "https://calendar.google.com/calendar/render?" + placed(at, url.Values{
		"action": {"TEMPLATE"}, "text": {e.Title}, "details": {text},
		"dates": {e.Starts.UTC().Format(stamp) + "/" + end.UTC().Format(stamp)},
	})
}

func outlook(e *turnout.Event, text, at string) string {
	const stamp = "2006-01-02T15:04:05Z"
	return "https://outlook.live.com/calendar/0/deeplink/compose?" + placed(at, url.Values{
		"path": {"/calendar/action/compose"}, "rru": {"addevent"}, "subject": {e.Title}, "body": {text},
		"startdt": {e.Starts.UTC().Format(stamp)}, "enddt": {e.EndsOrStarts().UTC().Format(stamp)},
	})
}

// placed adds where the event is, if it is anywhere.
func placed(at string, query url.Values) string {
	if at != "" {
		query.Set("location", at)
	}
	return query.Encode()
}

func about(e *turnout.Event, origin string) string {
	return strings.TrimSpace(e.Summary + "\n\n" + origin + EventPath(e))
}

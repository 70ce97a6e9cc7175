// Package ics writes iCalendar objects (RFC 5545) with one event in them.
//
// It promises lines of at most 75 octets that are never folded inside a
// character, times in UTC, and texts escaped so that no value can start a
// property of its own.
package ics

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Entry is one VEVENT. Texts may be anything; control characters other than
// the line feed are left out.
type Entry struct {
	// UID stays the same for the same event, so that a calendar updates it
	// (RFC 5545, 3.8.4.7).
	UID     string
	Stamp   time.Time
	Start   time.Time
	End     time.Time // zero: nobody said
	Summary string
	// About is plain text; line feeds are kept.
	About    string
	Location string
	// URL is an absolute http or https address, or empty.
	URL string
	// Tentative says that it is not certain yet whether the person has a place.
	Tentative bool
	// Cancelled says that the person no longer has a place.
	Cancelled bool
}

// ContentType is what the bytes are served as (RFC 5545, 8.1).
const ContentType = "text/calendar; charset=utf-8"

// Append appends a whole VCALENDAR object to dst.
func Append(dst []byte, e Entry) []byte {
	line := func(name, value string) {
		if value != "" {
			dst = fold(dst, name+":"+value)
		}
	}
	line("BEGIN", "VCALENDAR")
	line("VERSION", "2.0")
	line("PRODID", "-//Turnout//Event registration//EN")
	line("CALSCALE", "GREGORIAN")
	line("BEGIN", "VEVENT")
	line("UID", text(e.UID))
	line("DTSTAMP", utc(e.Stamp))
	line("DTSTART", utc(e.Start))
	if e.End.After(e.Start) {
		line("DTEND", utc(e.End))
	}
	line("SUMMARY", text(e.Summary))
	line("DESCRIPTION", text(e.About))
	line("LOCATION", text(e.Location))
	line("URL", address(e.URL))
	line("STATUS", status(e))
	line("END", "VEVENT")
	line("END", "VCALENDAR")
	return dst
}

// status is one of the three that an event may have (RFC 5545, 3.8.1.11).
func status(e Entry) string {
	switch {
	case e.Cancelled:
		return "CANCELLED"
	case e.Tentative:
		return "TENTATIVE"
	}
	return "CONFIRMED"
}

func utc(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// text escapes as RFC 5545, 3.3.11 asks.
func text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\' || r == ';' || r == ',':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteByte(' ')
		case r < ' ' || r == 0x7f:
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// address passes an address on if it can stand in a line as it is.
func address(s string) string {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return ""
		}
	}
	return s
}

// fold writes one content line, broken so that no line has more than 75
// octets, the line break not counted (RFC 5545, 3.1).
func fold(dst []byte, line string) []byte {
	room := 75
	for len(line) > room {
		n := room
		for n > 1 && !utf8.RuneStart(line[n]) {
			n--
		}
		dst = append(dst, line[:n]...)
		dst = append(dst, "\r\n "...)
		line = line[n:]
		room = 74 // the space counts
	}
	dst = append(dst, line...)
	return append(dst, "\r\n"...)
}

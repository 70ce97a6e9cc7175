package ics_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/turnout-events/turnout/internal/ics"
)

var start = time.Date(2027, 3, 4, 18, 0, 0, 0, time.FixedZone("CET", 3600))

func entry() ics.Entry {
	return ics.Entry{
		UID: "a1@events.example.org", Stamp: start, Start: start, End: start.Add(2 * time.Hour),
		Summary: "Spring, open; day", About: "First line\nsecond \\ line", Location: "Hall 1", URL: "https://events.example.org/events/x",
	}
}

func TestAppend(t *testing.T) {
	want := strings.Join([]string{
		"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Turnout//Event registration//EN", "CALSCALE:GREGORIAN",
		"BEGIN:VEVENT", "UID:a1@events.example.org", "DTSTAMP:20270304T170000Z", "DTSTART:20270304T170000Z",
		"DTEND:20270304T190000Z", `SUMMARY:Spring\, open\; day`, `DESCRIPTION:First line\nsecond \\ line`,
		"LOCATION:Hall 1", "URL:https://events.example.org/events/x", "STATUS:CONFIRMED",
		"END:VEVENT", "END:VCALENDAR", "",
	}, "\r\n")
	if got := string(ics.Append(nil, entry())); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestEndBeforeStartIsLeftOut(t *testing.T) {
	e := entry()
	e.End, e.Cancelled = time.Time{}, true
	got := string(ics.Append(nil, e))
	if strings.Contains(got, "DTEND") || !strings.Contains(got, "STATUS:CANCELLED\r\n") {
		t.Errorf("got:\n%s", got)
	}
}

func TestStatus(t *testing.T) {
	for want, e := range map[string]ics.Entry{
		"CONFIRMED": {}, "TENTATIVE": {Tentative: true}, "CANCELLED": {Tentative: true, Cancelled: true},
	} {
		if got := string(ics.Append(nil, e)); !strings.Contains(got, "STATUS:"+want+"\r\n") || strings.Count(got, "STATUS:") != 1 {
			t.Errorf("%+v: want %s in\n%s", e, want, got)
		}
	}
}

func TestFoldKeepsCharactersWhole(t *testing.T) {
	e := entry()
	e.Summary = strings.Repeat("Größe 🎟 ", 40)
	check(t, e)
}

// check holds the promises of the package comment and returns the unfolded lines.
func check(t *testing.T, e ics.Entry) []string {
	t.Helper()
	out := string(ics.Append(nil, e))
	if !utf8.ValidString(out) || !strings.HasSuffix(out, "\r\n") {
		t.Fatalf("not valid UTF-8 or not ended: %q", out)
	}
	physical := strings.Split(strings.TrimSuffix(out, "\r\n"), "\r\n")
	for _, line := range physical {
		if len(line) > 75 || !utf8.ValidString(line) {
			t.Fatalf("line of %d octets: %q", len(line), line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Fatalf("control character in %q", line)
		}
	}
	return strings.Split(strings.ReplaceAll(strings.TrimSuffix(out, "\r\n"), "\r\n ", ""), "\r\n")
}

func FuzzAppend(f *testing.F) {
	f.Add("uid", "Title\r\nATTENDEE:mailto:x", "about\\n;,", "place\x00", "https://example.org/\r\nX:1")
	f.Add(strings.Repeat("ü", 60), strings.Repeat("\xff", 90), "", "\u2028", "")
	f.Fuzz(func(t *testing.T, uid, summary, about, location, url string) {
		lines := check(t, ics.Entry{UID: uid, Stamp: start, Start: start, Summary: summary, About: about, Location: location, URL: url})
		allowed := "BEGIN VERSION PRODID CALSCALE UID DTSTAMP DTSTART SUMMARY DESCRIPTION LOCATION URL STATUS END "
		for _, line := range lines {
			name, _, ok := strings.Cut(line, ":")
			if !ok || !strings.Contains(allowed, name+" ") {
				t.Fatalf("a value made a line of its own: %q", line)
			}
		}
	})
}

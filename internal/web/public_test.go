package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
)

func TestPublicPagesAreRevalidated(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/", "/events/spring-forum", "/events/spring-forum.ics"} {
		first := s.get(path)
		tag := first.Header().Get("ETag")
		if tag == "" || first.Header().Get("Cache-Control") != "public, no-cache" || first.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: headers %v", path, first.Header())
		}
		opaque := strings.TrimPrefix(tag, "W/")
		for condition, want := range map[string]int{
			tag: 304, opaque: 304, "W/" + opaque: 304, `"other", ` + tag: 304, "*": 304, `"other"`: 200, "": 200, opaque + "x": 200,
		} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("If-None-Match", condition)
			w := s.do(r)
			if w.Code != want || want == 304 && w.Body.Len() > 0 {
				t.Errorf("%s with If-None-Match %s: %d, want %d", path, condition, w.Code, want)
			}
		}
	}
}

func TestGzip(t *testing.T) {
	s := newSite(t)
	plain := s.get("/events/spring-forum")
	for accept, want := range map[string]bool{
		"gzip": true, "br, gzip;q=0.5": true, "GZIP": true, "*": true, "x-gzip": true,
		"": false, "br": false, "gzip;q=0": false, "gzip; q=0.000": false, "identity": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/events/spring-forum", nil)
		r.Header.Set("Accept-Encoding", accept)
		w := s.do(r)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("Accept-Encoding %q: gzip %v", accept, got)
			continue
		}
		if !want {
			continue
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(z); err != nil || !bytes.Equal(body, plain.Body.Bytes()) {
			t.Errorf("Accept-Encoding %q: other bytes (%v)", accept, err)
		}
		if tag := w.Header().Get("ETag"); tag != "W/"+plain.Header().Get("ETag") {
			t.Errorf("other bytes under the strong tag %s", tag)
		}
	}
}

func TestHead(t *testing.T) {
	s := newSite(t)
	server := httptest.NewServer(s.handler)
	defer server.Close()
	for _, path := range everyAddress(t, s) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "events.example.org"
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		want := s.get(path).Code
		if response.StatusCode != want || len(body) > 0 || response.ContentLength <= 0 {
			t.Errorf("HEAD %s: %d with %d bytes, Content-Length %d, want %d", path, response.StatusCode, len(body), response.ContentLength, want)
		}
	}
}

func TestPrivateEventsAreNotIndexed(t *testing.T) {
	s := newSite(t)
	w := s.get("/events/last-year")
	if w.Header().Get("X-Robots-Tag") != "noindex" || !strings.Contains(w.Body.String(), `<meta name="robots" content="noindex">`) {
		t.Error("a private event may be indexed")
	}
	if strings.Contains(s.get("/").Body.String(), "last-year") {
		t.Error("a private event is listed")
	}
}

func TestEmptyList(t *testing.T) {
	s := newSite(t)
	s.catalog.entries = nil
	if w := s.get("/"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "No events are open to everybody right now") {
		t.Errorf("%d", w.Code)
	}
}

func TestStructuredData(t *testing.T) {
	s := newSite(t)
	body := s.get("/events/spring-forum").Body.String()
	m := regexp.MustCompile(`<script type="application/ld\+json">(.*)</script>`).FindStringSubmatch(body)
	if m == nil {
		t.Fatal("no structured data")
	}
	var data struct {
		Type     string `json:"@type"`
		Name     string `json:"name"`
		Start    string `json:"startDate"`
		URL      string `json:"url"`
		Location struct{ Name string }
		Offers   struct{ Availability string }
	}
	if err := json.Unmarshal([]byte(m[1]), &data); err != nil {
		t.Fatal(err)
	}
	if data.Type != "Event" || data.Name != gala().Title || data.Start != "2027-03-18T09:00:00+01:00" || data.URL != "https://events.example.org/events/spring-forum" ||
		data.Location.Name != "Riverside Hall" || data.Offers.Availability != "https://schema.org/InStock" {
		t.Errorf("%+v", data)
	}
	for _, want := range []string{`<meta property="og:title" content="Spring Forum 2027`, `<meta property="og:image" content="https://events.example.org/media/f0123456789abcdef0123456789abcde-1600.jpg">`, `<link rel="canonical" href="https://events.example.org/events/spring-forum">`} {
		if !strings.Contains(body, want) {
			t.Errorf("page lacks %q", want)
		}
	}
}

func TestCalendarFiles(t *testing.T) {
	s := newSite(t)
	path := s.register(t, filledForm())
	public, own := s.get("/events/spring-forum.ics"), s.get(path+".ics")
	uid := regexp.MustCompile(`UID:.*`)
	if a, b := uid.FindString(public.Body.String()), uid.FindString(own.Body.String()); a != b || a == "" {
		t.Errorf("the same event under two names: %q and %q", a, b)
	}
	reference := s.intake.last.Key.Reference()
	if !strings.Contains(own.Body.String(), reference) || strings.Contains(public.Body.String(), reference) {
		t.Error("the reference belongs into the own file, and there only")
	}
	for _, w := range []*httptest.ResponseRecorder{public, own} {
		if w.Header().Get("Content-Type") != "text/calendar; charset=utf-8" || !strings.Contains(w.Body.String(), "DTSTART:20270318T080000Z") {
			t.Errorf("%v\n%s", w.Header(), w.Body)
		}
	}
}

// TestACalendarFileIsOfItsEvent: it is named by it, and says where it is, which for
// whoever is registered is the address to join.
func TestACalendarFileIsOfItsEvent(t *testing.T) {
	s := newSite(t)
	form := filledForm()
	own := s.register(t, form)
	for path, want := range map[string][]string{
		"/events/spring-forum.ics":    {"spring-forum.ics", `LOCATION:Riverside Hall\, Quay 7\, 1020 Vienna`},
		own + ".ics":                  {"spring-forum.ics", `LOCATION:Riverside Hall\, Quay 7\, 1020 Vienna`},
		"/events/member-briefing.ics": {"member-briefing.ics", "LOCATION:Online\r\n"},
	} {
		w := s.get(path)
		if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="`+want[0]+`"` || !strings.Contains(w.Body.String(), want[1]) {
			t.Errorf("%s: %s, and\n%s", path, got, w.Body)
		}
	}
	for status, want := range map[turnout.Status]string{turnout.StatusRegistered: "LOCATION:https://meet.example.org/briefing\r\n", turnout.StatusWaitlisted: "LOCATION:Online\r\n"} {
		at := turnout.Registration{Key: turnout.Key("online-0000000000-" + string(status)), Event: talk().ID, Status: status, Revision: 1}
		own := "/registrations/" + s.addRegistration(at, turnout.Details{Person: grace, Ticket: "seat"})
		if body := s.get(own + ".ics").Body.String(); !strings.Contains(body, want) {
			t.Errorf("%s lacks %q:\n%s", status, want, body)
		}
	}
}

package web_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestJourney goes the way of a registrant from the list to the ticket.
func TestJourney(t *testing.T) {
	s := newSite(t)
	for _, step := range []struct{ path, want string }{
		{"/", `href="/events/spring-forum"`},
		{"/events/spring-forum", `href="/events/spring-forum/register"`},
		{"/events/spring-forum/register", `name="first_name"`},
	} {
		w := s.get(step.path)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), step.want) {
			t.Fatalf("GET %s: %d, want %q in\n%s", step.path, w.Code, step.want, w.Body)
		}
	}
	path := s.register(t, filledForm())
	ticket := s.get(path)
	for _, want := range []string{"You’re registered", "Your place is reserved. We are passing it", "Ada Sample", "ada@example.com", "Bo Sample", "Workshop: maps", path + ".ics", path + "/edit", path + "/cancel", "<svg"} {
		if !strings.Contains(ticket.Body.String(), want) {
			t.Errorf("ticket lacks %q", want)
		}
	}
	if got := s.intake.last.Guests; len(got) != 1 || got[0].FirstName != "Bo" {
		t.Errorf("guests %v: wholly empty rows are ignored", got)
	}
}

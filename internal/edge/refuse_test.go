package edge

import (
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/edge/pool"
)

// What is refused on an org's host names the org, escaped, and nobody's names none.
func TestRefusalsNameTheirOrg(t *testing.T) {
	plan := stacks()
	plan.Orgs[0].Name = `Acme & <Daughters>`
	s := onStage(t, plan, nil)
	page := s.browser("acme.example").ask("GET", pool.Path, "").Body.String()
	if !strings.Contains(page, "<p>Acme &amp; &lt;Daughters&gt;</p>\n<h1>There is nothing here</h1>") {
		t.Errorf("it says %s", page)
	}
	for accepted, want := range map[string]string{"zh,nl;q=0.5,fr-BE;q=0.9": "fr", "de": "de", "": "en"} { // the API speaks English
		page := s.browser("acme.example").ask("GET", pool.Path, "", "Accept-Language", accepted).Body.String()
		problem := s.browser("nobody.example").ask("GET", "/api/v1/events", "", "Accept-Language", accepted).Body.String()
		if !strings.Contains(page, `<html lang="`+want+`">`) || strings.Contains(page, "There is nothing here") != (want == "en") || !strings.Contains(problem, "This host name is not served here") {
			t.Errorf("for %q it says %s and %s", accepted, page, problem)
		}
	}
	for _, host := range []string{"umbra.example", "nobody.example"} {
		if page := s.browser(host).ask("GET", pool.Path, "").Body.String(); strings.Contains(page, "Acme") || !strings.Contains(page, "<main>\n<h1>") {
			t.Errorf("at %s it says %s", host, page)
		}
	}
}

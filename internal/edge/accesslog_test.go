package edge

import "testing"

// P8: of a path only what our own paths are made of, and slugs, stand in a log.
func TestP8MaskedPaths(t *testing.T) {
	for path, want := range map[string]string{
		"/":                            "/",
		"":                             "",
		"*":                            "*",
		"/events/congress":             "/events/congress",
		"/events/congress-2.ics":       "/events/congress-2.ics",
		"/events/Ada@example.com":      "/events/*",
		"/events/\"},{\"":              "/events/*",
		"/events/congress/register":    "/events/congress/register",
		"/events/congress/somebody":    "/events/congress/*",
		"/x/events/congress":           "/*/events/*",
		"events/congress":              "events/*",
		"/l/secret-token":              "/l/*",
		"/registrations/token/edit":    "/registrations/*/edit",
		"/api/v1/events/congress":      "/api/v1/events/congress",
		"/api/v9/events/congress":      "/api/*/events/congress",
		"/api/v1/links/secret-token":   "/api/v1/links/*",
		"/api/events/congress":         "/api/events/*",
		"/events":                      "/events",
		"/events/":                     "/events/",
		"/api/v1/events":               "/api/v1/events",
		"/1/2/3/4/5/6/7":               "/*/*/*/*/*/*/*",
		"/1/2/3/4/5/6/7/8":             "/…",
		"/events/" + "a/b/c/d/e/f/g/h": "/…",
	} {
		if got := string(appendMasked(nil, path)); got != want {
			t.Errorf("%q is logged as %q, want %q", path, got, want)
		}
	}
}

package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzPost sends anything as a form: it is never a fault of ours, and what
// comes back on the page is text.
func FuzzPost(f *testing.F) {
	f.Add(filledForm().Encode())
	f.Add("key=a&form=f3&first_name=%3Cscript%3E&email=%22%3E%3Cimg+src=x%3E&answers.diet=%3C/textarea%3E")
	f.Add("key=a&form=f3&guests.0.first_name=%00&agenda=x&ticket=%F0%9F%8E%9F&answers.note=%0d%0a")
	s := newSite(f)
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{formPath, "/l/" + graceToken} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := s.do(r)
			page := w.Body.String()
			if w.Code >= 500 || w.Code == http.StatusOK {
				t.Errorf("%s: %d", path, w.Code)
			}
			if w.Code != http.StatusSeeOther && (strings.Count(page, "<script") != 1 || strings.Contains(page, "<img")) {
				t.Errorf("%s: markup got through\n%s", path, page)
			}
		}
	})
}

// FuzzPaths asks for anything: no address is a fault of ours, and none writes (P12).
func FuzzPaths(f *testing.F) {
	for _, seed := range []string{"l/" + graceToken, "registrations/../x.ics", "events/%2e%2e/register", "assets/accent-.css", "events/.ics", "l/%00"} {
		f.Add(seed)
	}
	s := newSite(f)
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = "/" + path
		if w := s.do(r); w.Code >= 500 || s.intake.writes > 0 {
			t.Errorf("%q: %d, %d writes", path, w.Code, s.intake.writes)
		}
	})
}

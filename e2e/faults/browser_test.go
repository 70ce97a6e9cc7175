//go:build e2e

package faults

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// person is somebody made up. The marker stands in whatever they submit, and in
// nothing else.
type person struct {
	first, last, email, marker string
}

func newPerson(o *office, n int) person {
	marker := fmt.Sprintf("zq%c%06dq", o.org[0], n)
	return person{first: "Odilo", last: "Quarrel-" + strings.ToUpper(marker[:1]) + marker[1:], email: marker + "@example.com", marker: marker}
}

// says is what the person gives as their company, a value that tells edits apart.
func (p person) says(edit int) string { return fmt.Sprintf("Workshop %d of %s", edit, p.marker) }

var (
	anyMarker = regexp.MustCompile(`(?i)zq[a-z]\d{6}q`)
	anyOrg    = regexp.MustCompile(`Ebbtide|Threadbare`)
	anyValue  = regexp.MustCompile(`Workshop \d+ of zq[a-z]\d{6}q`)

	keyField      = regexp.MustCompile(`name="key" value="([^"]+)"`)
	formField     = regexp.MustCompile(`name="form" value="([^"]+)"`)
	revisionField = regexp.MustCompile(`name="revision" value="([0-9]+)"`)
)

// page is what a browser got; status is 0 where it got nothing whole.
type page struct {
	status   int
	location string
	body     string
	err      error
}

// clear reports whether the answer is one of the instance's, and not that it, or
// something on the way, could not answer now.
func (p page) clear() bool {
	return p.status != 0 && p.status < 500 && p.status != http.StatusTooManyRequests
}

func (p page) field(f *regexp.Regexp) string {
	if m := f.FindStringSubmatch(p.body); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// browser is a person's, with one org's cookies.
type browser struct {
	at     *office
	who    person
	origin string
	client *http.Client
	seen   *faults
}

func newBrowser(o *office, p person, origin string, f *faults) *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{at: o, who: p, origin: origin, seen: f, client: &http.Client{
		Jar: jar, Timeout: 12 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ask sends one request, with a form if there is one, and looks whose page it got.
func (b *browser) ask(ctx context.Context, method, path string, form url.Values) page {
	p := b.send(ctx, b.at, method, path, form)
	b.look(method, path, p)
	return p
}

// stray asks another org for a page, with this one's cookies: they are worth
// nothing there (P6).
func (b *browser) stray(ctx context.Context, o *office, path string) {
	p := b.send(ctx, o, http.MethodGet, path, nil)
	if found := anyMarker.FindString(p.body); found != "" {
		b.seen.add("P6: %s of %s asked %s for %s and got a page with %s (%d)", b.who.marker, b.at.org, o.org, path, found, p.status)
	}
}

// send sends one request to an org's pages.
func (b *browser) send(ctx context.Context, o *office, method, path string, form url.Values) page {
	req, err := http.NewRequestWithContext(ctx, method, b.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		return page{err: err}
	}
	req.Host = o.org + ".localhost"
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return page{err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	p := page{status: resp.StatusCode, location: resp.Header.Get("Location"), body: string(text), err: err}
	if err != nil {
		p.status = 0 // it is not whole, but what there is is looked at
	}
	return p
}

// look finds what is another's on a page (P6): of a person, or of an org.
func (b *browser) look(method, path string, p page) {
	for _, m := range anyMarker.FindAllString(p.body+" "+p.location, -1) {
		if !strings.EqualFold(m, b.who.marker) {
			b.seen.add("P6: %s of %s asked %s %s and got a page with %s (%d)", b.who.marker, b.at.org, method, path, m, p.status)
			return
		}
	}
	for _, m := range anyOrg.FindAllString(p.body, -1) {
		if m != b.at.marker {
			b.seen.add("P6: %s asked %s for %s and got a page of %s (%d)", b.who.marker, b.at.org, path, m, p.status)
			return
		}
	}
}

func (b *browser) close() { b.client.CloseIdleConnections() }

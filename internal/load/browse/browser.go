package browse

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A Browser is one visitor's on one site. It is used by one goroutine.
type Browser struct {
	site    *Site
	cookies []cookie
}

type cookie struct{ name, pair string }

// New makes the browser of somebody who was never on the site.
func (s *Site) New() *Browser { return &Browser{site: s} }

// most is how much of an answer is read, in bytes: far more than any page has.
const most = 8 << 20

// A Page is an answer, read whole.
type Page struct {
	Status int
	// Path is where it was asked for; Location where it leads, if elsewhere.
	Path, Location string
	// Refresh is the header of that name: of a place in line, in seconds.
	Refresh string
	Header  http.Header
	Body    string
	// Length is the body's, in bytes.
	Length int64
}

// Get asks for a page. With keep its text is kept.
func (b *Browser) Get(ctx context.Context, path string, keep bool) (Page, error) {
	return b.Ask(ctx, http.MethodGet, path, "", keep)
}

// Post sends a form.
func (b *Browser) Post(ctx context.Context, path, form string) (Page, error) {
	return b.Ask(ctx, http.MethodPost, path, form, true)
}

// Ask sends one request, with a form as its body where that is not empty. It
// is sent once, whatever becomes of it. Errors say nothing of the path, which may
// be somebody's secret.
func (b *Browser) Ask(ctx context.Context, method, path, body string, keep bool) (Page, error) {
	return b.Send(ctx, method, path, body, nil, keep)
}

// Send is Ask with header fields that stand in place of the usual ones.
func (b *Browser) Send(ctx context.Context, method, path, body string, fields http.Header, keep bool) (Page, error) {
	req, err := b.request(ctx, method, path, body)
	if err != nil {
		return Page{}, err
	}
	for name, values := range fields {
		req.Header[name] = values
	}
	resp, err := b.site.Via.RoundTrip(req)
	if err != nil {
		return Page{}, err
	}
	defer resp.Body.Close()
	p := Page{Status: resp.StatusCode, Path: path, Location: resp.Header.Get("Location"), Refresh: resp.Header.Get("Refresh"), Header: resp.Header}
	b.keep(resp.Header["Set-Cookie"])
	from := io.LimitReader(resp.Body, most)
	if !keep {
		p.Length, err = io.Copy(io.Discard, from)
		return p, err
	}
	var text strings.Builder
	text.Grow(max(0, min(int(resp.ContentLength), 1<<16)))
	p.Length, err = io.Copy(&text, from)
	p.Body = text.String()
	return p, err
}

func (b *Browser) request(ctx context.Context, method, path, body string) (*http.Request, error) {
	u, err := url.Parse(path)
	if err != nil || u.Host != "" {
		return nil, fmt.Errorf("a page leads to what is no path of its site")
	}
	u.Scheme, u.Host = b.site.URL.Scheme, b.site.URL.Host
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), from)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", b.site.Agent)
	req.Header.Set("Accept", "text/html,*/*;q=0.8")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if len(b.cookies) > 0 {
		req.Header.Set("Cookie", b.jar())
	}
	return req, nil
}

// keep keeps cookies, one of each name. All of a site's are for all of its paths.
func (b *Browser) keep(fields []string) {
	for _, field := range fields {
		pair, _, _ := strings.Cut(field, ";")
		name, value, _ := strings.Cut(pair, "=")
		c := cookie{name, pair}
		at := 0
		for at < len(b.cookies) && b.cookies[at].name != name {
			at++
		}
		switch {
		case value == "" && at < len(b.cookies): // it is taken back
			b.cookies = append(b.cookies[:at], b.cookies[at+1:]...)
		case value == "":
		case at < len(b.cookies):
			b.cookies[at] = c
		default:
			b.cookies = append(b.cookies, c)
		}
	}
}

func (b *Browser) jar() string {
	pairs := make([]string, len(b.cookies))
	for i, c := range b.cookies {
		pairs[i] = c.pair
	}
	return strings.Join(pairs, "; ")
}

// Resolve is the path on this site that a link or an action of a page leads to; ok
// is false where it leads elsewhere.
func (b *Browser) Resolve(page, link string) (path string, ok bool) {
	base, err := b.site.URL.Parse(page)
	if err != nil {
		return "", false
	}
	to, err := base.Parse(link)
	if err != nil || to.Host != b.site.URL.Host || to.Scheme != b.site.URL.Scheme {
		return "", false
	}
	return to.RequestURI(), true
}

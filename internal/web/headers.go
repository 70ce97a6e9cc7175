package web

import (
	"net/http"
	"strings"

	"github.com/turnout-events/turnout"
)

// policy is the Content-Security-Policy of every answer: our own stylesheet,
// script and pictures, and nothing else. JSON-LD is data, which no directive
// concerns. data: is for pictures inside stylesheets. Who may frame the answer
// follows it.
const policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors "

// always are the headers that every answer carries. HSTS is the edge's.
func always() []header {
	return []header{
		{"Content-Security-Policy", []string{policy + "'none'"}},
		{"X-Content-Type-Options", []string{"nosniff"}},
		{"Permissions-Policy", []string{"camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()"}},
		{"Cross-Origin-Opener-Policy", []string{"same-origin"}},
		{"Referrer-Policy", []string{"same-origin"}},
	}
}

// header is one that is made once. Its name is in the form in which net/http
// keeps it.
type header struct {
	name   string
	values []string
}

// secured sets them. All answers share their values, which Set replaces and Add
// copies; nobody writes into them.
func (web *Web) secured(next http.Handler) http.Handler {
	every := always()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, a := range every {
			h[a.name] = a.values
		}
		next.ServeHTTP(w, r)
	})
}

// framable lets the sites that the org names show an answer in a frame. It is for
// what everybody may open; a person's own pages are in nobody's frame
// (docs/decisions/0015-embedding.md).
func framable(a action) action {
	return func(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
		if len(org.EmbedOn) > 0 {
			w.Header().Set("Content-Security-Policy", policy+"'self' "+strings.Join(org.EmbedOn, " "))
		}
		a(w, r, org)
	}
}

// untouched marks a form that names nobody. The visitor's own browser keeps it,
// so that its Back button shows the same form with the same key, and sending it
// again gets the first registration (P1); a new visit asks for a new one.
func untouched(h http.Header) {
	h.Set("Cache-Control", "private, no-cache")
	h.Set("X-Robots-Tag", "noindex, nofollow")
}

// private marks an answer as one person's own: kept by nobody, found by no
// search engine. Its address is the person's credential, so no other site may
// get it as a referrer; that is same-origin from secured, since under
// no-referrer browsers send "Origin: null" with our own forms, which no
// cross-origin check can tell from a foreign one.
func private(h http.Header) {
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Robots-Tag", "noindex, nofollow")
}

package web

import (
	"net"
	"net/http"
	"strings"

	"github.com/turnout-events/turnout"
)

// action answers one kind of request for an org.
type action func(w http.ResponseWriter, r *http.Request, org *turnout.Org)

// routes are all addresses of the registrants' pages.
func (web *Web) routes() http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, a action) { mux.Handle(pattern, web.forOrg(a)) }

	on("GET /{$}", web.showList)
	on("GET /events", web.showListElsewhere)
	on("GET /events/{$}", web.showListElsewhere)
	on("GET /events/{slug}", framable(web.showEvent)) // SLUG.ics too

	on("GET /events/{slug}/{$}", web.showWithoutSlash)
	on("GET /events/{slug}/register", framable(web.showForm))
	on("POST /events/{slug}/register", framable(web.register))

	on("POST /events/{slug}/leave", web.leave)

	on("GET /l/{token}", web.showLink)
	on("POST /l/{token}", web.answerLink)
	on("GET /l/{token}/{$}", web.showPersonalWithoutSlash)

	on("GET /registrations/{token}", web.showRegistration) // TOKEN.ics too
	on("GET /registrations/{token}/{$}", web.showPersonalWithoutSlash)
	on("GET /registrations/{token}/edit", web.showEdit)
	on("POST /registrations/{token}/edit", web.edit)
	on("GET /registrations/{token}/cancel", web.showCancel)
	on("POST /registrations/{token}/cancel", web.cancel)

	mux.HandleFunc("GET /assets/{name}", web.showAsset)
	mux.HandleFunc("GET /embed.js", web.showEmbed)
	mux.HandleFunc("GET /favicon.ico", web.showIcon)
	on("GET /robots.txt", web.showRobots)
	on("GET /media/{name}", web.showPicture)

	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(web.forOrg(web.refuseCrossOrigin))
	return web.secured(protection.Handler(web.orNotice(mux)))
}

// forOrg finds the org by the request's host.
func (web *Web) forOrg(a action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		org, ok := web.catalog.Org(hostOf(r))
		if !ok {
			web.showUnknownHost(w, r)
			return
		}
		a(w, r, org)
	})
}

// hostOf is the request's host without port, in lower case.
func hostOf(r *http.Request) string {
	host := r.Host
	if strings.Contains(host, ":") { // its error is an object on the hottest path
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// orNotice answers what the mux does not know with pages of ours instead of
// its plain text; its statuses and its Allow header stay.
func (web *Web) orNotice(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, pattern := mux.Handler(r); pattern == "" {
			status := &statusOnly{header: http.Header{}}
			h.ServeHTTP(status, r)
			if allow := status.header.Get("Allow"); allow != "" {
				w.Header().Set("Allow", allow)
			}
			web.forOrg(func(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
				web.showUnrouted(w, r, org, status.code)
			}).ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// statusOnly keeps a handler's status and headers and drops its body.
type statusOnly struct {
	header http.Header
	code   int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (s *statusOnly) WriteHeader(code int)        { s.code = code }

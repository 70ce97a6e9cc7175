package edge

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/turnout-events/turnout/internal/edge/accesslog"
	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/held"
	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/refusal"
)

// visit is one request on its way through the edge.
type visit struct {
	w      http.ResponseWriter
	r      *http.Request
	began  time.Time
	client netip.Addr
	https  bool
	site   *site
	kind   kind
	body   held.Body
	holds  bool // a place of the org's share

	// Where it goes (session.go).
	course  *course
	pool    *pool.Pool
	up      *pool.Upstream
	session affinity.Session
	// known: the session came with the request. changed: the visitor is told.
	known, changed bool
	key            uint64 // what it is settled by without a session
	// pass is what the visitor is given on being let in, empty for nothing, as the
	// cookie passName.
	pass, passName string
	// entry is set if they were let in by this request.
	entry *entry

	// What is told of it afterwards.
	status int
	tries  int
}

// kind is what a request is for, as far as that matters to the edge.
type kind uint8

const (
	// page is a visitor's: it has a session.
	page kind = iota
	// static is a page's picture or style; it goes wherever its page does.
	static
	// program is an API client's or a hook: no cookies, problems and not pages.
	program
)

func kindOf(path string) kind {
	switch {
	case strings.HasPrefix(path, "/api/"), strings.HasPrefix(path, "/hooks/"):
		return program
	case strings.HasPrefix(path, "/assets/"), strings.HasPrefix(path, "/media/"), path == "/embed.js", path == "/favicon.ico", path == "/robots.txt":
		return static
	}
	return page
}

// own begins the paths that are between the edge and its upstreams.
const own = "/.turnout/"

// ServeHTTP implements http.Handler.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &visit{w: w, r: r, began: e.now(), kind: kindOf(r.URL.Path)}
	defer e.account(v)
	v.client, v.https = e.o.Trusted.Of(r)
	view := e.view.Load()
	site, ok := view.site(r.Host)
	if !e.clientMay(v) {
		return
	}
	if !ok {
		e.refuse(v, http.StatusMisdirectedRequest)
		return
	}
	v.site = site
	if strings.HasPrefix(r.URL.Path, own) || r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		e.refuse(v, http.StatusNotFound)
		return
	}
	if !e.orgMay(v) || !e.receive(v) {
		return
	}
	e.recall(v)
	if !e.mayEnter(v) || !e.takePlace(v) {
		return
	}
	defer v.leave()
	if !e.place(v) {
		return
	}
	if upgrades(r) {
		e.upgrade.ServeHTTP(w, r.WithContext(with(r.Context(), v)))
		return
	}
	e.forward(v)
}

// upgrades reports whether a request becomes a WebSocket. Any other upgrade that
// a client offers, such as to HTTP/2, is declined by answering as if it had not.
func upgrades(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade")
}

// leave gives the org's place back. It may be called twice.
func (v *visit) leave() {
	if v.holds {
		v.holds = false
		v.site.tenant.share.Release()
		v.site.tenant.stile.Call()
	}
}

// receive reads a small body whole, before the visit takes anybody's place: a
// slow sender costs a connection and nothing else.
func (e *Edge) receive(v *visit) bool {
	err := v.body.Hold(v.r)
	if err != nil {
		e.refuse(v, refusal.StatusOf(err))
	}
	return err == nil
}

// account counts and logs a request that was answered.
func (e *Edge) account(v *visit) {
	if v.site != nil {
		v.site.tenant.requests.Add(1)
	}
	line := accesslog.Entry{
		Began: v.began, Took: e.now().Sub(v.began), Method: v.r.Method, Path: v.r.URL.Path, Status: v.status, Tries: v.tries,
	}
	if v.site != nil {
		line.Org = string(v.site.tenant.org)
	}
	if v.up != nil {
		line.Upstream = v.up.Name
	}
	e.access.Write(line)
}

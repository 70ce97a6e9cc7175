package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/session"
	"github.com/turnout-events/turnout/internal/web/page"
)

// visitCookie carries a session of the app, which is not the edge's. On HTTPS a
// prefix keeps other hosts and plain HTTP from setting it.
const (
	visitCookie  = "turnout_visit"
	cookiePrefix = "__Host-"
)

// visit is a request's session, or where one would belong.
type visit struct {
	session.Session
	binding session.Binding
	known   bool
}

// https reports whether the visitor came so. Before the app stands an edge or
// another proxy that says it; whoever made it up fools their own browser only.
func https(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

func cookieName(r *http.Request) string {
	if https(r) {
		return cookiePrefix + visitCookie
	}
	return visitCookie
}

// recall finds the session that a request belongs to. In a frame there is none:
// what is one person's own is in nobody's frame.
func (web *Web) recall(r *http.Request, org *turnout.Org) visit {
	v := visit{binding: session.Binding{Org: org.ID, Host: hostOf(r), Stack: web.stack}}
	if web.sessions == nil || len(r.Header["Cookie"]) == 0 || framed(r) {
		return v
	}
	for _, c := range r.CookiesNamed(cookieName(r)) {
		if s, ok := web.sessions.Open(r.Context(), v.binding, c.Value); ok {
			v.Session, v.known = s, true
			return v
		}
	}
	return v
}

func framed(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "iframe", "frame", "embed", "object":
		return true
	}
	return false
}

// remember has the visitor's browser remember the personal link that was opened.
// It writes a cookie and nothing else (P12); somebody else's session in the same
// browser is over.
func (web *Web) remember(w http.ResponseWriter, r *http.Request, d desk) {
	if web.sessions == nil {
		return
	}
	v := web.recall(r, d.org)
	if !v.known || v.Person != d.link.Person {
		v.Session = session.Begin(d.link.Person, web.now())
		v.known = false
	}
	link := session.Link{Event: d.entry.Event.ID, Token: r.PathValue("token")}
	if had, ok := v.Link(link.Event); v.known && ok && had == link && !v.Stale(web.now()) {
		return
	}
	v.Session = v.With(link)
	web.tell(w, r, v)
}

// tell sets the session's cookie, which ends with the browser's window. A session
// that cannot be sealed now is begun with another request.
func (web *Web) tell(w http.ResponseWriter, r *http.Request, v visit) {
	value, err := web.sessions.Seal(r.Context(), v.binding, v.Touched(web.now()))
	if err == nil {
		setCookie(w, r, http.Cookie{Value: value})
	}
}

func setCookie(w http.ResponseWriter, r *http.Request, c http.Cookie) {
	c.Name, c.Path, c.HttpOnly, c.Secure, c.SameSite = cookieName(r), "/", true, https(r), http.SameSiteLaxMode
	http.SetCookie(w, &c)
}

// invitation is the personal link to an event that the visitor opened before.
type invitation struct {
	desk
	visit visit
	path  string
}

// somebodyElse in a form's address says that it is for another person than the
// one whose link was opened.
const somebodyElse = "other"

// invitation finds the link to an event in the visitor's session. One that is not
// known any more, or whose person was forgotten, is none; so is any while it cannot
// be read: the page is then the one that everybody gets.
func (web *Web) invitation(r *http.Request, org *turnout.Org, entry *catalog.Entry) (invitation, bool) {
	v := web.recall(r, org)
	l, ok := v.Link(entry.Event.ID)
	if !v.known || !ok {
		return invitation{}, false
	}
	link, err := web.links.Open(r.Context(), org.ID, l.Token)
	if err != nil || link.Event != entry.Event.ID || link.Person != v.Person {
		return invitation{}, false
	}
	return invitation{desk{org: org, entry: entry, link: &link}, v, "/l/" + l.Token}, true
}

// own marks an answer that knows its visitor: kept by nobody, in nobody's frame.
func (web *Web) own(w http.ResponseWriter, r *http.Request, in invitation) {
	w.Header().Set("Content-Security-Policy", policy+"'none'")
	if in.visit.Stale(web.now()) {
		web.tell(w, r, in.visit)
	}
}

// showInvited shows an event's page to whoever has a link to it. It is the page in
// memory with a line more, and asks no store: it goes on without one.
func (web *Web) showInvited(w http.ResponseWriter, r *http.Request, in invitation) {
	web.own(w, r, in)
	web.writePrivate(w, http.StatusOK, web.about(in.entry).Invited(in.entry.Page, in.path))
}

// offer leads to the visitor's own link instead of a form for anybody.
func (web *Web) offer(w http.ResponseWriter, r *http.Request, in invitation) {
	web.own(w, r, in)
	words := web.about(in.entry)
	n, way := words.Notice("offer"), "notice.offer.link"
	view, answered, err := web.reader.ByLink(r.Context(), in.org.ID, in.link.AttendeeLink)
	switch {
	case err != nil: // the way is the same, and the link's own page says what is wrong
		web.log.WarnContext(r.Context(), "look for an invitation's answer", slog.String("org", string(in.org.ID)), slog.Any("error", err))
	case answered && view.Registration.Status.Holds():
		n, way = words.Notice("held"), "notice.held.link"
	}
	n.Event, n.Leave = in.entry.Event, page.EventPath(in.entry.Event)+"/leave"
	n.Links = []page.Link{{Path: in.path, Text: words.Say(way)}}
	if _, shut := web.shut(in.entry); !shut {
		n.Links = append(n.Links, page.Link{Path: page.EventPath(in.entry.Event) + "/register?" + somebodyElse, Text: words.Say("notice.offer.else")})
	}
	web.notice(w, r, in.org, http.StatusOK, n)
}

// endTimeout bounds what the end of a session waits for.
const endTimeout = 20 * time.Second

// leave ends the visitor's session, for a device that others use too. It may be
// sent twice, and is done for whoever went away.
func (web *Web) leave(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	entry, ok := web.catalog.Event(org.ID, r.PathValue("slug"))
	if !ok {
		web.showMissing(w, r, org)
		return
	}
	if v := web.recall(r, org); v.known {
		ctx, done := context.WithTimeout(context.WithoutCancel(r.Context()), endTimeout)
		defer done()
		if err := web.sessions.End(ctx, v.binding, v.Session); err != nil { // this browser forgets it all the same
			web.log.WarnContext(ctx, "end session", slog.String("org", string(org.ID)), slog.Any("error", err))
		}
	}
	setCookie(w, r, http.Cookie{MaxAge: -1})
	seeOther(w, page.EventPath(entry.Event))
}

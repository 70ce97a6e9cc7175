package web

import (
	"io"
	"net/http"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/web/page"
)

// showListElsewhere leads to the list from where people look for it too.
func (web *Web) showListElsewhere(w http.ResponseWriter, r *http.Request, _ *turnout.Org) {
	http.Redirect(w, r, "/", http.StatusPermanentRedirect)
}

// showWithoutSlash leads from an address typed with a slash too many to the event.
func (web *Web) showWithoutSlash(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	entry, ok := web.catalog.Event(org.ID, r.PathValue("slug"))
	if !ok {
		web.showMissing(w, r, org)
		return
	}
	http.Redirect(w, r, page.EventPath(entry.Event), http.StatusPermanentRedirect)
}

// showPersonalWithoutSlash does so for a link or a registration. It looks nothing
// up, so what it leads to says whether there is any; nobody keeps where to, since
// that is a credential.
func (web *Web) showPersonalWithoutSlash(w http.ResponseWriter, r *http.Request, _ *turnout.Org) {
	private(w.Header())
	w.Header().Set("Location", strings.TrimSuffix(r.URL.EscapedPath(), "/"))
	w.WriteHeader(http.StatusPermanentRedirect)
}

// around is what a mail or a messenger takes into an address that stands in a sentence,
// in brackets or in quotation marks. No token ends with any of it.
const around = " .,;:!?)]}>*'\"’”»…"

// showWithoutPunctuation does so for an address that took what stood around it along, and
// reports whether this one did.
func showWithoutPunctuation(w http.ResponseWriter, under, token string) bool {
	trimmed := strings.TrimRight(token, around)
	if trimmed == token || !validRegistrationToken(trimmed) {
		return false
	}
	private(w.Header())
	w.Header().Set("Location", under+trimmed)
	w.WriteHeader(http.StatusPermanentRedirect)
	return true
}

// robots keeps search engines from what is one person's own; pages are theirs.
const robots = "User-agent: *\nDisallow: /l/\nDisallow: /registrations/\n"

func (web *Web) showRobots(w http.ResponseWriter, _ *http.Request, _ *turnout.Org) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	_, _ = io.WriteString(w, robots) // whoever went away does not need it
}

// showIcon answers browsers that ask for an icon without reading the page.
func (web *Web) showIcon(w http.ResponseWriter, r *http.Request) {
	assets := web.pages.Assets()
	icon, _ := assets.Find(assets.Icon) // it is embedded
	w.Header().Set("Content-Type", icon.Type)
	w.Header().Set("Cache-Control", "public, max-age=86400")
	writeBytes(w, r, icon.Bytes, icon.Gzip, "")
}

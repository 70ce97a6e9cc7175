package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/ics"
	"github.com/turnout-events/turnout/internal/web/page"
)

// showList shows an org's public events.
func (web *Web) showList(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	list, _ := web.catalog.List(org.ID)
	if list.HTML == nil { // nothing was ever published
		var err error
		if list, err = web.pages.List(org, nil); err != nil {
			web.fail(w, r, org, err)
			return
		}
	}
	writePage(w, r, list)
}

// showEvent shows an event's page, or its calendar file.
func (web *Web) showEvent(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	slug, calendar := strings.CutSuffix(r.PathValue("slug"), ".ics")
	entry, ok := web.catalog.Event(org.ID, slug)
	if !ok {
		web.showMissing(w, r, org)
		return
	}
	if calendar {
		web.writeCalendar(w, r, slug, web.calendarEntry(entry), "W/"+strings.TrimPrefix(entry.Page.ETag, "W/"))
		return
	}
	if entry.Event.Private {
		w.Header().Set("X-Robots-Tag", "noindex")
	}
	if in, ok := web.invitation(r, org, entry); ok {
		web.showInvited(w, r, in)
		return
	}
	writePage(w, r, entry.Page)
}

// writePage writes a public page: from memory, revalidated by its ETag.
func writePage(w http.ResponseWriter, r *http.Request, p catalog.Page) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "public, no-cache")
	writeBytes(w, r, p.HTML, p.Gzip, p.ETag)
}

// writeBytes writes body or its compressed form, or 304 if the client has it.
// The compressed form is other bytes under the same tag, so its tag is weak.
func writeBytes(w http.ResponseWriter, r *http.Request, body, gzip []byte, tag string) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if len(gzip) > 0 && acceptsGzip(r.Header) {
		body = gzip
		h.Set("Content-Encoding", "gzip")
		if tag != "" && !strings.HasPrefix(tag, "W/") {
			tag = "W/" + tag
		}
	}
	if tag != "" {
		h.Set("ETag", tag)
		if matches(r.Header.Values("If-None-Match"), tag) {
			h.Del("Content-Encoding")
			h.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Length", itoa(len(body)))
	_, _ = w.Write(body) // whoever went away does not need it
}

// matches compares as RFC 9110, 13.1.2 asks of If-None-Match: weakly.
func matches(headers []string, tag string) bool {
	opaque := strings.TrimPrefix(tag, "W/")
	for _, header := range headers {
		for candidate := range strings.SplitSeq(header, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == opaque {
				return true
			}
		}
	}
	return false
}

// acceptsGzip reads Accept-Encoding; a quality of zero refuses.
func acceptsGzip(h http.Header) bool {
	for _, header := range h.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(header, ",") {
			coding, params, _ := strings.Cut(part, ";")
			coding = strings.ToLower(strings.TrimSpace(coding))
			if coding == "gzip" || coding == "x-gzip" || coding == "*" {
				q := strings.ReplaceAll(strings.ToLower(params), " ", "")
				return !slices.Contains([]string{"q=0", "q=0.", "q=0.0", "q=0.00", "q=0.000"}, q)
			}
		}
	}
	return false
}

// calendarEntry is an event as a calendar takes it.
func (web *Web) calendarEntry(entry *catalog.Entry) ics.Entry {
	e, origin := entry.Event, web.pages.Origin(entry.Org)
	return ics.Entry{
		UID: string(e.ID) + "@" + string(entry.Org.ID) + ".turnout", Stamp: web.now(), Start: e.Starts, End: e.Ends,
		Summary: e.Title, About: e.Summary, Location: web.about(entry).CalendarPlace(e, ""), URL: origin + page.EventPath(e),
	}
}

// writeCalendar writes a calendar file by the event's name in addresses; tag is empty
// for a personal one.
func (web *Web) writeCalendar(w http.ResponseWriter, r *http.Request, slug string, e ics.Entry, tag string) {
	h := w.Header()
	h.Set("Content-Type", ics.ContentType)
	h.Set("Content-Disposition", `attachment; filename="`+slug+`.ics"`)
	if tag == "" {
		private(h)
	} else {
		h.Set("Cache-Control", "public, no-cache")
	}
	writeBytes(w, r, ics.Append(nil, e), nil, tag)
}

// showEmbed serves the script for organisers' own sites, which may load it from
// here. Its address stays, so it is kept for an hour and no longer.
func (web *Web) showEmbed(w http.ResponseWriter, r *http.Request) {
	h, asset := w.Header(), web.pages.Assets().Embed
	h.Set("Content-Type", asset.Type)
	h.Set("Cache-Control", "public, max-age=3600, immutable")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	writeBytes(w, r, asset.Bytes, asset.Gzip, "")
}

// showAsset serves the pages' own files.
func (web *Web) showAsset(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if asset, ok := web.pages.Assets().Find(r.URL.Path); ok {
		h.Set("Content-Type", asset.Type)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		writeBytes(w, r, asset.Bytes, asset.Gzip, "")
		return
	}
	hex, isAccent := strings.CutPrefix(strings.TrimSuffix(r.PathValue("name"), ".css"), "accent-")
	css, ok := page.AccentCSS(hex)
	if !isAccent || !ok {
		web.forOrg(web.showMissing).ServeHTTP(w, r)
		return
	}
	h.Set("Content-Type", "text/css; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=86400")
	writeBytes(w, r, css, nil, "")
}

package web

import (
	"bytes"
	"net/http"
	"time"

	"github.com/turnout-events/turnout"
)

// showPicture serves a file of an event's picture. Its name is made of its bytes, so that
// it may be kept for ever; other sites may show it, as previews do.
func (web *Web) showPicture(w http.ResponseWriter, r *http.Request, org *turnout.Org) {
	if web.pictures == nil {
		web.showMissing(w, r, org)
		return
	}
	file, err := web.pictures.Picture(r.Context(), org.ID, r.PathValue("name"))
	switch {
	case turnout.CodeOf(err) == turnout.CodeNotFound:
		web.showMissing(w, r, org)
		return
	case err != nil:
		web.fail(w, r, org, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("ETag", `"`+r.PathValue("name")+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
}

package edge

import (
	"net/http"

	"github.com/turnout-events/turnout/internal/drain"
)

// refuse answers a visit by the edge itself.
func (e *Edge) refuse(v *visit, status int) {
	v.status = status
	switch status {
	case http.StatusServiceUnavailable:
		v.w.Header().Set("Retry-After", "5")
		drain.Rest(v.w, v.r)
	case http.StatusRequestEntityTooLarge:
		v.w.Header().Set("Connection", "close")
		drain.Rest(v.w, v.r)
	case http.StatusBadRequest, http.StatusRequestTimeout: // the rest of the body is not to be waited for
		v.w.Header().Set("Connection", "close")
	}
	e.keepToHTTPS(v, v.w.Header())
	e.found(v, status)
	if v.pass != "" { // whoever was let in stays in, though nobody answered
		v.setCookie(v.w.Header(), v.passName, v.pass)
	}
	named := ""
	if v.site != nil {
		named = v.site.named
	}
	e.refusals.Answer(v.w, v.r, status, named)
}

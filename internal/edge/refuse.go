package edge

import (
	"net/http"

	"github.com/turnout-events/turnout/internal/drain"
	"github.com/turnout-events/turnout/internal/edge/refusal"
)

// refuse answers a visit by the edge itself.
func (e *Edge) refuse(v *visit, status int) {
	whose := e.refusing(v, status)
	e.refusals.Answer(v.w, v.r, status, whose)
}

// settled is after how many seconds an instance has done what was lost, or never will:
// it has 20 s for that.
const settled = "25"

// refuseUnknown answers a visit of which nobody can say whether it was done.
func (e *Edge) refuseUnknown(v *visit) {
	whose := e.refusing(v, http.StatusServiceUnavailable)
	v.w.Header().Set("Retry-After", settled)
	e.refusals.AnswerUnknown(v.w, v.r, whose)
}

// refusing sets what goes with a refusal of any wording, and tells whose page it is.
func (e *Edge) refusing(v *visit, status int) (whose refusal.Whose) {
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
	if v.site != nil {
		whose = v.site.whose
	}
	return whose
}

package page

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/hooks"
	"github.com/turnout-events/turnout/internal/simulator/records"
)

// answering is how long a page waits for the answers to a hint that it tells of.
const answering = 2 * time.Second

// said is what a form did to a record, as the address of the record's page has it.
type said struct {
	// Saved says that what was typed is in the record.
	Saved bool
	// Pressed is a button, empty for Save.
	Pressed string
	// Since is when it was done, so that hints of before are not meant.
	Since time.Time
}

func (s said) query() string {
	return url.Values{"saved": {strconv.FormatBool(s.Saved)}, "pressed": {s.Pressed}, "since": {strconv.FormatInt(s.Since.UnixNano(), 10)}}.Encode()
}

// heard reads it back; false where the page was opened without a form.
func heard(form url.Values) (said, bool) {
	since, err := strconv.ParseInt(form.Get("since"), 10, 64)
	return said{Saved: form.Get("saved") == "true", Pressed: form.Get("pressed"), Since: time.Unix(0, since)}, err == nil
}

// tell shows the record, and what was done to it.
func (p *pages) tell(w http.ResponseWriter, r *http.Request, id string, s said) {
	http.Redirect(w, r, "/records/"+url.PathEscape(id)+"?"+s.query(), http.StatusSeeOther)
}

// message is what was done to a record and what came of its hint, empty where the page
// was opened without a form.
func (p *pages) message(ctx context.Context, id string, form url.Values) string {
	s, ok := heard(form)
	if !ok {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	return s.sentence(p.Hooks.About(ctx, records.Long(id), s.Since))
}

func (s said) sentence(sent []hooks.Delivery) string {
	did, hint := s.did(), outcomes(sent)
	switch {
	case len(sent) == 0 && s.Pressed == "":
		return did + "."
	case len(sent) == 0 && did == "":
		return "No hook is set up, so that nobody was told."
	case len(sent) == 0:
		return did + "; no hook is set up, so that nobody was told."
	case did == "":
		return "The hint was sent: " + hint + "."
	}
	return did + ", and the hint was sent: " + hint + "."
}

func (s said) did() string {
	switch s.Pressed {
	case "publish", "unpublish":
		if s.Saved {
			return "Saved and " + s.Pressed + "ed"
		}
		return strings.ToUpper(s.Pressed[:1]) + s.Pressed[1:] + "ed"
	case "forget":
		return "Reported"
	}
	switch {
	case s.Saved:
		return "Saved"
	case s.Pressed == "":
		return "Nothing was changed"
	}
	return ""
}

// outcomes are what became of a hint, at each of its receivers.
func outcomes(sent []hooks.Delivery) string {
	var all []string
	for _, d := range sent {
		all = append(all, hookRow(d).Outcome)
	}
	return strings.Join(slices.Compact(all), ", ")
}

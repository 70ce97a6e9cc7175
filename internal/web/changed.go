package web

import (
	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/web/page"
)

// changed is what to say of a form that was drawn before its event changed: what of it
// has to be answered anew, field by field, and that answers to questions which are no
// longer asked are gone. These have no field, and nobody knows their words any more.
func changed(in *page.Edition, entry *catalog.Entry, typed turnout.Details) (page.Alert, []turnout.FieldError) {
	says := alert(in, "stale")
	_, err := entry.Event.Check(typed)
	var faults []turnout.FieldError
	gone := 0
	for _, f := range turnout.FieldsOf(err) {
		if f.Rule == turnout.RuleQuestion {
			gone++
			continue
		}
		faults = append(faults, f)
	}
	switch gone {
	case 0:
	case 1:
		says.Lines = append(says.Lines, in.Say("alert.stale.gone.one"))
	default:
		says.Lines = append(says.Lines, in.Say("alert.stale.gone", gone))
	}
	return says, faults
}

package refusal

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/edge/held"
	"github.com/turnout-events/turnout/internal/edge/speech"
)

// What is said by itself is said in full, whoever is at fault.
func TestRefusals(t *testing.T) {
	languages := speech.New()
	check := func(status int, r Refusal) {
		r.Status = status
		for _, tag := range languages.Tags() {
			if page := string(r.page(languages.Of(tag)).body); strings.Contains(page, "refusal.") || strings.Contains(page, "{{") || !strings.Contains(page, `lang="`+tag+`"`) {
				t.Errorf("%d in %s is %s", status, tag, page)
			}
		}
		if r.Type == "" || r.Title == "" || r.Code == "" || r.Detail == "" || http.StatusText(status) == "" {
			t.Errorf("%d is %+v", status, r)
		}
	}
	for status, r := range All() {
		check(status, r)
	}
	check(Unknown().Status, Unknown())
	for _, err := range []error{held.ErrSlow, held.ErrBroken, held.ErrLarge, errors.New("nobody answers")} {
		if _, ok := All()[StatusOf(err)]; !ok {
			t.Errorf("nothing is said about %v", err)
		}
	}
}

//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// An organiser reads in the event's record why Update changed nothing, while visitors see
// what was there before; mended, the record says nothing any more (P5).
func TestP5OrganisersReadWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	const ends = "Ends_At__c"
	id := d.event("noted", 10, map[string]any{ends: time.Now().Add(61 * 24 * time.Hour).UTC().Format(time.RFC3339)})
	record := "/sobjects/Turnout_Event__c/" + id
	note := func() string {
		text, _ := d.salesforce(http.MethodGet, record, nil)["Page_Note__c"].(string)
		return text
	}
	for _, then := range []struct {
		button string
		change map[string]any
	}{
		{"update", map[string]any{"Name": "Mended", ends: time.Now().Add(62 * 24 * time.Hour).UTC().Format(time.RFC3339)}},
		{"unpublish", map[string]any{}},
	} {
		d.salesforce(http.MethodPatch, record, map[string]any{"Name": "Broken", ends: "2001-01-01T00:00:00Z"})
		d.sim(http.MethodPost, "/_sim/events/"+id+"/update", "", nil)
		d.within(20*time.Second, "the note", func() bool { return strings.Contains(note(), "(ends)") })
		if text := note(); !strings.HasPrefix(text, "Visitors still see this event as it was before.") || strings.Contains(d.get("/events/noted").body, "Broken") {
			t.Errorf("the record says %q", text)
		}
		d.salesforce(http.MethodPatch, record, then.change)
		d.sim(http.MethodPost, "/_sim/events/"+id+"/"+then.button, "", nil)
		d.within(90*time.Second, "no note after "+then.button, func() bool { return note() == "" })
	}
}

package orgs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
)

// An org is asked for notes if the integration user may write them, and only then: a
// package of before has no such field, and a query that names it would fail.
func TestNotesAreAskedForWhereThereAreAny(t *testing.T) {
	const about = "/sobjects/Turnout_Event__c/describe"
	event := `{"Id":"a00000000000001AAA","Status__c":"Published","Name":"x","Starts_At__c":"2027-10-01T08:00:00.000+0000","Page_Note__c":"old"}`
	for _, c := range []struct {
		object string
		want   bool
	}{
		{"", false},
		{`{"name":"Turnout_Event__c","updateable":true,"fields":[{"name":"Name"}]}`, false},
		{`{"name":"Turnout_Event__c","updateable":false,"fields":[{"name":"Page_Note__c","length":1000,"updateable":true}]}`, false},
		{`{"name":"Turnout_Event__c","updateable":true,"fields":[{"name":"Page_Note__c","length":1000,"updateable":true}]}`, true},
	} {
		f, o := newFake(t, "turnout", map[string]string{about: c.object, "SELECT": `{"totalSize":1,"done":true,"records":[` + event + `]}`})
		copies, err := o.Events(t.Context(), []turnout.EventID{"a00000000000001AAA"})
		if err != nil {
			t.Fatal(err)
		}
		asked := slices.ContainsFunc(f.queries, func(q string) bool { return strings.Contains(q, "Page_Note__c") })
		if asked != c.want || c.want && *copies[0].Note != "old" {
			t.Errorf("%s: asked for notes is %v: %q", c.object, asked, f.queries)
		}
	}
}

// Rights that are taken away are noticed at once: events are read all the same.
func TestNotesThatMayNotBeReadAnyMore(t *testing.T) {
	const about = "/sobjects/Turnout_Event__c/describe"
	found := `{"totalSize":1,"done":true,"records":[{"Id":"a00000000000001AAA","Status__c":"Published","Name":"x","Starts_At__c":"2027-10-01T08:00:00.000+0000"}]}`
	f, o := newFake(t, "turnout", map[string]string{about: `{"name":"Turnout_Event__c","updateable":true,"fields":[{"name":"Page_Note__c","length":1000,"updateable":true}]}`, "SELECT": found})
	ids := []turnout.EventID{"a00000000000001AAA"}
	if _, err := o.Events(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.answers[about], f.forbid = `{"name":"Turnout_Event__c","updateable":true,"fields":[{"name":"Name"}]}`, "Page_Note__c"
	f.queries = nil
	f.mu.Unlock()
	for range 3 {
		if copies, err := o.Events(t.Context(), ids); err != nil || copies[0].Event == nil {
			t.Fatalf("%+v, %v", copies, err)
		}
	}
	asked := slices.DeleteFunc(f.queries, func(q string) bool { return !strings.Contains(q, "Page_Note__c") })
	if len(asked) != 1 {
		t.Errorf("asked for notes %d times", len(asked))
	}
}

func TestNotesAreWrittenTogether(t *testing.T) {
	f, o := newFake(t, "turnout", nil)
	notes := map[turnout.EventID]string{}
	for i := range 250 {
		notes[turnout.EventID(fmt.Sprintf("a00%012dAAA", i))] = "Change this."
	}
	f.refuse = func(_ string, record map[string]any) string {
		if record["Id"] == "a00000000000007AAA" {
			return "UNABLE_TO_LOCK_ROW"
		}
		return ""
	}
	err := o.NoteEvents(t.Context(), notes)
	if turnout.CodeOf(err) != turnout.CodeLocked || strings.Contains(err.Error(), "Ada") || !strings.Contains(err.Error(), "a00000000000007AAA") {
		t.Errorf("one of them locked: %v", err)
	}
	calls := slices.DeleteFunc(f.calls, func(c string) bool { return !strings.HasPrefix(c, "PATCH") })
	if len(f.rows) != 249 || len(calls) != 2 {
		t.Errorf("%d written, with %q", len(f.rows), calls)
	}
}

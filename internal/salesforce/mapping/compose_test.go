package mapping

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

const eventID turnout.EventID = "a00000000000001AAA"

func party() turnout.Dispatch {
	return turnout.Dispatch{
		Registration: turnout.Registration{Key: "key-1", Status: turnout.StatusRegistered, Revision: 1, Sealed: []byte("sealed"), AcceptedAt: time.Date(2027, 1, 2, 3, 4, 5, 6e6, time.UTC)},
		Details: turnout.Details{
			Person: turnout.Person{FirstName: "Ada", LastName: "Example", Email: "ada@example.com", Company: "Example Ltd"},
			Ticket: "vip", Agenda: []string{"tour", "gone"}, Guests: []turnout.Guest{{FirstName: "Bob", LastName: "Example"}},
			Answers: turnout.Answers{"diet": {"Vegan"}, "note": {"two\nlines"}, "old": {"x"}, "age": {"42"}},
			Invite:  &turnout.Invite{Record: "a05000000000001", Contact: "003000000000001AAA"},
		},
	}
}

func definition() *turnout.Event {
	return &turnout.Event{Tickets: []turnout.Ticket{{ID: "vip", Name: "VIP"}}, Agenda: []turnout.AgendaItem{{ID: "tour", Name: "Guided tour"}},
		Form: turnout.Form{Questions: []turnout.Question{
			{ID: "note", Label: "Note"}, {ID: "diet", Label: "Diet?"}, {ID: "age", Label: "Age", Kind: turnout.KindNumber, Target: "Age__c"},
		}}}
}

func fields(extra ...salesforce.Field) *salesforce.Object {
	return &salesforce.Object{Fields: append([]salesforce.Field{{Name: "Answers__c", Type: "textarea", Length: 32768}, {Name: "Guests__c", Type: "textarea", Length: 32768}}, extra...)}
}

func TestComposeGolden(t *testing.T) {
	m := load(t, "turnout")
	object := fields(salesforce.Field{Name: "Age__c", Type: "double", Create: true, Update: true})
	got := m.Compose(eventID, definition(), party(), object)
	want := salesforce.Record{
		"Idempotency_Key__c": "key-1", "Event__c": "a00000000000001AAA", "Link__c": "a05000000000001AAA",
		"First_Name__c": "Ada", "Last_Name__c": "Example", "Email__c": "ada@example.com", "Title__c": nil, "Company__c": "Example Ltd",
		"Status__c": "Registered", "Ticket__c": "VIP", "Agenda__c": "Guided tour\ngone", "Guests__c": "Bob Example", "Guest_Count__c": 1,
		"Answers__c": "Note: two\n  lines\nDiet?: Vegan\nold: x", "Registered_At__c": "2027-01-02T03:04:05.006Z", "Revision__c": int64(1), "Age__c": json.Number("42"),
	}
	if got.ID != "" || got.Person != nil || len(got.Birth) != 0 || !reflect.DeepEqual(got.Record, want) {
		t.Errorf("got  %v\nwant %v\n%+v", got.Record, want, got)
	}
	// Without a definition, and for a target that the org lacks, nothing is lost.
	if r := m.Compose(eventID, nil, party(), nil).Record; r["Ticket__c"] != "vip" || r["Answers__c"] != "age: 42\ndiet: Vegan\nnote: two\n  lines\nold: x" {
		t.Errorf("%v", r)
	}
	for _, object := range []*salesforce.Object{fields(), nil} {
		if r := m.Compose(eventID, definition(), party(), object).Record; !strings.Contains(r["Answers__c"].(string), "Age: 42") || r["Age__c"] != nil {
			t.Errorf("%v", r)
		}
	}
}

// P5: a status that Salesforce has already is left as it is there, so that an
// edit does not undo what an organiser decided since.
func TestP5OnlyAnotherStatusIsWritten(t *testing.T) {
	for _, name := range []string{"turnout", "campaign"} {
		m := load(t, name)
		field := m.Registration.Fields["status"]
		d := party()
		d.Revision, d.Told = 2, turnout.StatusRegistered
		c := m.Compose(eventID, nil, d, nil)
		if _, sent := c.Record[field]; sent || c.Known[field] != "Registered" {
			t.Errorf("%s: an edit sends %v, knows %v", name, c.Record[field], c.Known)
		}
		d.Status = turnout.StatusCancelled
		for _, sealed := range [][]byte{d.Sealed, nil} {
			d.Sealed = sealed
			if c := m.Compose(eventID, nil, d, nil); c.Record[field] == nil || c.Known != nil {
				t.Errorf("%s: a cancellation sends %v, knows %v", name, c.Record[field], c.Known)
			}
		}
	}
}

func TestStatusBothWays(t *testing.T) {
	for name, words := range map[string][]string{"turnout": statusWords(), "campaign": {"registered", "waitlisted", "cancelled", "declined"}} {
		m := load(t, name)
		for _, word := range words {
			value := m.Registration.Statuses[word][0]
			status, attendance, ok := m.Registration.meaning(value)
			if !ok || m.Registration.statusValue(status, attendance) != value {
				t.Errorf("%s: %s is %s, %s and back %s", name, value, status, attendance, m.Registration.statusValue(status, attendance))
			}
		}
		if _, _, ok := m.Registration.meaning("Sent"); ok {
			t.Errorf("%s: an invite that was sent counts as a registration", name)
		}
	}
	m := load(t, "turnout")
	if got := m.Registration.statusValue(turnout.StatusCancelled, turnout.AttendanceAttended); got != "Cancelled" {
		t.Errorf("cancelling after attending writes %q", got)
	}
	campaign := load(t, "campaign")
	if got := campaign.Registration.statusValue(turnout.StatusRegistered, turnout.AttendanceAttended); got != "Registered" {
		t.Errorf("campaigns have no attendance, and write %q", got)
	}
	if s, _, ok := campaign.Registration.meaning("responded"); !ok || s != turnout.StatusRegistered {
		t.Error("Responded does not count as registered")
	}
}

// P1: the same person answering once is one record, new or invited.
func TestComposeCampaign(t *testing.T) {
	m := load(t, "campaign")
	walkIn := party()
	walkIn.Details.Invite, walkIn.Details.Person.Company = nil, ""
	got := m.Compose(eventID, definition(), walkIn, nil)
	if got.ID != "" || got.Birth["CampaignId"] != string(eventID) || !reflect.DeepEqual(got.Birth["Lead"], map[string]any{"Turnout_Key__c": "key-1"}) || got.Record["CampaignId"] != nil ||
		got.Person["Turnout_Key__c"] != "key-1" || got.Person["Company"] != "[not provided]" || got.Person["LastName"] != "Example" || got.Record["Turnout_Key__c"] != "key-1" {
		t.Errorf("%+v", got)
	}
	if answers := got.Record["Turnout_Answers__c"].(string); !strings.HasPrefix(answers, "Sessions: Guided tour; gone\nGuests: Bob Example\nNote: two") {
		t.Errorf("answers %q", answers)
	}
	// An invited person's member is changed, never made; what they correct is kept.
	invited := party()
	invited.Details.Invite = &turnout.Invite{Record: "00v000000000001", Contact: "003000000000001AAA", Person: turnout.Person{FirstName: "Ada", LastName: "Example", Email: "old@example.com", Company: "Example Ltd"}}
	got = m.Compose(eventID, definition(), invited, nil)
	if got.ID != "00v000000000001AAA" || got.Person != nil || got.Record["Turnout_Key__c"] != "key-1" || got.Record["Status"] != "Registered" {
		t.Errorf("%+v", got)
	}
	if answers := got.Record["Turnout_Answers__c"].(string); !strings.HasPrefix(answers, "E-mail: ada@example.com\nSessions") {
		t.Errorf("answers %q", answers)
	}
	// Later revisions go by id; a cancellation leaves the lead alone.
	later := walkIn
	later.Record, later.Revision, later.Status = "00v000000000002", 2, turnout.StatusCancelled
	if got = m.Compose(eventID, nil, later, nil); got.ID != "00v000000000002AAA" || got.Person != nil {
		t.Errorf("%+v", got)
	}
	later.Status = turnout.StatusRegistered
	if got = m.Compose(eventID, nil, later, nil); got.Person == nil {
		t.Errorf("%+v", got)
	}
}

// Shredded answers are gone here; what Salesforce has of them stays.
func TestShreddedLeavesThePersonAlone(t *testing.T) {
	shredded := party()
	shredded.Details, shredded.Sealed, shredded.Revision, shredded.Status = turnout.Details{}, nil, 2, turnout.StatusCancelled
	got := load(t, "turnout").Compose(eventID, definition(), shredded, nil)
	want := salesforce.Record{"Idempotency_Key__c": "key-1", "Status__c": "Cancelled", "Revision__c": int64(2)}
	if got.ID != "" || got.Person != nil || len(got.Birth) != 0 || !reflect.DeepEqual(got.Record, want) {
		t.Errorf("got %+v, want %v", got, want)
	}
	shredded.Record = "00v000000000002"
	got = load(t, "campaign").Compose(eventID, definition(), shredded, nil)
	if want := (salesforce.Record{"Status": "Cancelled"}); got.ID != "00v000000000002AAA" || got.Person != nil || len(got.Birth) != 0 || !reflect.DeepEqual(got.Record, want) {
		t.Errorf("got %+v, want %v", got, want)
	}
}

func TestTargets(t *testing.T) {
	m := load(t, "turnout")
	for _, test := range []struct {
		kind      turnout.Kind
		fieldType string
		values    []string
		want      any
	}{
		{turnout.KindYesNo, "boolean", []string{"yes"}, true},
		{turnout.KindYesNo, "boolean", []string{"no"}, false},
		{turnout.KindYesNo, "string", []string{"no"}, "no"},
		{turnout.KindChoices, "multipicklist", []string{"a", "b"}, "a;b"},
		{turnout.KindChoices, "string", []string{"a", "b"}, "a; b"},
		{turnout.KindNumber, "double", []string{"12345678901234567.5"}, json.Number("12345678901234567.5")},
		{turnout.KindText, "double", []string{"not a number"}, "not a number"}, // Salesforce refuses it and it parks
		{turnout.KindText, "double", []string{`"quoted"`}, `"quoted"`},
		{turnout.KindText, "double", []string{"null"}, "null"},
		{turnout.KindText, "double", []string{"NaN"}, "NaN"},
		{turnout.KindText, "string", []string{strings.Repeat("x", 300)}, strings.Repeat("x", 300)},
	} {
		def := &turnout.Event{Form: turnout.Form{Questions: []turnout.Question{{ID: "q", Label: "Q", Kind: test.kind, Target: "Target__c"}}}}
		d := party()
		d.Details.Answers = turnout.Answers{"q": test.values}
		object := fields(salesforce.Field{Name: "Target__c", Type: test.fieldType, Length: 10, Create: true, Update: true})
		if got := m.Compose(eventID, def, d, object).Record["Target__c"]; got != test.want {
			t.Errorf("%s into %s is %v, want %v", test.kind, test.fieldType, got, test.want)
		}
		d.Details.Answers, d.Revision = nil, 2
		if got, there := m.Compose(eventID, def, d, object).Record["Target__c"]; !there || got != nil && got != false {
			t.Errorf("an answer taken away leaves %v", got)
		}
	}
	// A question cannot reach Turnout's own fields.
	for _, target := range []string{"Idempotency_Key__c", "status__C", "Id", "Event__c", "x; DROP", "Missing__c"} {
		def := &turnout.Event{Form: turnout.Form{Questions: []turnout.Question{{ID: "q", Label: "Q", Target: target}}}}
		d := party()
		d.Details.Answers = turnout.Answers{"q": {"evil"}}
		r := m.Compose(eventID, def, d, fields()).Record
		if r["Idempotency_Key__c"] != "key-1" || r["Status__c"] != "Registered" || r["Event__c"] != string(eventID) || r["Answers__c"] != "Q: evil" || r[target] == "evil" {
			t.Errorf("%s: %v", target, r)
		}
	}
}

func TestLongAnswersAreCutWithAMark(t *testing.T) {
	m := load(t, "turnout")
	d := party()
	d.Details.Answers = turnout.Answers{"q": {strings.Repeat("wörds 🎉\n", 9000)}}
	r := m.Compose(eventID, nil, d, fields()).Record
	answers := r["Answers__c"].(string)
	if n := len(utf16.Encode([]rune(strings.ReplaceAll(answers, "\n", "\r\n")))); n > 32768 || n < 32600 {
		t.Errorf("%d characters", n)
	}
	if !strings.Contains(answers, "[cut here: ") || !strings.HasPrefix(answers, "q: wörds") {
		t.Errorf("no mark: %q", answers[len(answers)-90:])
	}
	for _, limit := range []int{1, 5, 40, 100} {
		if got := cut(strings.Repeat("ä", 200), limit); len([]rune(got)) > max(limit, 3) {
			t.Errorf("%d: %q", limit, got)
		}
	}
	if cut("short", 5) != "short" {
		t.Error("a text that fits is changed")
	}
}

func TestRegistrationCopy(t *testing.T) {
	m := load(t, "turnout")
	got, ok := m.Registration.Read(record(t, `{"Id":"a06000000000001","SystemModstamp":"2027-01-01T10:00:00.000+0000","Idempotency_Key__c":"key-1","Event__c":"a00000000000001","Status__c":"No-Show","Revision__c":7.0,"Email__c":"ada@example.com"}`))
	want := turnout.RegistrationCopy{Record: "a06000000000001AAA", Key: "key-1", Event: eventID, Revision: 7, Status: turnout.StatusRegistered, Attendance: turnout.AttendanceAbsent, Modified: time.Date(2027, 1, 1, 10, 0, 0, 0, time.UTC)}
	if !ok || got != want {
		t.Errorf("%+v", got)
	}
	if _, ok := m.Registration.Read(record(t, `{"Id":"a06000000000001","Status__c":null}`)); ok {
		t.Error("a record without a status says something")
	}
	// P8: nothing that names a person is even asked for.
	for _, name := range []string{"turnout", "campaign"} {
		for _, column := range load(t, name).Registration.Columns() {
			if strings.Contains(column, "Name") || strings.Contains(column, "Email") || strings.Contains(column, "Answers") {
				t.Errorf("%s asks for %s", name, column)
			}
		}
	}
}

func TestLinkCopy(t *testing.T) {
	m := load(t, "turnout")
	row := `{"Id":"a05000000000001","SystemModstamp":"2027-01-01T10:00:00.000+0000","Token__c":"Token-1234","Event__c":"a00000000000001","First_Name__c":"Ada","Last_Name__c":"Example","Email__c":"ada@example.com","Title__c":null,"Company__c":" Example  Ltd ","Contact__c":"003000000000001","Lead__c":null,"Status__c":"Active"}`
	got, ok := m.Link.Read(record(t, row))
	want := turnout.LinkCopy{Token: "Token-1234", Event: eventID, Modified: time.Date(2027, 1, 1, 10, 0, 0, 0, time.UTC), Invite: turnout.Invite{
		Person: turnout.Person{FirstName: "Ada", LastName: "Example", Email: "ada@example.com", Company: "Example Ltd"}, Record: "a05000000000001AAA", Contact: "003000000000001AAA"}}
	if !ok || got != want {
		t.Errorf("%+v", got)
	}
	for field, value := range map[string]any{"Status__c": "Revoked", "IsDeleted": true, "Event__c": nil} {
		r := record(t, row)
		r[field] = value
		if got, ok := m.Link.Read(r); !ok || !got.Revoked {
			t.Errorf("%s %v: %+v", field, value, got)
		}
	}
	for _, token := range []any{nil, "short", "has space in it", "semi;colon;x"} {
		r := record(t, row)
		r["Token__c"] = token
		if _, ok := m.Link.Read(r); ok {
			t.Errorf("token %v is taken", token)
		}
	}
	// A bulk result holds strings only, and reads the same.
	bulk := salesforce.Record{"Id": "a05000000000001", "SystemModstamp": "2027-01-01T10:00:00.000Z", "IsDeleted": "false", "Token__c": "Token-1234", "Event__c": "a00000000000001AAA", "First_Name__c": "Ada", "Last_Name__c": "Example", "Email__c": "ada@example.com", "Company__c": "Example Ltd", "Title__c": nil, "Contact__c": "003000000000001AAA", "Lead__c": nil, "Status__c": "Active"}
	if got, ok := m.Link.Read(bulk); !ok || got != want {
		t.Errorf("%+v", got)
	}
}

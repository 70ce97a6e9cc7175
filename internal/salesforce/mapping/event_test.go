package mapping

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// record is a row as a reply holds it.
func record(t testing.TB, text string) salesforce.Record {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var r salesforce.Record
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

const eventRow = `{"attributes":{"type":"Turnout_Event__c"},"Id":"a00000000000001AAA","SystemModstamp":"2027-01-01T10:00:00.000+0000",
	"Name":"Autumn Summit","Slug__c":"autumn-summit","Status__c":"Published","Summary__c":"Three days","Description__c":"<p>Hi</p>",
	"Starts_At__c":"2027-10-01T08:00:00.000+0000","Ends_At__c":"2027-10-03T16:00:00.000+0000","Time_Zone__c":"Europe/Vienna","Venue__c":"Hall 1","Address__c":"1 Example Way",
	"Online__c":true,"Join_URL__c":"https://meet.example.com/1","Seats__c":250.0,"Waitlist__c":true,"Max_Guests__c":2.0,
	"Registration_Opens_At__c":"2027-01-01T00:00:00.000+0000","Registration_Closes_At__c":"2027-09-30T00:00:00.000+0000","Edit_Until__c":null,"Cancel_Until__c":"2027-09-29T00:00:00.000+0000",
	"One_Per_Person__c":true,"Lock_Email__c":true,"Private__c":false,"Language__c":"de","Image_URL__c":"https://img.example.com/a.png","Accent__c":"#AA00FF","Button__c":"Platz sichern","Organizer__c":"Example Ltd"}`

func turnoutParts(t testing.TB) Parts {
	return Parts{
		Tickets: []salesforce.Record{
			record(t, `{"Id":"a01000000000002AAA","Name":"VIP","Public_Id__c":"vip","Seats__c":10.0,"Position__c":2,"SystemModstamp":"2027-01-02T10:00:00.000+0000"}`),
			record(t, `{"Id":"a01000000000001AAA","Name":"Standard","Public_Id__c":null,"Description__c":"All days","Seats__c":null,"Position__c":1}`)},
		Agenda: []salesforce.Record{record(t, `{"Id":"a02000000000001AAA","Name":"Tour","Public_Id__c":"tour","Starts_At__c":"2027-10-01T09:00:00.000+0000","Room__c":"R1","Seats__c":0}`)},
		Questions: []salesforce.Record{
			record(t, `{"Id":"a03000000000001AAA","Public_Id__c":"diet","Label__c":"Diet?","Type__c":"choice","Choices__c":"Any\r\nVegan\n\nVegan","Required__c":true,"Position__c":1}`),
			record(t, `{"Id":"a03000000000002AAA","Label__c":"Age?","Type__c":"number","Minimum__c":18.5,"Show_If_Question__c":"a03000000000001","Show_If_Value__c":"Vegan; Any","Target_Field__c":"Age__c","Max_Length__c":3,"Position__c":2}`)},
	}
}

func TestLanguageTags(t *testing.T) {
	for given, want := range map[string]string{"de": "de", "de_AT": "de-AT", "pt-BR": "pt-BR", "zh-Hant-TW": "zh-Hant-TW", "": "", "german": "", "<b>": "", "de AT": "", "x": ""} {
		if got := languageTag(given); got != want {
			t.Errorf("%q is read as %q, want %q", given, got, want)
		}
	}
}

func TestEventGolden(t *testing.T) {
	at := func(s string) time.Time { v, _ := salesforce.ParseTime(s); return v }
	got := load(t, "turnout").Event.Read(record(t, eventRow), turnoutParts(t), "UTC")
	if got.Fault != nil || got.ID != "a00000000000001AAA" || !got.Modified.Equal(at("2027-01-02T10:00:00Z")) {
		t.Fatalf("%+v", got)
	}
	e := got.Event
	if len(e.Version) != 16 || len(e.Form.Version) != 16 {
		t.Errorf("versions %q %q", e.Version, e.Form.Version)
	}
	minimum := 18.5
	want := &turnout.Event{
		ID: "a00000000000001AAA", Slug: "autumn-summit", Version: e.Version, Title: "Autumn Summit", Summary: "Three days", Body: "<p>Hi</p>", Organizer: "Example Ltd",
		Starts: at("2027-10-01T08:00:00Z"), Ends: at("2027-10-03T16:00:00Z"), Zone: "Europe/Vienna", Language: "de", Venue: "Hall 1", Address: "1 Example Way",
		Online: true, JoinURL: "https://meet.example.com/1", Button: "Platz sichern", Accent: "#aa00ff", Image: "https://img.example.com/a.png",
		Opens: at("2027-01-01T00:00:00Z"), Closes: at("2027-09-30T00:00:00Z"), CancelUntil: at("2027-09-29T00:00:00Z"),
		Seats: 250, Waitlist: true, MaxGuests: 2, OncePerPerson: true, LockEmail: true,
		Tickets: []turnout.Ticket{{ID: "a01000000000001AAA", Name: "Standard", About: "All days", Seats: turnout.Unlimited}, {ID: "vip", Name: "VIP", Seats: 10}},
		Agenda:  []turnout.AgendaItem{{ID: "tour", Name: "Tour", Room: "R1", Starts: at("2027-10-01T09:00:00Z")}},
		Form: turnout.Form{Version: e.Form.Version, Title: turnout.AskOptional, Company: turnout.AskOptional, Questions: []turnout.Question{
			{ID: "diet", Label: "Diet?", Kind: turnout.KindChoice, Required: true, Choices: []string{"Any", "Vegan"}},
			{ID: "a03000000000002AAA", Label: "Age?", Kind: turnout.KindNumber, MaxLength: 3, Min: &minimum, Target: "Age__c", ShowIf: &turnout.Condition{Question: "diet", Values: []string{"Vegan", "Any"}}},
		}},
	}
	if !reflect.DeepEqual(e, want) {
		a, _ := json.Marshal(e)
		b, _ := json.Marshal(want)
		t.Errorf("got  %s\nwant %s", a, b)
	}
}

func TestVersions(t *testing.T) {
	m := load(t, "turnout")
	read := func(change func(salesforce.Record, *Parts)) *turnout.Event {
		r, parts := record(t, eventRow), turnoutParts(t)
		change(r, &parts)
		return m.Event.Read(r, parts, "UTC").Event
	}
	first := read(func(salesforce.Record, *Parts) {})
	for _, test := range []struct {
		name        string
		change      func(salesforce.Record, *Parts)
		event, form bool
	}{
		{"nothing", func(r salesforce.Record, _ *Parts) { r["SystemModstamp"] = "2027-03-01T00:00:00.000+0000" }, false, false},
		{"title", func(r salesforce.Record, _ *Parts) { r["Name"] = "Other" }, true, false},
		{"seats of a ticket", func(_ salesforce.Record, p *Parts) { p.Tickets[0]["Seats__c"] = json.Number("11") }, true, false},
		{"a ticket less", func(_ salesforce.Record, p *Parts) { p.Tickets = p.Tickets[:1] }, true, true},
		{"an agenda item less", func(_ salesforce.Record, p *Parts) { p.Agenda = nil }, true, true},
		{"a question", func(_ salesforce.Record, p *Parts) { p.Questions[0]["Required__c"] = false }, true, true},
	} {
		e := read(test.change)
		if (e.Version != first.Version) != test.event || (e.Form.Version != first.Form.Version) != test.form {
			t.Errorf("%s: event %v, form %v", test.name, e.Version != first.Version, e.Form.Version != first.Form.Version)
		}
	}
}

func TestUnpublishedAndFaulty(t *testing.T) {
	m := load(t, "turnout")
	for _, status := range []string{"Draft", "Unpublished", "Archived", ""} {
		r := record(t, eventRow)
		r["Status__c"] = status
		if got := m.Event.Read(r, Parts{}, "UTC"); got.Event != nil || got.Fault != nil || got.ID == "" || got.Modified.IsZero() {
			t.Errorf("%q: %+v", status, got)
		}
	}
	r := record(t, eventRow)
	r["Starts_At__c"], r["Time_Zone__c"], r["Join_URL__c"], r["Slug__c"] = nil, "Mars/Base", "javascript:alert(1)", "Not a slug"
	got := m.Event.Read(r, Parts{}, "UTC")
	if turnout.CodeOf(got.Fault) != turnout.CodeInvalid {
		t.Fatalf("%+v", got)
	}
	for _, field := range []string{"starts", "zone", "join_url", "slug"} {
		if !strings.Contains(got.Fault.Error(), field) {
			t.Errorf("%s is not among %v", field, got.Fault)
		}
	}
	if got.Event.JoinURL != "" {
		t.Error("a script stays as the way to join")
	}
	// Without tickets there is one; without a slug it comes from name and id.
	r = record(t, eventRow)
	r["Slug__c"], r["Seats__c"], r["Accent__c"], r["Image_URL__c"], r["Name"] = nil, nil, "red;}body{", "data:x", "Größe & Maß – “Fest” 'd’été"
	copied := m.Event.Read(r, Parts{}, "UTC")
	if got := copied.Remarks; len(got) != 2 || got[0].Field != "accent" || got[1].Field != "image" {
		t.Errorf("what is not followed: %+v", got)
	}
	e := copied.Event
	if e.Slug != "groesse-mass-fest-dete-000001" || !turnout.ValidSlug(e.Slug) || e.Seats != turnout.Unlimited || e.Accent != "" || e.Image != "" ||
		!reflect.DeepEqual(e.Tickets, []turnout.Ticket{{ID: "general", Name: "General admission", Seats: turnout.Unlimited}}) {
		t.Errorf("%+v", e)
	}
	for _, name := range []string{"", "会议", strings.Repeat("long name ", 30), "---"} {
		if s := slugFor(name, "a00000000000001AAA"); !turnout.ValidSlug(s) {
			t.Errorf("slug of %q is %q", name, s)
		}
	}
}

func TestCampaignGolden(t *testing.T) {
	m := load(t, "campaign")
	r := record(t, `{"Id":"701000000000001AAA","Name":"Open day","Turnout_Published__c":true,"StartDate":"2027-05-01","EndDate":"2027-05-02","Description":"Come & see\n\nBring <friends>",
		"SystemModstamp":"2027-01-01T10:00:00.000+0000","Turnout_Details__c":"tickets:\n- {id: a, name: Morning, seats: 5}\nagenda:\n- {id: t, name: Tour, starts: 2027-05-01 10:00}\nform: {title: hidden, company: required}\nquestions:\n- id: diet\n  label: Diet?\n  kind: choices\n  choices: [Any, 1, yes]\n- {id: more, label: More, show_if: {question: diet, values: [Any]}}\nmax_guests: 3\nlock_email: true\ncloses: 2027-04-30T12:00:00Z\n"}`)
	got := m.Event.Read(r, Parts{}, "Europe/Vienna")
	if got.Fault != nil {
		t.Fatal(got.Fault)
	}
	e := got.Event
	loc, _ := time.LoadLocation("Europe/Vienna")
	if !e.Starts.Equal(time.Date(2027, 5, 1, 0, 0, 0, 0, loc)) || !e.Ends.Equal(time.Date(2027, 5, 2, 23, 59, 0, 0, loc)) || !e.Agenda[0].Starts.Equal(time.Date(2027, 5, 1, 10, 0, 0, 0, loc)) {
		t.Errorf("times %v %v %v", e.Starts, e.Ends, e.Agenda[0].Starts)
	}
	if e.Body != "<p>Come &amp; see</p><p>Bring &lt;friends&gt;</p>" || e.Tickets[0].Seats != 5 || e.Form.Title != turnout.AskHidden || e.Form.Company != turnout.AskRequired ||
		e.MaxGuests != 3 || !e.LockEmail || e.Closes.IsZero() || len(e.Form.Questions[0].Choices) != 3 || e.Form.Questions[1].ShowIf.Question != "diet" {
		t.Errorf("%+v", e)
	}
	r["Turnout_Starts_At__c"] = "2027-05-01T15:00:00.000+0000"
	r["Turnout_Body__c"] = "<p>Better</p>"
	if e := m.Event.Read(r, Parts{}, "UTC").Event; e.Starts.Hour() != 15 || e.Body != "<p>Better</p>" {
		t.Errorf("the precise fields do not win: %+v", e)
	}
	r["Turnout_Details__c"] = "tickets:\n- {id: a, nam: Morning, seats: many}\nquestion: []\nform: {title: maybe}\n"
	fault := m.Event.Read(r, Parts{}, "UTC").Fault
	for _, want := range []string{"details.tickets.0.nam", "details.tickets.0.seats", "details.question", "details.form.title"} {
		if fault == nil || !strings.Contains(fault.Error(), want) {
			t.Errorf("%s is not among %v", want, fault)
		}
	}
	r["Turnout_Published__c"] = false
	if m.Event.Read(r, Parts{}, "UTC").Event != nil {
		t.Error("it is not published")
	}
}

func TestSanitizeHostileHTML(t *testing.T) {
	for in, want := range map[string]string{
		`<p>Hi <b>you</b></p>`: `<p>Hi <b>you</b></p>`,
		`<script>alert(1)</script><p onclick="x()" style="a:b" class="c" id="d">x</p>`: `<p>x</p>`,
		`<a href="javascript:alert(1)">x</a>`:                                          `x`,
		`<a href=" JaVaScRiPt:alert(1)">x</a>`:                                         `x`,
		`<a href="data:text/html,x">x</a>`:                                             `x`,
		`<a href="//evil.test">x</a>`:                                                  `x`,
		`<a href="/l/token">x</a>`:                                                     `x`,
		`<a href="https://example.com/?a=1&b=2" target="_top">x</a>`:                   `<a href="https://example.com/?a=1&amp;b=2" rel="nofollow noreferrer">x</a>`,
		`<td colspan="2" rowspan="9999">x</td>`:                                        `<td colspan="2">x</td>`,
	} {
		if got := Sanitize(in); got != want {
			t.Errorf("%s\n got %q\nwant %q", in, got, want)
		}
	}
	for _, in := range []string{`<img src=x onerror=alert(1)>`, `<svg/onload=alert(1)>`, `<iframe src="https://evil.test"></iframe>`, `<style>@import "x"</style>`, `<form action="/x"><input name="y"></form>`,
		`<math><mi xlink:href="javascript:x">`, `<p><noscript><p title="</noscript><img src=x onerror=alert(1)>">`, `<base href="//evil.test">`, `<meta http-equiv="refresh" content="0">`, `<!--<img src=x onerror=1>-->`, "<a href=\"java\tscript:x\">", `<object data=x>`} {
		got := strings.ToLower(Sanitize(in))
		for _, bad := range []string{"<img", "<svg", "<iframe", "<style", "<form", "<input", "<math", "<base", "<meta", "<object", "<!--", "javascript", "href"} {
			if strings.Contains(got, bad) {
				t.Errorf("%s leaves %s", in, got)
			}
		}
	}
}

func FuzzDetails(f *testing.F) {
	f.Add("tickets:\n- {id: a, name: Morning, seats: 5}\nform: {title: hidden}\nquestions:\n- id: x\n  show_if: {question: y, values: [a]}\n")
	f.Add("a: &b [1]\nc: *b")
	f.Add("max_guests: .nan\nopens: 2027-01-01 10:00")
	f.Add("{[")
	m, err := Load("campaign")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := salesforce.Record{"Id": "701000000000001AAA", "Name": "x", "Turnout_Published__c": true, "StartDate": "2027-05-01", "Turnout_Details__c": text}
		got := m.Event.Read(r, Parts{}, "UTC")
		if got.Fault == nil && got.Event.Validate() != nil {
			t.Error("a broken event counts as whole")
		}
	})
}

func FuzzSanitize(f *testing.F) {
	f.Add(`<p onclick=x><script>a</script><a href="https://example.com">x</a>`)
	f.Fuzz(func(t *testing.T, html string) {
		got := strings.ToLower(Sanitize(html))
		for _, bad := range []string{"<script", "<img", "<svg", "<iframe", "<style", "<form", "<object", "<embed", "<link", "<meta"} {
			if strings.Contains(got, bad) {
				t.Errorf("%q leaves %q", html, got)
			}
		}
	})
}

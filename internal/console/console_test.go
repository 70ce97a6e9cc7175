package console_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/console"
	"github.com/turnout-events/turnout/internal/erasure"
	"github.com/turnout-events/turnout/internal/oversight"
)

var noon = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

var summit = &turnout.Event{
	ID: "a01000000000001AAA", Slug: "summit", Title: "Example Summit", Starts: noon.Add(240 * time.Hour), Zone: "Europe/Vienna", Seats: 100, MaxGuests: 2,
	Tickets: []turnout.Ticket{{ID: "std", Name: "Standard", Seats: 60}, {ID: "vip", Name: "VIP", Seats: turnout.Unlimited}},
	Agenda:  []turnout.AgendaItem{{ID: "lunch", Name: "Lunch", Seats: 40}},
	Form: turnout.Form{Questions: []turnout.Question{
		{ID: "diet", Label: "What do you eat?", Kind: turnout.KindChoices, Choices: []string{"vegan", "halal"}},
		{ID: "why", Label: "Why do you come?", Kind: turnout.KindLongText, Help: "A sentence is enough."},
		{ID: "size", Label: "Shirt size", Kind: turnout.KindChoice, Choices: []string{"S", "M"}}, {ID: "day", Label: "Arrival", Kind: turnout.KindDate, Required: true,
			Help: "The day before is fine.", ShowIf: &turnout.Condition{Question: "size", Values: []string{"S", "M"}}},
	}},
}

// operator is a fake of everything behind the console.
type operator struct {
	orgs   []oversight.Org
	events []oversight.Event
	parked []oversight.Parked
	moves  oversight.Migration
	// dismissed are those of which somebody decided so.
	dismissed []oversight.Parked
	fails     error
	calls     []string
	amended   turnout.Details
	log       bytes.Buffer
}

// read is a mirror of which events and registrations were read an age ago and
// links another.
func read(age, links time.Duration, n int) oversight.Mirror {
	at := map[string]time.Time{"events": noon.Add(-age), "links": noon.Add(-links), "registrations": noon.Add(-age)}
	return oversight.Mirror{Success: noon.Add(-max(age, links)), Reads: at, Every: time.Minute, Links: ptr(n)}
}

func because(code turnout.Code, m oversight.Mirror) oversight.Mirror {
	m.Cause = code
	return m
}

func elsewhere(m oversight.Mirror) oversight.Mirror {
	m.Elsewhere = true
	return m
}

// reading is a mirror that reads many links, of which it kept some an age ago.
func reading(done, total int, age time.Duration, m oversight.Mirror) oversight.Mirror {
	m.Reading = &oversight.Reading{Done: done, Total: total, Since: noon.Add(-3 * time.Minute), At: noon.Add(-age), Rate: 5311, Left: 111}
	return m
}

func ptr(n int) *int { return &n }

func newOperator() *operator {
	return &operator{
		orgs: []oversight.Org{
			{ID: "acme", Name: "Acme <Events>", Connection: oversight.Connection{State: oversight.StateConnected, Used: 3120, Limit: 15000, Budget: 12000},
				Oldest: &oversight.Waiting{Since: noon.Add(-7 * time.Second), Seconds: 7}, Events: oversight.Counts{Published: 12}, Mirror: read(20*time.Second, 20*time.Second, 1204311)},
			{ID: "lumen", Name: "Lumen Foundation", Connection: oversight.Connection{State: oversight.StatePaused, Failures: 9, Cause: turnout.CodeUnauthorized, Until: noon.Add(time.Minute), Used: 12700, Limit: 15000, Budget: 12000},
				Oldest: &oversight.Waiting{Since: noon.Add(-3 * time.Hour), Seconds: 10800}, Parked: 2, Events: oversight.Counts{Published: 3, Unpublished: 1, Faulty: 1}, Mirror: because(turnout.CodeUnauthorized, read(3*time.Hour, 3*time.Hour, 50000))},
			{ID: "orchard", Name: "Orchard Housing", Connection: oversight.Connection{State: oversight.StateConnected, Used: 10100, Limit: 15000, Budget: 12000}, Events: oversight.Counts{Published: 4}, Mirror: read(50*time.Second, 10*time.Second, 12)},
			{ID: "filling", Name: "Filling Station", Connection: oversight.Connection{State: oversight.StateConnected, Used: 1, Limit: 15000, Budget: 12000}, Mirror: reading(412000, 1000000, 4*time.Second, read(10*time.Second, 10*time.Second, 411876))},
			{ID: "stalled", Name: "Stalled Station", Mirror: reading(412000, 1000000, 20*time.Minute, read(10*time.Second, 10*time.Second, 411876))},
			{ID: "gathering", Name: "Gathering Station", Mirror: reading(0, 0, 20*time.Minute, read(10*time.Second, 10*time.Second, 0))},
			{ID: "new", Name: "Newly Set Up", Mirror: oversight.Mirror{}},
			{ID: "quiet", Name: "Quiet Choir", Connection: oversight.Connection{State: oversight.StateConnected, Used: 1, Limit: 15000, Budget: 12000}, Mirror: elsewhere(read(10*time.Second, 7*time.Hour, 12))},
		},
		events: []oversight.Event{
			{ID: summit.ID, Slug: "summit", Title: "Example Summit", Published: true, PictureFault: "its server answers 404", Starts: summit.Starts, Zone: summit.Zone, Fetched: &oversight.Waiting{Since: noon.Add(-640 * time.Second), Seconds: 640},
				Pools:  []oversight.Pool{{Name: "Whole event", Limit: ptr(100), Taken: 72, Outside: 6}, {Name: "Standard", Limit: ptr(60), Taken: 60, Outside: 3, Waiting: 14, Over: 3}, {Name: "VIP", Taken: 12}, {Name: "Lunch", Limit: ptr(40), Taken: 11}},
				Funnel: &oversight.Funnel{Invited: ptr(48211), Opened: ptr(14480), Started: ptr(91), Registered: ptr(75), Delivered: ptr(70), Parked: ptr(2), Dismissed: ptr(1), Waitlisted: ptr(12), Cancelled: ptr(5), Declined: ptr(31)}},
			{ID: "a01000000000002AAA", Title: "a01000000000002AAA", Faults: []turnout.FieldError{{Field: "slug", Message: "give the event a slug of 1 to 80 lower-case letters, digits and single hyphens"}, {Field: "zone", Message: "give an IANA time zone such as Europe/Vienna"}}},
			{ID: "a01000000000003AAA", Title: "a01000000000003AAA", Pools: []oversight.Pool{{Name: "Whole event", Limit: ptr(30), Taken: 30}}},
		},
		parked: []oversight.Parked{
			{Key: "0f9k3e", Event: summit.ID, Title: summit.Title, Status: turnout.StatusRegistered, Code: "STRING_TOO_LONG", Says: "Job title: data value too large: Queen of <everything>", At: noon.Add(-3 * time.Minute),
				Accepted: noon.Add(-4 * time.Minute), Readable: true, Retriable: true, Form: summit, Details: turnout.Details{
					Person: turnout.Person{FirstName: "Ada", LastName: "Example", Email: "ada@example.com", Title: "Queen of <everything>", Company: "Example Ltd"}, Ticket: "std", Agenda: []string{"lunch"},
					Guests: []turnout.Guest{{FirstName: "Bo", LastName: "Example"}}, Answers: turnout.Answers{"diet": {"vegan", "kosher"}, "why": {"To meet people.\nAnd for lunch."}, "gone": {"old answer"}}}},
			{Key: "0f9k3f", Event: "gone", Title: "gone", Code: "ENTITY_IS_DELETED", Readable: true, Retriable: true, At: noon.Add(-26 * time.Hour), Accepted: noon.Add(-27 * time.Hour), Details: turnout.Details{Person: turnout.Person{FirstName: "Cy", LastName: "Example", Email: "cy@example.com"}}},
			{Key: "0f9k3g", Event: summit.ID, Title: summit.Title, Code: "FIELD_CUSTOM_VALIDATION_EXCEPTION", At: noon, Form: summit},
		},
	}
}

func (o *operator) Overview(context.Context) ([]oversight.Org, error) { return o.orgs, o.fails }
func (o *operator) Org(_ context.Context, id turnout.OrgID) (oversight.Org, error) {
	if i := slices.IndexFunc(o.orgs, func(org oversight.Org) bool { return org.ID == id }); i >= 0 {
		return o.orgs[i], nil
	}
	return oversight.Org{}, turnout.Errorf(turnout.CodeNotFound, "find org", "there is no such org")
}
func (o *operator) Events(context.Context, turnout.OrgID) ([]oversight.Event, error) {
	return o.events, o.fails
}
func (o *operator) Migration(context.Context) (oversight.Migration, error) { return o.moves, o.fails }
func (o *operator) Parked(_ context.Context, _ turnout.OrgID, dismissed bool, _ int) ([]oversight.Parked, bool, error) {
	if dismissed {
		return o.dismissed, false, o.fails
	}
	return o.parked, false, o.fails
}
func (o *operator) OneParked(_ context.Context, _ turnout.OrgID, key turnout.Key) (oversight.Parked, error) {
	for _, p := range o.parked {
		if p.Key == key {
			return p, nil
		}
	}
	return oversight.Parked{}, turnout.Errorf(turnout.CodeNotFound, "find parked registration", "it is not parked, or not any more")
}
func (o *operator) Retry(_ context.Context, org turnout.OrgID, key turnout.Key) (int, error) {
	o.calls = append(o.calls, "retry "+string(org)+" "+string(key))
	return 3, o.fails
}
func (o *operator) Dismiss(_ context.Context, org turnout.OrgID, key turnout.Key, cancel bool) error {
	o.calls = append(o.calls, fmt.Sprint("dismiss ", org, " ", key, " ", cancel))
	return o.fails
}
func (o *operator) Amend(_ context.Context, _ turnout.OrgID, key turnout.Key, d turnout.Details) error {
	o.calls, o.amended = append(o.calls, "amend "+string(key)), d
	return o.fails
}
func (o *operator) Forget(_ context.Context, org turnout.OrgID, email string) (erasure.Receipt, error) {
	o.calls = append(o.calls, "forget "+string(org)+" "+email)
	return erasure.Receipt{ID: "4f1c9a02b7de", Org: org, At: noon, Forgotten: turnout.Forgotten{Keys: 1, Registrations: 2, SeatsReturned: 1}}, o.fails
}

func (o *operator) handler(t testing.TB) http.Handler {
	t.Helper()
	c, err := console.New(console.Options{Desk: o, Forget: o, Now: func() time.Time { return noon }, Logger: slog.New(slog.NewTextHandler(&o.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return c.Handler()
}

func send(h http.Handler, method, path string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPages(t *testing.T) {
	tests := []struct {
		path string
		want int
		says []string
	}{
		{"/console/", 200, []string{"Acme &lt;Events&gt;", "3 h 0 min", "10,100", "of 12,000", "Paused", "/console/orgs/lumen/parked", "1 fault", ">never<", "7 h 0 min ago"}},
		{"/console/?live", 200, []string{"refreshes every 15 seconds", "Stop refreshing"}},
		{"/console/orgs/quiet", 200, []string{"7 h 0 min ago", ">links<", "by another instance", "this one takes over within a minute"}},
		{"/console/orgs/filling", 200, []string{"411,876", "412,000 of 1,000,000 read since", ">3 min<", "5,311 a second, 111 s to go", `aria-label="41 percent read"`}},
		{"/console/orgs/stalled", 200, []string{"412,000 of 1,000,000", "no further since", ">20 min<"}},
		{"/console/orgs/gathering", 200, []string{"Salesforce gathers them since"}},
		{"/console/orgs/lumen", 200, []string{"Salesforce refuses the sign-in", "9 calls", "Example Summit", "48,211", "3 over the limit", "Cannot be shown", "Give an IANA time zone", "page from data read", "Its picture cannot be shown", "Its server answers 404", "10 min ago", "50,000", "<b>48,211</b> invited", "<b>14,480</b> opened", "<b>91</b> sent a form", "<b>75</b> registered", "<b>70</b> in Salesforce", "<b>2</b> parked", "<b>2</b> on the way", "<b>12</b> in line", "<b>1</b> dismissed", "<b>5</b> cancelled", "<b>31</b> not coming", "guests included"}},
		{"/console/orgs/lumen/parked", 200, []string{"Queen of &lt;everything&gt;", "STRING_TOO_LONG", "To meet people.", "old answer", "Retry all 3", "ada@example.com", "cannot be read any more", "publish its event again", "out of the Recycle Bin"}},
		{"/console/orgs/lumen/parked?sent=1", 200, []string{"1 registration is on the way"}},
		{"/console/orgs/lumen/parked/0f9k3e", 200, []string{`value="Queen of &lt;everything&gt;"`, "kosher (not in the list any more)", `name="guests.1.first_name"`, `type="date"`, "And for lunch.", `<option value="std" selected>`, "Only if the answer to “Shirt size” is S or M.", "Saving leaves this out", "old answer"}},
		{"/console/orgs/lumen/parked/0f9k3f", 409, []string{"not published"}},
		{"/console/orgs/lumen/parked/0f9k3g", 410, []string{"deleted"}},
		{"/console/orgs/lumen/parked/nothing", 404, []string{"not any more"}},
		{"/console/orgs/lumen/forget", 200, []string{"Forget this person at Lumen Foundation"}},
		{"/console/orgs/nobody", 404, []string{"no such org"}},
		{"/console/nothing", 404, []string{"no such page"}},
	}
	for _, test := range tests {
		o := newOperator()
		w := send(o.handler(t), "GET", test.path, nil)
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", test.path, w.Code, test.want)
		}
		for _, text := range test.says {
			if !strings.Contains(w.Body.String(), text) {
				t.Errorf("%s does not say %q", test.path, text)
			}
		}
		if len(o.calls) > 0 {
			t.Errorf("P12: %s did %v", test.path, o.calls)
		}
		if h := w.Header(); !strings.Contains(h.Get("Cache-Control"), "no-store") || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %v", test.path, h)
		}
		if live := strings.Contains(test.path, "live"); (w.Header().Get("Refresh") == "15") != live {
			t.Errorf("%s refreshes after %q", test.path, w.Header().Get("Refresh"))
		}
		checkPage(t, test.path, w.Body.String())
	}
}

// TestPastEventsAreAside: events that are off the pages are out of the way, but for those
// that somebody has something to do with.
func TestPastEventsAreAside(t *testing.T) {
	o := newOperator()
	left := &oversight.Funnel{Registered: ptr(3), Delivered: ptr(2), Parked: ptr(0), Dismissed: ptr(0), Waitlisted: ptr(0), Cancelled: ptr(0), Declined: ptr(0)}
	done := &oversight.Funnel{Registered: ptr(3), Delivered: ptr(3), Parked: ptr(0), Dismissed: ptr(0), Waitlisted: ptr(0), Cancelled: ptr(0), Declined: ptr(0)}
	refused := &oversight.Funnel{Registered: ptr(3), Delivered: ptr(2), Parked: ptr(1), Dismissed: ptr(0), Waitlisted: ptr(0), Cancelled: ptr(0), Declined: ptr(0)}
	o.events = append(o.events, oversight.Event{ID: "e-left", Funnel: left}, oversight.Event{ID: "e-done", Funnel: done}, oversight.Event{ID: "e-refused", Funnel: refused})
	page, aside, ok := strings.Cut(send(o.handler(t), "GET", "/console/orgs/lumen", nil).Body.String(), `<details class="past">`)
	if !ok || !strings.Contains(aside, "2 events that are not published") {
		t.Fatal("nothing is aside")
	}
	for id, past := range map[string]bool{"e-left": false, "e-refused": false, "e-done": true, "a01000000000003AAA": true, "a01000000000002AAA": false} {
		if strings.Contains(aside, `"e-`+id+`"`) != past || strings.Contains(page, `"e-`+id+`"`) == past {
			t.Errorf("%s is aside: %v", id, !past)
		}
	}
}

// A page on a wall comes back by itself after what went wrong.
func TestLivePageOutlivesTrouble(t *testing.T) {
	o := newOperator()
	o.fails = turnout.Wrap(turnout.CodeUnavailable, "list orgs", errors.New("busy"))
	w := send(o.handler(t), "GET", "/console/?live", nil)
	if w.Code != 503 || w.Header().Get("Refresh") != "15" || !strings.Contains(w.Body.String(), "Stop refreshing") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := send(o.handler(t), "POST", "/console/orgs/acme/parked/retry?live", nil); w.Header().Get("Refresh") != "" {
		t.Error("what a POST answers must not be fetched again")
	}
}

// An org that nobody reads is worth a look, whichever instance has the turn.
func TestDeadMirrorShowsEverywhere(t *testing.T) {
	page := send(newOperator().handler(t), "GET", "/console/", nil).Body.String()
	row := page[strings.Index(page, "Quiet Choir"):]
	if !strings.Contains(row[:strings.Index(row, "</th>")], "worth a look") || strings.Index(page, "Quiet Choir") > strings.Index(page, "Orchard") {
		t.Error("it is not worth a look")
	}
}

func TestAssets(t *testing.T) {
	h := newOperator().handler(t)
	page := send(h, "GET", "/console/", nil).Body.String()
	for name, kind := range map[string]string{"icon.svg": "image/svg+xml", "console.css": "text/css; charset=utf-8"} {
		at := strings.Index(page, "/console/assets/"+name)
		if at < 0 {
			t.Fatalf("no page asks for %s", name)
		}
		address, _, _ := strings.Cut(page[at:], `"`)
		w := send(h, "GET", address, nil)
		if w.Code != 200 || w.Header().Get("Content-Type") != kind || w.Body.Len() == 0 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", address, w.Code, w.Header())
		}
	}
	if w := send(h, "GET", "/console/assets/other", nil); w.Code != 404 {
		t.Errorf("another asset: %d", w.Code)
	}
}

// checkPage holds a page to what every page must have: a language, one title
// and one first heading, a label for every field, nothing from elsewhere, no
// script, no inline style, no id twice and none that leads nowhere.
func checkPage(t *testing.T, path, page string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	count, ids, labels, fields := map[string]int{}, map[string]int{}, map[string]bool{}, []string{}
	var described []string // ids that something leads to
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		count[n.Data]++
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
		}
		if id, ok := attr["id"]; ok {
			ids[id]++
		}
		if n.Data == "label" {
			labels[attr["for"]] = true
		}
		inLabel := n.Parent != nil && n.Parent.Data == "label"
		if (n.Data == "input" || n.Data == "select" || n.Data == "textarea") && attr["type"] != "hidden" && !inLabel {
			fields = append(fields, attr["id"])
		}
		described = append(described, strings.Fields(attr["aria-describedby"])...)
		described = append(described, strings.Fields(attr["aria-labelledby"])...)
		if link, ok := strings.CutPrefix(attr["href"], "#"); ok {
			described = append(described, link)
		}
		if n.Data == "html" && attr["lang"] == "" {
			t.Errorf("%s has no language", path)
		}
		for _, key := range []string{"href", "src", "action"} {
			if v := attr[key]; v != "" && !strings.HasPrefix(v, "/console/") && !strings.HasPrefix(v, "#") && !strings.HasPrefix(v, "/admin/") {
				t.Errorf("%s leads to %s", path, v)
			}
		}
		if attr["style"] != "" || attr["onclick"] != "" {
			t.Errorf("%s has inline style or script", path)
		}
	}
	if count["h1"] != 1 || count["title"] != 1 || count["main"] != 1 || count["script"] != 0 || count["style"] != 0 {
		t.Errorf("%s: %v", path, count)
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%s has %d of #%s", path, n, id)
		}
	}
	for _, id := range described {
		if ids[id] == 0 {
			t.Errorf("%s leads to #%s, which is not there", path, id)
		}
	}
	for _, id := range fields {
		if !labels[id] {
			t.Errorf("%s: field %q has no label", path, id)
		}
	}
}

func TestTroubleComesFirst(t *testing.T) {
	page := send(newOperator().handler(t), "GET", "/console/", nil).Body.String()
	if strings.Index(page, "Lumen") > strings.Index(page, "Acme") || strings.Index(page, "Acme") > strings.Index(page, "Orchard") {
		t.Error("the order is wrong")
	}
}

func TestRetry(t *testing.T) {
	for path, want := range map[string]string{"/console/orgs/acme/parked/retry": "retry acme ", "/console/orgs/acme/parked/0f9k3e/retry": "retry acme 0f9k3e"} {
		o := newOperator()
		w := send(o.handler(t), "POST", path, nil)
		if w.Code != 303 || w.Header().Get("Location") != "/console/orgs/acme/parked?sent=3" || !slices.Equal(o.calls, []string{want}) {
			t.Errorf("%s: %d %v %v", path, w.Code, w.Header(), o.calls)
		}
	}
	o := newOperator()
	if w := send(o.handler(t), "POST", "/console/orgs/acme/parked/%20/retry", nil); w.Code != 404 || len(o.calls) > 0 {
		t.Errorf("%d %v", w.Code, o.calls)
	}
}

// TestMigration: who watches a migration at night sees it, and what is in its way.
func TestMigration(t *testing.T) {
	o := newOperator()
	page := func(path string) string { return send(o.handler(t), "GET", path, nil).Body.String() }
	if p := page("/console/migration"); !strings.Contains(p, "No migration is planned") {
		t.Error(p)
	}
	if p := page("/console/"); strings.Contains(p, "Migration") {
		t.Error("the overview tells of a migration that is not there")
	}
	o.moves = oversight.Migration{Summary: "1 waiting, 1 moved, 1 rolled back", Note: "an edge looked 4s ago", Orgs: []oversight.Moving{
		{Org: "acme", Name: "Acme <Events>", Wave: 1, To: "green", State: turnout.MoveDone, When: "since 2027-02-01 02:10 CET"},
		{Org: "lumen", Name: "Lumen", Wave: 2, From: "blue", To: "green", State: turnout.MoveWaiting, When: "as soon as it can: no instance of stack green is up", Hindered: true},
		{Org: "quiet", Name: "Quiet Choir", Wave: 2, From: "blue", To: "green", State: turnout.MoveBack, When: "since 2027-02-01 02:20 CET"},
	}}
	for path, wants := range map[string][]string{
		"/console/":           {`class="notice bad"`, "1 waiting, 1 moved, 1 rolled back, 1 hindered"},
		"/console/migration":  {"an edge looked 4s ago", "the first stack", "Acme &lt;Events&gt;", "no instance of stack green is up", "Hindered", "Rolled back", "turnout migrate rollback"},
		"/console/orgs/lumen": {", wave 2</h3><p>From blue to green: hindered, as soon as it can: no instance of stack green is up."},
		"/console/orgs/acme":  {"since 2027-02-01 02:10 CET"},
	} {
		for _, want := range wants {
			if p := page(path); !strings.Contains(p, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
	}
	if p := page("/console/orgs/orchard"); strings.Contains(p, ", wave") {
		t.Error("an org that stays has a wave")
	}
	o.fails = turnout.Errorf(turnout.CodeUnavailable, "x", "")
	if w := send(o.handler(t), "GET", "/console/migration", nil); w.Code != 503 {
		t.Errorf("%d", w.Code)
	}
}

// TestDismiss: a person says what becomes of the place, and nothing is decided by a link.
func TestDismiss(t *testing.T) {
	const path = "/console/orgs/lumen/parked/0f9k3e/dismiss"
	o := newOperator()
	page := send(o.handler(t), "GET", path, nil).Body.String()
	for _, text := range []string{"STRING_TOO_LONG", "ada@example.com", `value="keep">Dismiss and keep the place`, `value="cancel">Cancel the registration`} {
		if !strings.Contains(page, text) {
			t.Errorf("the question lacks %q", text)
		}
	}
	for place, want := range map[string]string{"keep": "dismiss lumen 0f9k3e false", "cancel": "dismiss lumen 0f9k3e true"} {
		o := newOperator()
		w := send(o.handler(t), "POST", path, url.Values{"place": {place}})
		to := w.Header().Get("Location")
		if w.Code != 303 || !slices.Equal(o.calls, []string{want}) || !strings.HasPrefix(to, "/console/orgs/lumen/parked?done=") {
			t.Errorf("%s: %d to %s, %v", place, w.Code, to, o.calls)
		}
		if page := send(o.handler(t), "GET", to, nil).Body.String(); !strings.Contains(page, `role="status">The registration is `) {
			t.Errorf("%s: nothing says that it is done", place)
		}
	}
	if w := send(o.handler(t), "POST", path, nil); w.Code != 400 || len(o.calls) > 0 {
		t.Errorf("without a word of the place: %d, %v", w.Code, o.calls)
	}
	if w := send(o.handler(t), "GET", "/console/orgs/lumen/parked/nothing/dismiss", nil); w.Code != 404 {
		t.Errorf("one that is not parked: %d", w.Code)
	}
	if page := send(o.handler(t), "GET", "/console/orgs/lumen/parked?dismissed", nil).Body.String(); !strings.Contains(page, "Nothing was dismissed") || strings.Contains(page, "Retry all") {
		t.Error(page)
	}
	o.dismissed = []oversight.Parked{o.parked[0]}
	o.dismissed[0].Dismissed = noon.Add(-time.Minute)
	if page := send(o.handler(t), "GET", "/console/orgs/lumen/parked?dismissed", nil).Body.String(); !strings.Contains(page, "60 s ago") || !strings.Contains(page, "/retry") || strings.Contains(page, "/dismiss") {
		t.Error(page)
	}
}

func TestAmend(t *testing.T) {
	form := url.Values{
		"first_name": {"Ada"}, "last_name": {"Example"}, "title": {"Queen"}, "ticket": {"vip"}, "agenda": {"lunch"}, "email": {"other@example.com"},
		"guests.0.first_name": {""}, "guests.1.first_name": {"Di"}, "guests.1.last_name": {"Example"}, "answers.diet": {"vegan"}, "answers.why": {" "},
	}
	o := newOperator()
	w := send(o.handler(t), "POST", "/console/orgs/lumen/parked/0f9k3e", form)
	if w.Code != 303 || w.Header().Get("Location") != "/console/orgs/lumen/parked?sent=1" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if d := o.amended; d.Person.Title != "Queen" || d.Person.Email != "ada@example.com" || d.Ticket != "vip" || len(d.Guests) != 1 || len(d.Answers) != 1 {
		t.Errorf("%+v", o.amended)
	}

	o.fails = &turnout.Error{Code: turnout.CodeInvalid, Fields: []turnout.FieldError{{Field: "title", Message: "Shorten the job title"}}}
	w = send(o.handler(t), "POST", "/console/orgs/lumen/parked/0f9k3e", form)
	for _, text := range []string{"<title>Error: ", "There is a problem", `href="#f-title"`, `value="Queen"`, `value="Di"`, `aria-invalid="true"`} {
		if w.Code != 422 || !strings.Contains(w.Body.String(), text) {
			t.Errorf("%d, without %q", w.Code, text)
		}
	}
	checkPage(t, "amend with faults", w.Body.String())
}

// Faults are written for registrants; an operator amends what somebody else typed.
func TestAmendSpeaksOfTheRegistrant(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for name, d := range map[string]turnout.Details{
		"empty": {},
		"long": {Person: turnout.Person{FirstName: long, LastName: long, Title: long, Company: long, Email: "ada@example.com"}, Ticket: "std",
			Guests: []turnout.Guest{{}, {FirstName: long}}, Answers: turnout.Answers{"why": {long}, "diet": {"air"}, "size": {"S"}, "gone": {"old"}}},
		"strange": {Person: turnout.Person{FirstName: "\x00", LastName: "\u202e", Title: "\x07", Company: "\x07", Email: "ada"}, Guests: make([]turnout.Guest, 9), Answers: turnout.Answers{"day": {"soon"}, "size": {"M"}}},
	} {
		_, err := summit.Check(d)
		if turnout.CodeOf(err) != turnout.CodeInvalid {
			t.Fatal(name, err)
		}
		o := newOperator()
		o.fails = err
		page := send(o.handler(t), "POST", "/console/orgs/lumen/parked/0f9k3e", url.Values{"first_name": {"Ada"}}).Body.String()
		summary, _, _ := strings.Cut(page[strings.Index(page, "There is a problem"):], "</div>")
		for _, word := range []string{"your ", "Bring "} {
			if strings.Contains(summary, word) {
				t.Errorf("%s: %q in %s", name, word, summary)
			}
		}
		if strings.Count(summary, "<li>") != len(turnout.FieldsOf(err)) {
			t.Errorf("%s: not every fault is told: %s", name, summary)
		}
		checkPage(t, "amend "+name, page)
	}
}

func TestForget(t *testing.T) {
	o := newOperator()
	h := o.handler(t)
	for _, form := range []url.Values{{}, {"email": {"ada"}, "sure": {"yes"}}, {"email": {"ada@example.com"}}} {
		w := send(h, "POST", "/console/orgs/acme/forget", form)
		if w.Code != 422 || len(o.calls) > 0 || !strings.Contains(w.Body.String(), "There is a problem") {
			t.Errorf("%v: %d %v", form, w.Code, o.calls)
		}
		checkPage(t, "forget with faults", w.Body.String())
	}
	w := send(h, "POST", "/console/orgs/acme/forget", url.Values{"email": {"ada@example.com"}, "sure": {"yes"}})
	if w.Code != 200 || !slices.Equal(o.calls, []string{"forget acme ada@example.com"}) || !strings.Contains(w.Body.String(), "4f1c9a02b7de") || !strings.Contains(w.Body.String(), "Records in Salesforce stay as they are") {
		t.Errorf("%d %v", w.Code, o.calls)
	}
	if strings.Contains(w.Body.String(), "ada@") {
		t.Error("P8: the receipt says who it was")
	}
	checkPage(t, "receipt", w.Body.String())
}

func TestP8LogsHoldNothingPersonal(t *testing.T) {
	o := newOperator()
	o.fails = turnout.Wrap(turnout.CodeInternal, "forget person", errors.New("disk"))
	w := send(o.handler(t), "POST", "/console/orgs/acme/forget", url.Values{"email": {"ada@example.com"}, "sure": {"yes"}})
	if w.Code != 500 || o.log.Len() == 0 || strings.Contains(o.log.String(), "ada") || strings.Contains(w.Body.String(), "ada@") {
		t.Errorf("%d %s", w.Code, o.log.String())
	}
}

func TestAnotherSitesPageMayNothing(t *testing.T) {
	o := newOperator()
	if w := send(o.handler(t), "POST", "/console/orgs/acme/parked/retry", nil, "Sec-Fetch-Site: cross-site"); w.Code != 403 || len(o.calls) > 0 {
		t.Errorf("%d %v", w.Code, o.calls)
	}
}

func FuzzAmend(f *testing.F) {
	f.Add("first_name=Ada&guests.0.first_name=%00&answers.diet=a&answers.diet=b")
	f.Add("%zz=&answers.=\xff")
	o := newOperator()
	o.fails = &turnout.Error{Code: turnout.CodeInvalid, Fields: []turnout.FieldError{{Field: "title", Message: "No"}}}
	h := o.handler(f)
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", "/console/orgs/lumen/parked/0f9k3e", strings.NewReader(body))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 422 && w.Code != 400 && w.Code != 413 {
			t.Errorf("%q: %d", body, w.Code)
		}
	})
}

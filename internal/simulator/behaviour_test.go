package simulator

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/hooks"
	"github.com/turnout-events/turnout/internal/simulator/tally"
)

// One key twice in a call fails both rows: our batcher must not do it (P1).
func TestOneKeyTwiceInACallFailsBoth(t *testing.T) {
	o := open(t, Options{})
	o.event("fair")
	body := strings.ReplaceAll(registrations("fair", 0, 3, false), "key-1", "key-0")
	text := o.want("PATCH", upsertPath, body, 200, `"Duplicate external id specified: key-0"`)
	if strings.Count(text, `"success":false`) != 2 || strings.Count(text, `"success":true`) != 1 {
		t.Fatal(text)
	}
	o.want("GET", "/_sim/stats", "", 200, `"duplicates":2`)
}

func TestAllOrNone(t *testing.T) {
	o := open(t, Options{})
	o.event("fair")
	body := strings.Replace(registrations("fair", 0, 4, true), "p2@example.com", "nobody", 1)
	text := o.want("PATCH", upsertPath, body, 200, "INVALID_EMAIL_ADDRESS")
	if strings.Count(text, "ALL_OR_NONE_OPERATION_ROLLED_BACK") != 3 || strings.Count(text, `"created":true`) != 4 || strings.Contains(text, `"id"`) {
		t.Fatal(text)
	}
	o.want("GET", "/_sim/stats", "", 200, `"Turnout_Registration__c":0`)
	o.want("PATCH", upsertPath, registrations("fair", 0, 4, true), 200, `"success":true`)
}

// Two calls in flight at one parent: the second meets the row lock (P4).
func TestCallsAtOneParentMeetTheRowLock(t *testing.T) {
	o := open(t, Options{})
	o.event("fair")
	o.event("other")
	o.want("PUT", "/_sim/faults", `{"latency_ms":400}`, 200, `"latency_ms":400`)
	bodies := []string{registrations("fair", 0, 5, false), registrations("fair", 100, 5, false), registrations("other", 200, 5, false)}
	answers := make([]string, len(bodies))
	var group sync.WaitGroup
	for i, body := range bodies {
		group.Go(func() { _, answers[i], _ = o.do("PATCH", upsertPath, body) })
	}
	group.Wait()
	if !strings.Contains(answers[2], `"success":true`) {
		t.Errorf("another parent's call was refused: %s", answers[2])
	}
	refused := 0
	for _, answer := range answers[:2] {
		refused += strings.Count(answer, "unable to obtain exclusive access to this record or 1 records: a00")
	}
	if refused != 5 {
		t.Errorf("%d rows met the lock, not 5: %v", refused, answers)
	}
	o.want("GET", "/_sim/stats", "", 200, `"max_in_flight_per_parent":2`)
}

func TestFaults(t *testing.T) {
	o := open(t, Options{})
	o.event("fair")
	set := func(body, want string) { t.Helper(); o.want("PUT", "/_sim/faults", body, 200, want) }

	set(`{"outage_seconds":60}`, `"outage_seconds":`)
	o.want("GET", api+"/limits", "", 503, "<html>")
	o.want("POST", "/services/oauth2/token", "", 503, "<html>")
	set(`{}`, `"outage_seconds":0`)

	set(`{"error_rate":1}`, "")
	if status, body, _ := o.do("GET", api+"/limits", ""); status < 400 || strings.Contains(body, "DailyApi") {
		t.Errorf("error rate: %d %s", status, body)
	}
	set(`{"lose_reply_rate":1}`, "")
	if status, _, _ := o.do("PATCH", upsertPath, registrations("fair", 0, 2, false)); status != 0 {
		t.Errorf("the reply was not lost: %d", status)
	}
	set(`{}`, "")
	o.want("PATCH", upsertPath, registrations("fair", 0, 2, false), 200, `"created":false`) // the write had been done

	set(`{"lock_rate":1}`, "")
	o.want("PATCH", upsertPath, registrations("fair", 0, 2, false), 200, "UNABLE_TO_LOCK_ROW")
	o.want("GET", "/_sim/stats", "", 200, `"lost_replies":1,"lock_refusals":1`)
	set(`{"reject":{"Last_Name__c":"Lindenwood"}}`, `"field":"Last_Name__c"`)
	o.want("PATCH", upsertPath, registrations("fair", 0, 2, false), 200, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
	set(`{"reject":[{"field":"Email__c","value":"p1@example.com","code":"DUPLICATES_DETECTED","message":"Use one of these records?"}]}`, "")
	o.want("PATCH", upsertPath, registrations("fair", 0, 2, false), 200, `"errors":[{"statusCode":"DUPLICATES_DETECTED","message":"Use one of these records?"`)

	set(`{"daily_limit":1}`, "")
	o.want("GET", api+"/limits", "", 403, `"errorCode":"REQUEST_LIMIT_EXCEEDED"`)
	set(`{"expire_tokens":true}`, "")
	o.want("GET", api+"/limits", "", 401, "INVALID_SESSION_ID")
	o.login()
	o.want("GET", api+"/limits", "", 200, "DailyApiRequests")

	for _, bad := range []string{`{"latency":1}`, `{"error_rate":2}`, `[]`, ``, `{} {}`, `{"reject":[{"value":"x"}]}`} {
		o.want("PUT", "/_sim/faults", bad, 400, `{"error":"`)
	}
}

// A key that ends like a file's name is not found by address, though it is there.
func TestKeysLikeFilesAreNotFound(t *testing.T) {
	o := open(t, Options{})
	for _, key := range []string{"a.inc", "a@b.inc", "a.JSON"} {
		o.want("PATCH", api+"/sobjects/Turnout_Event__c/Public_Id__c/"+key, `{"Name":"x"}`, 404, "NOT_FOUND")
	}
	for _, key := range []string{"a.1", "a.b", "v1.longer", "inc", "a."} {
		o.want("PATCH", api+"/sobjects/Turnout_Event__c/Public_Id__c/"+key, `{"Name":"x"}`, 201, `"created":true`)
		o.want("GET", api+"/sobjects/Turnout_Event__c/Public_Id__c/"+key, "", 200, key)
	}
	o.want("PATCH", api+"/composite/sobjects/Turnout_Event__c/Public_Id__c",
		`{"records":[{"attributes":{"type":"Turnout_Event__c"},"Name":"x","Public_Id__c":"a.inc"}]}`, 200, `"created":true`)
}

// A body that says it is something else than JSON is not read.
func TestMediaTypes(t *testing.T) {
	o := open(t, Options{})
	for kind, status := range map[string]int{
		"application/json": 201, "application/json; charset=UTF-8": 201, "Application/JSON": 201,
		"text/plain": 415, "application/x-www-form-urlencoded": 415, "text/csv": 415, "application/xml": 415, ";": 415,
	} {
		got, body, _ := o.do("POST", api+"/sobjects/Lead", `{"LastName":"Fern","Company":"Example"}`, "Content-Type", kind)
		if got != status || status == 415 && !strings.Contains(body, `"errorCode":"UNSUPPORTED_MEDIA_TYPE"`) {
			t.Errorf("%q: %d %s", kind, got, body)
		}
	}
	if got, _, _ := o.do("GET", api+"/limits", "", "Content-Type", "text/plain"); got != 200 {
		t.Errorf("without a body: %d", got)
	}
}

// Clients that are not tidy are served all the same.
func TestUntidyClients(t *testing.T) {
	o := open(t, Options{})
	o.create("Turnout_Event__c", `{"attributes":{"type":"Turnout_Event__c"},"Name":"Slashed","Public_Id__c":"a/b.c d?"}`)
	o.want("GET", "//services/data//v65.0/sobjects/Turnout_Event__c/Public_Id__c/a%2Fb.c%20d%3F", "", 200, `"Name":"Slashed"`)
	o.want("PATCH", api+"/sobjects/Turnout_Event__c/Public_Id__c/a%2Fb.c%20d%3F", `{"Venue__c":"Hall"}`, 200, `"created":false`)
	o.want("PATCH", "/services/data/v45.0/sobjects/Turnout_Event__c/Public_Id__c/a%2Fb.c%20d%3F", `{"Venue__c":"Hall"}`, 204, "")
	o.want("GET", api+"/query/?q=SELECT+Id+FROM+Organization", "", 200, `"totalSize":1`)

	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	fmt.Fprint(w, `{"Name":"Packed"}`)
	_ = w.Close()
	if status, body, _ := o.do("POST", api+"/sobjects/Turnout_Event__c/", packed.String(), "Content-Encoding", "gzip"); status != 201 {
		t.Errorf("gzip: %d %s", status, body)
	}
	// Some clients announce gzip on every request, those without a body too.
	if status, body, _ := o.do("GET", api+"/limits", "", "Content-Encoding", "gzip"); status != 200 {
		t.Errorf("gzip without a body: %d %s", status, body)
	}
	if status, body, _ := o.do("POST", api+"/sobjects/Lead", "not packed", "Content-Encoding", "gzip"); status != 400 {
		t.Errorf("gzip that is none: %d %s", status, body)
	}
	request, _ := http.NewRequest("POST", o.url+api+"/sobjects/Turnout_Event__c/", io.MultiReader(strings.NewReader(`{"Name":`), strings.NewReader(`"Chunked"}`)))
	request.Header.Set("Authorization", "Bearer "+o.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != 201 {
		t.Fatalf("chunked: %v %v", response, err)
	}
	_ = response.Body.Close()
	_, _, header := o.do("GET", api+"/limits", "")
	if !strings.HasPrefix(header.Get("Sforce-Limit-Info"), "api-usage=") {
		t.Error("no Sforce-Limit-Info")
	}
}

func TestComposite(t *testing.T) {
	o := open(t, Options{})
	body := func(allOrNone bool, email string) string {
		return fmt.Sprintf(`{"allOrNone":%v,"compositeRequest":[
		{"method":"POST","url":"%s/sobjects/Lead","referenceId":"lead","body":{"LastName":"Ferncastle","Company":"Example"}},
		{"method":"GET","url":"%s/sobjects/Lead/@{lead.id}?fields=Name","referenceId":"read"},
		{"method":"PATCH","url":"%s/sobjects/Lead/@{read.attributes.url}","referenceId":"odd","body":{}},
		{"method":"POST","url":"%s/sobjects/Contact","referenceId":"contact","body":{"LastName":"@{read.Name}","Email":%q}}]}`, allOrNone, api, api, api, api, email)
	}
	text := o.want("POST", api+"/composite", body(false, "a@example.com"), 200, `"Name":"Ferncastle"`)
	if !strings.Contains(text, `"httpStatusCode":201,"referenceId":"contact"`) || !strings.Contains(text, `"Location":"`+api) {
		t.Fatal(text)
	}
	o.want("POST", api+"/composite", body(true, "a@example.com"), 200, "PROCESSING_HALTED")
	o.want("GET", "/_sim/stats", "", 200, `"Lead":1`)
	o.want("POST", api+"/composite", `{"compositeRequest":[{"method":"GET","url":"/","referenceId":"no good"}]}`, 400, "referenceId")
}

// A cursor pages through everything once, and the poll by stamp sees what is new.
func TestQueryPagesAndPolls(t *testing.T) {
	o := open(t, Options{})
	o.want("POST", "/_sim/seed", `{"events":2,"links":2500}`, 200, `"link_count":2500`)
	body, seen := o.soql("SELECT Token__c FROM Turnout_Link__c"), map[string]bool{}
	for {
		var page struct {
			Next    string `json:"nextRecordsUrl"`
			Done    bool   `json:"done"`
			Records []struct {
				Token string `json:"Token__c"`
			}
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			seen[r.Token] = true
		}
		if page.Done {
			break
		}
		body = o.want("GET", page.Next, "", 200, "records")
	}
	if len(seen) != 2500 {
		t.Errorf("%d links seen", len(seen))
	}
	last := o.soql("SELECT SystemModstamp FROM Turnout_Link__c ORDER BY SystemModstamp DESC LIMIT 1")
	_, stamp, _ := strings.Cut(last, `"SystemModstamp":"`)
	stamp = stamp[:23] + "Z"
	id := o.create("Turnout_Link__c", `{"Token__c":"fresh"}`)
	if body := o.soql("SELECT Id FROM Turnout_Link__c WHERE SystemModstamp >= " + stamp + " AND Token__c = 'fresh'"); !strings.Contains(body, id) {
		t.Errorf("the poll missed the new link: %s", body)
	}
	// Slices by Id see every record once, too.
	slices, after := 0, ""
	for {
		where := ""
		if after != "" {
			where = " WHERE Id > '" + after + "'"
		}
		body := o.soql("SELECT Id FROM Turnout_Link__c" + where + " ORDER BY Id LIMIT 400")
		n := strings.Count(body, `"Id":"`)
		if slices += n; n < 400 {
			break
		}
		after = body[strings.LastIndex(body, `"Id":"`)+6:][:18]
	}
	if slices != 2501 {
		t.Errorf("%d links in slices by Id", slices)
	}
	grouped := o.soql("SELECT Event__c, COUNT(Id) n FROM Turnout_Link__c GROUP BY Event__c ORDER BY COUNT(Id) DESC")
	if !strings.Contains(grouped, `"n":1250`) || !strings.Contains(grouped, "AggregateResult") {
		t.Errorf("grouped: %s", grouped)
	}
}

// Restarting from the directory brings back what was answered, a torn tail or
// a missing snapshot notwithstanding.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	first := open(t, Options{Dir: dir})
	first.event("fair")
	first.want("PATCH", upsertPath, registrations("fair", 0, 7, false), 200, `"created":true`)
	id := first.create("Lead", `{"LastName":"Gone","Company":"Example"}`)
	first.want("DELETE", api+"/sobjects/Lead/"+id, "", 204, "")
	before := first.soql("SELECT FIELDS(ALL) FROM Turnout_Registration__c LIMIT 200")

	killed := open(t, Options{Dir: dir}) // the first one was not closed
	if after := killed.soql("SELECT FIELDS(ALL) FROM Turnout_Registration__c LIMIT 200"); after != before {
		t.Errorf("before %s\nafter  %s", before, after)
	}
	killed.want("DELETE", api+"/sobjects/Lead/"+id, "", 404, "ENTITY_IS_DELETED")
	killed.want("PATCH", upsertPath, registrations("fair", 0, 7, false), 200, `"created":false`)
	if err := killed.sim.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Options{Dir: dir})
	again.want("GET", "/_sim/stats", "", 200, `"Turnout_Registration__c":7`)
}

// Counters go on after a restart, and the API usage is that of the last 24
// hours, whenever the org was asked.
func TestCountersSurviveARestart(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	var later atomic.Int64
	clock := func() time.Time { return now.Add(time.Duration(later.Load())) }
	first := open(t, Options{Dir: dir, Now: clock})
	first.event("fair")
	for range 4 {
		first.soql("SELECT Id FROM Lead")
	}
	if err := first.sim.Close(); err != nil {
		t.Fatal(err)
	}
	later.Store(int64(20 * time.Hour))
	second := open(t, Options{Dir: dir, Now: clock})
	second.soql("SELECT Id FROM Lead")
	stats := second.want("GET", "/_sim/stats", "", 200, `"query":5`)
	if !strings.Contains(stats, `"api_usage":6`) {
		t.Error(stats)
	}
	if err := second.sim.Close(); err != nil {
		t.Fatal(err)
	}
	later.Store(int64(30 * time.Hour))
	third := open(t, Options{Dir: dir, Now: clock})
	stats = third.want("GET", "/_sim/stats", "", 200, `"query":5`)
	if !strings.Contains(stats, `"api_usage":1`) {
		t.Error(stats)
	}
	third.want("DELETE", "/_sim/stats", "", 204, "")
	if err := third.sim.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Options{Dir: dir, Now: clock}).want("GET", "/_sim/stats", "", 200, `"api_usage":0`)
}

// A simulator that is killed loses a second's counts at most, and one whose
// counters are damaged counts anew.
func TestCountersAreKeptAsTheyGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s, err := New(Options{Dir: dir})
		if err == nil {
			err = s.Open(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		s.meter.count("query")
		<-time.After(time.Second)
		synctest.Wait()
		if counts, err := tally.Load(dir); err != nil || counts.Calls["query"] != 1 {
			t.Errorf("%+v, %v", counts, err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "counters.json"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err = New(Options{Dir: dir})
		if err == nil {
			err = s.Open(t.Context())
		}
		if err != nil || s.meter.stats().Calls["query"] != 0 {
			t.Fatalf("damaged counters: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// The buttons change the record and send every hook a signed hint (P5).
func TestButtonsSendSignedHints(t *testing.T) {
	type got struct {
		body      string
		signature string
	}
	arrived := make(chan got, 4)
	var calls atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable) // away: it is tried again
			return
		}
		arrived <- got{string(body), r.Header.Get("Turnout-Signature")}
	}))
	defer receiver.Close()
	o := open(t, Options{Hooks: []Hook{{URL: receiver.URL, Secret: "k1"}}})
	id := o.event("fair")
	o.want("POST", "/_sim/events/fair/unpublish", "", 200, id)
	hint := <-arrived
	if hint.body != `{"type":"event.unpublished","ids":["`+id+`"]}` {
		t.Errorf("body %s", hint.body)
	}
	var at int64
	if _, err := fmt.Sscanf(hint.signature, "t=%d,v1=", &at); err != nil || hint.signature != hooks.Sign("k1", time.Unix(at, 0), []byte(hint.body)) {
		t.Errorf("signature %s", hint.signature)
	}
	if body := o.soql("SELECT Status__c FROM Turnout_Event__c"); !strings.Contains(body, `"Unpublished"`) {
		t.Errorf("the event is still there: %s", body)
	}
	o.want("POST", "/_sim/events/nothing/publish", "", 404, "there is no event")
	o.want("POST", "/_sim/events/fair/press", "", 400, "the buttons are")
}

func TestControlRecords(t *testing.T) {
	o := open(t, Options{})
	o.event("fair")
	o.want("PATCH", upsertPath, registrations("fair", 0, 5, false), 200, "")
	text := o.want("GET", "/_sim/records/Turnout_Registration__c?limit=2&offset=1&Status__c=Registered", "", 200, `"Idempotency_Key__c":"key-1"`)
	var list []map[string]any
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) != 2 {
		t.Fatalf("%v: %s", err, text)
	}
	o.want("GET", "/_sim/records/Turnout_Registration__c?Idempotency_Key__c=key-4", "", 200, `"key-4"`)
	o.want("GET", "/_sim/records/Nothing", "", 404, `{"error":`)
	o.want("GET", "/_sim/records/Lead?Nope=1", "", 400, `{"error":`)
	o.want("POST", "/_sim/seed", `{"event":1}`, 400, `{"error":`)
	o.want("GET", "/_sim/nothing", "", 404, `{"error":`)
	o.want("POST", "/_sim/reset", "", 204, "")
	o.want("GET", "/_sim/stats", "", 200, `"Turnout_Registration__c":0`)
}

// A person edits a record on the page; the change is checked like any other.
func TestPages(t *testing.T) {
	o := open(t, Options{Sample: true})
	home := o.want("GET", "/", "", 200, "The Long Night of Lenses")
	if strings.Contains(home, "<script") || strings.Contains(home, "http://") && strings.Contains(home, `src="http`) {
		t.Error("the page loads something")
	}
	o.want("GET", "/objects/Turnout_Link__c?page=3", "", 200, "Older")
	id := o.create("Lead", `{"LastName":"Hazelgrove","Company":"<b>Example</b>"}`)
	o.want("GET", "/records/"+id, "", 200, "&lt;b&gt;Example&lt;/b&gt;")
	form := url.Values{"old:LastName": {"Hazelgrove"}, "new:LastName": {""}}
	status, body, _ := o.do("POST", "/records/"+id, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	for _, text := range []string{"<title>Error: ", "Required fields are missing: [LastName]", `href="#f-LastName"`, `id="f-LastName" name="new:LastName"  value="" aria-invalid="true" aria-describedby="f-LastName-error"`, `tabindex="-1" autofocus`} {
		if status != 422 || !strings.Contains(body, text) {
			t.Errorf("%d without %s", status, text)
		}
	}
	form.Set("new:LastName", "Larkspur")
	o.do("POST", "/records/"+id, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	o.want("GET", api+"/sobjects/Lead/"+id, "", 200, `"LastName":"Larkspur"`)
	status, _, _ = o.do("POST", "/records/"+id, form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site")
	if status != 403 {
		t.Errorf("a foreign site may press buttons: %d", status)
	}
}

// A form that is refused comes back as it was typed, and when it is sent once
// more it changes everything that was typed, not only what was wrong.
func TestRefusedRecordKeepsWhatWasTyped(t *testing.T) {
	o := open(t, Options{Sample: true})
	id := o.create("Turnout_Event__c", `{"Name":"Example","Slug__c":"example","Seats__c":10}`)
	form := url.Values{"old:Seats__c": {"10"}, "new:Seats__c": {"many"}, "old:Venue__c": {""}, "new:Venue__c": {"The barn"}}
	send := func(form url.Values) (int, string) {
		status, body, _ := o.do("POST", "/records/"+id, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		return status, body
	}
	status, body := send(form)
	for _, text := range []string{"Seats: write a number, like 12 or 12.5", `href="#f-Seats__c"`, `name="old:Venue__c" value=""`, `value="The barn"`, `name="old:Seats__c" value="10"`, `value="many"`} {
		if status != 422 || !strings.Contains(body, text) {
			t.Errorf("%d without %s", status, text)
		}
	}
	form.Set("new:Seats__c", "12")
	send(form)
	text := o.want("GET", api+"/sobjects/Turnout_Event__c/"+id, "", 200, `"Seats__c":12`)
	if !strings.Contains(text, `"Venue__c":"The barn"`) {
		t.Error("the venue was lost")
	}
}

// Who presses a button after typing loses nothing, and hears what became of it; what
// cannot be saved keeps the button from being pressed.
func TestButtonsOfARecordSaveFirst(t *testing.T) {
	arrived := make(chan string, 4)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- string(body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()
	o := open(t, Options{Hooks: []Hook{{URL: receiver.URL, Secret: "k1"}}})
	id := o.event("fair")
	if page := o.want("GET", "/records/"+id, "", 200, `form="record" formaction="/records/`+id+`/update"`); strings.Contains(page, `role="status"`) {
		t.Error("something is said before anything was done")
	}
	for _, c := range []struct {
		path, old, typed string
		status           int
		says, hint       string
	}{
		{"", "", "", 200, "Nothing was changed.", ""},
		{"", "", "The barn", 200, "Saved.", ""},
		{"/update", "The barn", "The loft", 200, "Saved, and the hint was sent: answered 202.", "event.updated"},
		{"/update", "The loft", "The loft", 200, "The hint was sent: answered 202.", "event.updated"},
		{"/unpublish", "The loft", "The yard", 200, "Saved and unpublished, and the hint was sent: answered 202.", "event.unpublished"},
		{"/publish", "The yard", "The yard", 200, "Published, and the hint was sent: answered 202.", "event.published"},
		{"/update", "The yard", strings.Repeat("x", 300), 422, "Nothing was saved", ""},
	} {
		form := url.Values{"old:Venue__c": {c.old}, "new:Venue__c": {c.typed}}
		status, body, _ := o.do("POST", "/records/"+id+c.path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		if status != c.status || !strings.Contains(body, ">"+c.says+"<") {
			t.Errorf("%s with %q: %d without %q", c.path, c.typed, status, c.says)
		}
		if c.hint != "" {
			if got := <-arrived; !strings.Contains(got, c.hint) {
				t.Errorf("%s sent %s, want %s", c.path, got, c.hint)
			}
		}
		if text := o.want("GET", api+"/sobjects/Turnout_Event__c/"+id, "", 200, ""); status == 200 && c.typed != "" && !strings.Contains(text, c.typed) {
			t.Errorf("%s lost %q", c.path, c.typed)
		}
	}
	if len(arrived) != 0 {
		t.Errorf("another hint: %s", <-arrived)
	}
}

// The faults form says what is wrong, loses nothing and changes nothing.
func TestRefusedFaultsStay(t *testing.T) {
	o := open(t, Options{})
	form := url.Values{"latency_ms": {"0"}, "error_rate": {"0.25"}, "reject": {"Last_Name__c=Nemo\nnonsense"}}
	status, body, _ := o.do("POST", "/faults", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	for _, text := range []string{"<title>Error: ", "write Field=value in line 2", `href="#f-reject"`, `aria-describedby="f-reject-error"`, "Last_Name__c=Nemo\nnonsense</textarea>", `value="0.25"`} {
		if status != 422 || !strings.Contains(body, text) {
			t.Errorf("%d without %s", status, text)
		}
	}
	if faults := (*person)(o.sim).FaultsJSON(); strings.Contains(faults, "0.25") || strings.Contains(faults, "Nemo") {
		t.Errorf("the faults changed: %s", faults)
	}
	form.Set("reject", "Last_Name__c=Nemo")
	o.do("POST", "/faults", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	if faults := (*person)(o.sim).FaultsJSON(); !strings.Contains(faults, "0.25") || !strings.Contains(faults, "Nemo") {
		t.Errorf("the faults are %s", faults)
	}
}

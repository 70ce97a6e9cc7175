package orgs

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
	"github.com/turnout-events/turnout/internal/salesforce/mapping"
)

// fake is a Salesforce with recorded shapes: it upserts by external id, and
// answers queries by what they begin with.
type fake struct {
	*httptest.Server
	mu      sync.Mutex
	rows    map[string]map[string]any // object/key to fields
	calls   []string
	queries []string
	lose    string // the object whose next reply gets lost, after the work
	refuse  func(object string, record map[string]any) string
	answers map[string]string // start of a query to its reply
	forbid  string            // the field that no query may name
}

func newFake(t *testing.T, name string, answers map[string]string) (*fake, *Org) {
	t.Helper()
	f := &fake{rows: map[string]map[string]any{}, answers: answers, refuse: func(string, map[string]any) string { return "" }}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	m, err := mapping.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Date(2027, 6, 1, 12, 0, 0, 0, time.UTC) }
	client := salesforce.New(salesforce.Options{
		Connection: turnout.Connection{LoginURL: f.URL, Flow: "client_credentials"}, PollEvery: time.Millisecond, Now: now,
	})
	return f, New(Options{Org: turnout.Org{ID: "acme"}, Mapping: m, Client: client, Now: now})
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Date", "Tue, 01 Jun 2027 12:00:00 GMT")
	path := strings.TrimPrefix(r.URL.Path, "/services/data/v65.0")
	f.calls = append(f.calls, r.Method+" "+path)
	switch {
	case path == "/services/oauth2/token":
		fmt.Fprintf(w, `{"access_token":"t","instance_url":%q}`, f.URL)
	case strings.HasSuffix(path, "/describe"):
		if f.answers[path] == "" {
			w.WriteHeader(404)
		}
		_, _ = io.WriteString(w, f.answers[path])
	case strings.HasPrefix(path, "/composite/sobjects"):
		f.collection(w, r, strings.Split(strings.TrimPrefix(path, "/composite/sobjects"), "/"))
	default:
		f.query(w, r, path)
	}
}

func (f *fake) query(w http.ResponseWriter, r *http.Request, path string) {
	q := r.URL.Query().Get("q")
	if len(r.URL.RequestURI()) > 16_000 {
		w.WriteHeader(414)
		return
	}
	if f.forbid != "" && strings.Contains(q, f.forbid) {
		f.queries = append(f.queries, q)
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `[{"message":"No such column","errorCode":"INVALID_FIELD"}]`)
		return
	}
	body, _ := io.ReadAll(r.Body)
	var job struct{ Query string }
	if path == "/jobs/query" {
		_ = json.Unmarshal(body, &job)
		q = "BULK"
	}
	f.queries = append(f.queries, q+job.Query)
	for start, answer := range f.answers {
		if q != "" && strings.HasPrefix(q, start) || q == "" && start == path {
			if cut, yes := strings.CutPrefix(answer, "CSV"); yes {
				w.Header().Set("Sforce-Locator", "null")
				answer = cut
			}
			_, _ = io.WriteString(w, answer)
			return
		}
	}
	w.WriteHeader(400)
	fmt.Fprintf(w, `[{"message":"no answer to %s","errorCode":"MALFORMED_QUERY"}]`, path)
}

// collection upserts (object and field in the path) or updates.
func (f *fake) collection(w http.ResponseWriter, r *http.Request, path []string) {
	var body struct {
		Records []map[string]any `json:"records"`
	}
	in := r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		in, _ = gzip.NewReader(in)
	}
	_ = json.NewDecoder(in).Decode(&body)
	results := make([]string, len(body.Records))
	seen := map[any]bool{}
	for i, record := range body.Records {
		object := record["attributes"].(map[string]any)["type"].(string)
		key := "id/" + fmt.Sprint(record["Id"])
		if len(path) == 3 {
			key = fmt.Sprint(record[path[2]])
		}
		if seen[key] {
			results[i] = `{"success":false,"errors":[{"statusCode":"DUPLICATE_VALUE","message":"Duplicate external id specified","fields":[]}]}`
			continue
		}
		seen[key] = true
		_, old := f.rows[object+"/"+key]
		status := f.refuse(object, record)
		if old && record["CampaignId"] != nil {
			status = notNow
		}
		if status != "" {
			results[i] = fmt.Sprintf(`{"success":false,"errors":[{"statusCode":%q,"message":"about Ada","fields":[]}]}`, status)
			continue
		}
		if old {
			record = merged(f.rows[object+"/"+key], record)
		}
		f.rows[object+"/"+key] = record
		results[i] = fmt.Sprintf(`{"id":"a06%012d","success":true,"errors":[],"created":%t}`, len(key), !old)
	}
	if len(body.Records) > 0 && f.lose == body.Records[0]["attributes"].(map[string]any)["type"] {
		f.lose = ""
		conn, _, _ := w.(http.Hijacker).Hijack()
		_ = conn.Close()
		return
	}
	_, _ = io.WriteString(w, "["+strings.Join(results, ",")+"]")
}

// merged is a record after an update: fields that were not sent stay.
func merged(old, sent map[string]any) map[string]any {
	all := maps.Clone(old)
	maps.Copy(all, sent)
	return all
}

func (f *fake) count(object string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.rows {
		if strings.HasPrefix(key, object+"/") {
			n++
		}
	}
	return n
}

const event turnout.EventID = "a00000000000001AAA"

func registrations(n int) []turnout.Dispatch {
	batch := make([]turnout.Dispatch, n)
	for i := range batch {
		batch[i] = turnout.Dispatch{Registration: turnout.Registration{Key: turnout.Key(fmt.Sprintf("key-%d", i)), Status: turnout.StatusRegistered, Revision: 1, Sealed: []byte("sealed")},
			Details: turnout.Details{Person: turnout.Person{FirstName: "Ada", LastName: "Example", Email: "ada@example.com"}}}
	}
	return batch
}

// P1: what was written before its reply got lost is not written again.
func TestLostReplyIsOneRecord(t *testing.T) {
	for name, objects := range map[string][]string{"turnout": {"Turnout_Registration__c"}, "campaign": {"Lead", "CampaignMember"}} {
		t.Run(name, func(t *testing.T) {
			f, o := newFake(t, name, nil)
			batch := registrations(7)
			for _, object := range objects {
				f.mu.Lock()
				f.lose = object
				f.mu.Unlock()
				if _, err := o.Deliver(t.Context(), event, nil, batch); turnout.CodeOf(err) != turnout.CodeUnknown {
					t.Fatalf("a lost reply about %s gives %v", object, err)
				}
			}
			receipts, err := o.Deliver(t.Context(), event, nil, batch)
			if err != nil || slices.ContainsFunc(receipts, func(r turnout.Receipt) bool { return r.Code != "" || r.Record == "" }) {
				t.Fatalf("%+v %v", receipts, err)
			}
			for _, object := range objects {
				if n := f.count(object); n != 7 {
					t.Errorf("%d records of %s for 7 registrations", n, object)
				}
			}
		})
	}
}

func TestReceiptsInOrder(t *testing.T) {
	f, o := newFake(t, "turnout", nil)
	batch := registrations(5)
	batch = append(batch, batch[1]) // the same key in a later revision
	batch[5].Revision, batch[5].Status = 2, turnout.StatusCancelled
	f.refuse = func(_ string, r map[string]any) string {
		return map[any]string{"key-2": "UNABLE_TO_LOCK_ROW", "key-3": "STRING_TOO_LONG"}[r["Idempotency_Key__c"]]
	}
	receipts, err := o.Deliver(t.Context(), event, nil, batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []turnout.Code{"", "", turnout.CodeLocked, turnout.CodeRefused, "", ""} {
		if receipts[i].Key != batch[i].Key || receipts[i].Code != want {
			t.Errorf("%d: %+v", i, receipts[i])
		}
	}
	if receipts[3].Status != "STRING_TOO_LONG" || receipts[3].Message != "about Ada" {
		t.Errorf("%+v", receipts[3])
	}
	if row := f.rows["Turnout_Registration__c/key-1"]; row["Status__c"] != "Cancelled" {
		t.Errorf("the older revision won: %v", row)
	}
	if _, err := o.Deliver(t.Context(), event, nil, registrations(201)); turnout.CodeOf(err) != turnout.CodeTooLarge {
		t.Errorf("201 give %v", err)
	}
	if receipts, err := o.Deliver(t.Context(), event, nil, nil); err != nil || len(receipts) != 0 {
		t.Errorf("none give %v %v", receipts, err)
	}
}

func TestLargeBatchesAreSplit(t *testing.T) {
	f, o := newFake(t, "turnout", nil)
	batch := registrations(200)
	for i := range batch {
		batch[i].Details.Answers = turnout.Answers{"essay": {strings.Repeat("x", 100_000)}}
	}
	receipts, err := o.Deliver(t.Context(), event, nil, batch)
	if err != nil || len(receipts) != 200 || f.count("Turnout_Registration__c") != 200 {
		t.Fatalf("%d %v", len(receipts), err)
	}
	calls := 0
	for _, c := range f.calls {
		if strings.HasPrefix(c, "PATCH") {
			calls++
		}
	}
	if calls < 4 || calls > 6 {
		t.Errorf("20 MB in %d calls", calls)
	}
}

// A campaign's batch takes several calls; what one of them did stands.
func TestPartsOfABatchFailAlone(t *testing.T) {
	f, o := newFake(t, "campaign", nil)
	batch := registrations(4)
	batch[1].Details.Invite = &turnout.Invite{Record: "00v000000000001"}
	batch[2].Details.Invite = &turnout.Invite{Record: "00v000000000001"} // the same invite, under another key
	f.refuse = func(object string, r map[string]any) string {
		switch {
		case object == "Lead" && r["Turnout_Key__c"] == "key-3":
			return "DUPLICATES_DETECTED"
		case object == "CampaignMember" && r["CampaignId"] != nil:
			f.lose = "CampaignMember"
		}
		return ""
	}
	receipts, err := o.Deliver(t.Context(), event, nil, batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []turnout.Code{turnout.CodeUnknown, "", "", turnout.CodeRefused} {
		if receipts[i].Code != want {
			t.Errorf("%d: %+v", i, receipts[i])
		}
	}
	f.mu.Lock() // the call whose reply got lost may still be ending
	f.refuse = func(object string, _ map[string]any) string {
		if object == "Lead" {
			return convertedLead // by a salesperson, meanwhile
		}
		return ""
	}
	f.mu.Unlock()
	if receipts, err = o.Deliver(t.Context(), event, nil, batch[:1]); err != nil || receipts[0].Code != "" {
		t.Errorf("%+v %v", receipts, err)
	}
}

func TestEventsInFewQueries(t *testing.T) {
	f, o := newFake(t, "turnout", map[string]string{"SELECT": `{"totalSize":1,"done":true,"records":[{"Id":"a00000000000007AAA","Status__c":"Published","Name":"x","Starts_At__c":"2027-10-01T08:00:00.000+0000",
		"Tickets__r":{"totalSize":2,"done":false,"nextRecordsUrl":"/services/data/v65.0/query/kids","records":[{"Id":"a01000000000001AAA","Name":"A"}]}}]}`,
		"/query/kids": `{"totalSize":2,"done":true,"records":[{"Id":"a01000000000002AAA","Name":"B"}]}`})
	var ids []turnout.EventID
	for i := range 700 {
		ids = append(ids, turnout.EventID(fmt.Sprintf("a00%012d", i)))
	}
	ids = append(ids, "not an id")
	copies, err := o.Events(t.Context(), ids)
	if err != nil || len(copies) != 701 {
		t.Fatalf("%d %v", len(copies), err)
	}
	if copies[7].Event == nil || len(copies[7].Event.Tickets) != 2 || copies[8].Event != nil || copies[8].ID != "a00000000000008AAA" || copies[700].ID != "not an id" {
		t.Errorf("%+v", copies[7])
	}
	asked := 0
	for _, q := range f.queries {
		if strings.HasPrefix(q, "SELECT") {
			asked++
		}
	}
	if asked != 4 {
		t.Errorf("%d queries for 700 events", asked)
	}
}

func linkRow(i int, stamp string) string {
	return fmt.Sprintf(`{"Id":"a05%012d","Token__c":"token-%05d","Event__c":"%s","SystemModstamp":%q,"IsDeleted":false}`, i, i, event, stamp)
}

func TestLinksInPages(t *testing.T) {
	f, o := newFake(t, "turnout", map[string]string{
		"SELECT":   `{"totalSize":3,"done":false,"nextRecordsUrl":"/services/data/v65.0/query/2","records":[` + linkRow(1, "2027-01-01T00:00:00.000+0000") + `,` + linkRow(2, "2027-01-02T00:00:00.000+0000") + `]}`,
		"/query/2": `{"totalSize":3,"done":true,"records":[` + linkRow(3, "2027-01-03T00:00:00.000+0000") + `]}`})
	since := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	var got []string
	next, err := o.LinksSince(t.Context(), since, "", func(p turnout.LinkPart) error {
		for _, l := range p.Links {
			got = append(got, l.Token)
		}
		return nil
	})
	if err != nil || len(got) != 3 || !next.Equal(time.Date(2027, 1, 3, 0, 0, 0, 1e6, time.UTC)) {
		t.Fatalf("%v %v %v", got, next, err)
	}
	if q := f.queries[0]; !strings.Contains(q, "SystemModstamp >= 2026-12-01T00:00:00.000Z ORDER BY SystemModstamp, Id") || !strings.Contains(f.calls[1], "/queryAll") {
		t.Errorf("%s by %s", q, f.calls[1])
	}
	// A failure on the way leaves the cursor at what was taken.
	stop := errors.New("full")
	next, err = o.LinksSince(t.Context(), since, "", func(p turnout.LinkPart) error {
		if p.Links[0].Token == "token-00003" {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || !next.Equal(time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v %v", next, err)
	}
}

func TestManyLinksInBulk(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("CSVId,Token__c,Event__c,SystemModstamp,IsDeleted\n")
	for i := range 4100 {
		fmt.Fprintf(&csv, "a05%012d,token-%05d,%s,2027-01-01T00:00:00.000Z,false\n", i, i, event)
	}
	_, o := newFake(t, "turnout", map[string]string{
		"SELECT": `{"totalSize":4100,"done":false,"nextRecordsUrl":"/services/data/v65.0/query/2","records":[` + linkRow(1, "2027-01-01T00:00:00.000+0000") + `]}`,
		"BULK":   `{"id":"750","state":"UploadComplete"}`, "/jobs/query/750": `{"id":"750","state":"JobComplete"}`, "/jobs/query/750/results": csv.String()})
	var sizes []int
	kept := map[string]bool{}
	next, err := o.LinksSince(t.Context(), time.Time{}, "", func(p turnout.LinkPart) error {
		sizes = append(sizes, len(p.Links))
		for _, l := range p.Links {
			kept[l.Token] = true
		}
		return nil
	})
	if err != nil || !slices.Equal(sizes, []int{0, 2000, 2000, 100}) || len(kept) != 4100 || !next.Equal(time.Date(2027, 1, 1, 0, 0, 0, 1e6, time.UTC)) {
		t.Errorf("%v %d %v %v", sizes, len(kept), next, err)
	}
}

func TestIDsCannotBreakOut(t *testing.T) {
	f, o := newFake(t, "turnout", map[string]string{"SELECT": `{"totalSize":0,"done":true,"records":[]}`})
	if _, err := o.LinkRecords(t.Context(), []string{"a05000000000001", `x') OR Name != ('`, "short"}); err != nil {
		t.Fatal(err)
	}
	if q := f.queries[0]; !strings.HasSuffix(q, "Id IN ('a05000000000001AAA')") {
		t.Errorf("query %s", q)
	}
	var many []string
	for i := range 3000 {
		many = append(many, fmt.Sprintf("a05%012d", i))
	}
	if _, err := o.LinkRecords(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	for _, q := range f.queries {
		if n := len(url.QueryEscape(q)); n > salesforce.MaxQuery {
			t.Errorf("a query of %d bytes", n)
		}
	}
}

func TestPeople(t *testing.T) {
	f, o := newFake(t, "turnout", map[string]string{
		"SELECT Id,Email FROM Contact": `{"done":true,"records":[{"Id":"003000000000001AAA","Email":"Ada@Example.com"},{"Id":"003000000000002AAA","Email":null}]}`,
		"SELECT Id,Email FROM Lead":    `{"done":true,"records":[{"Id":"00Q000000000001EAA","Email":"bob@example.com"}]}`,
		"SELECT Id,Email__c FROM ":     `{"done":true,"records":[{"Id":"a05000000000001AAA","Email__c":"ada@example.com"}]}`})
	got, err := o.People(t.Context(), []string{"003000000000001", "003000000000002", "00Q000000000001", "a05000000000001", "a05000000000001AAA", "rubbish"})
	ada, bob := []string{"ada@example.com"}, []string{"bob@example.com"}
	want := map[string][]string{"003000000000001": ada, "00Q000000000001": bob, "a05000000000001": ada, "a05000000000001AAA": ada}
	if err != nil || !reflect.DeepEqual(got, want) { // both objects that have links and registrations name her
		t.Errorf("%v %v", got, err)
	}
	if len(f.queries) != 4 {
		t.Errorf("%q", f.queries)
	}
}

func TestHandCounts(t *testing.T) {
	f, o := newFake(t, "turnout", map[string]string{
		"SELECT Event__c": `{"totalSize":3,"done":true,"records":[
			{"attributes":{"type":"AggregateResult"},"Event__c":"a00000000000001AAA","Ticket__c":"VIP","people":2,"guests":3.0},
			{"attributes":{"type":"AggregateResult"},"Event__c":"a00000000000001AAA","Ticket__c":"vip","people":1,"guests":null},
			{"attributes":{"type":"AggregateResult"},"Event__c":"a00000000000001AAA","Ticket__c":null,"people":4,"guests":0.0}]}`,
		"SELECT Id": `{"totalSize":1,"done":true,"records":[{"Id":"a00000000000001AAA","Status__c":"Published","Name":"x","Starts_At__c":"2027-10-01T08:00:00.000+0000","Tickets__r":{"totalSize":2,"done":true,"records":[
			{"Id":"a01000000000001AAA","Name":"VIP","Public_Id__c":"vip-1"},{"Id":"a01000000000002AAA","Name":"Other","Public_Id__c":"vip"}]}}]}`})
	got, err := o.HandCounts(t.Context(), []turnout.EventID{event, "a00000000000002"})
	want := []turnout.HandCount{{Event: event, Pool: turnout.PoolEvent, Seats: 10}, {Event: event, Pool: turnout.PoolTicket("vip"), Seats: 6}, {Event: "a00000000000002AAA", Pool: turnout.PoolEvent}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v %v", got, err)
	}
	if q := f.queries[0]; !strings.Contains(q, "Idempotency_Key__c = null AND Status__c IN ('Registered','Approved','Attended','No-Show')") || !strings.HasSuffix(q, "GROUP BY Event__c,Ticket__c") {
		t.Errorf("query %s", q)
	}
}

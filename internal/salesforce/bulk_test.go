package salesforce

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/turnout-events/turnout"
)

const jobs = "/services/data/v65.0/jobs/"

func TestBulkQuery(t *testing.T) {
	o := newOrg(t)
	var looks, deleted, breaks atomic.Int64
	o.mux.HandleFunc("POST "+jobs+"query", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), `"operation":"queryAll"`) {
			t.Errorf("body %s", body)
		}
		_, _ = io.WriteString(w, `{"id":"750R0000000zlh9","operation":"query","state":"UploadComplete","apiVersion":65.0}`)
	})
	o.mux.HandleFunc("GET "+jobs+"query/750R0000000zlh9", func(w http.ResponseWriter, _ *http.Request) {
		switch looks.Add(1) {
		case 1:
			_, _ = io.WriteString(w, `{"id":"750R0000000zlh9","state":"InProgress"}`)
		case 2:
			w.WriteHeader(503) // does not end the job
		default:
			_, _ = io.WriteString(w, `{"id":"750R0000000zlh9","state":"JobComplete","numberRecordsProcessed":3}`)
		}
	})
	o.mux.HandleFunc("DELETE "+jobs+"query/750R0000000zlh9", func(w http.ResponseWriter, _ *http.Request) {
		deleted.Add(1)
		w.WriteHeader(204)
	})
	o.mux.HandleFunc("GET "+jobs+"query/750R0000000zlh9/results", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("locator") == "" {
			w.Header().Set("Sforce-Locator", "MTAw")
			w.Header().Set("Sforce-NumberOfRecords", "2")
			if breaks.Add(1) == 1 { // cut off after the first row
				_, _ = io.WriteString(w, "\"Id\",\"Name\"\n\"1\",\"a, \"\"b\"\"\"\n")
				return
			}
			_, _ = io.WriteString(w, "\"Id\",\"Name\"\n\"1\",\"a, \"\"b\"\"\"\n\"2\",\"\"\n")
			return
		}
		w.Header().Set("Sforce-Locator", "null")
		w.Header().Set("Sforce-NumberOfRecords", "1")
		_, _ = io.WriteString(w, "\"Id\",\"Name\"\n\"3\",\"line\nbreak\"\n")
	})
	q, err := o.client().StartBulkQuery(t.Context(), AndDeleted, "SELECT Id, Name FROM Lead")
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	take := func(r Record) error { got = append(got, r.Text("Id")+"="+r.Text("Name")); return nil }
	if more, err := q.Page(t.Context(), take); err != nil || !more {
		t.Fatalf("the first page: more %v, %v", more, err)
	}
	at := q.Place()
	if want := (BulkPlace{Job: "750R0000000zlh9", Locator: "MTAw", Done: 2, Total: 3}); at != want {
		t.Errorf("place %+v, want %+v", at, want)
	}
	if more, err := q.Page(t.Context(), take); err != nil || more || !q.Place().Ended {
		t.Errorf("the last page: more %v, %v", more, err)
	}
	if want := []string{"1=a, \"b\"", "2=", "3=line\nbreak"}; !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	if more, err := q.Page(t.Context(), take); err != nil || more || len(got) != 3 {
		t.Errorf("behind the end: more %v, %v, rows %q", more, err, got)
	}
	if got = nil; deleted.Load() != 0 {
		t.Error("the job was deleted before its end was kept")
	}
	q.Discard(t.Context())
	if deleted.Load() != 1 {
		t.Error("the job with its results is left behind")
	}
	// Another process goes on from a place, and reads nothing twice.
	again := o.client().ResumeBulkQuery(at)
	if more, err := again.Page(t.Context(), take); err != nil || more || !slices.Equal(got, []string{"3=line\nbreak"}) {
		t.Errorf("from its place: rows %q, more %v, %v", got, more, err)
	}
	enough := errors.New("enough")
	again = o.client().ResumeBulkQuery(BulkPlace{Job: at.Job})
	if _, err := again.Page(t.Context(), func(Record) error { return enough }); !errors.Is(err, enough) || again.Place().Done != 0 || again.Over() {
		t.Errorf("yield's error became %v at %+v", err, again.Place())
	}
}

func TestBulkQueryIsOver(t *testing.T) {
	for name, c := range map[string]struct {
		state, results string
		status         int
		want           turnout.Code
		over           bool
	}{
		"failed":          {`{"id":"750","state":"Failed","errorMessage":"TooManyLockFailure : ada@example.com"}`, "", 200, turnout.CodeLocked, true},
		"aborted":         {`{"id":"750","state":"Aborted"}`, "", 200, turnout.CodeUnavailable, true},
		"unknown":         {"", "", 404, turnout.CodeMisconfigured, true},
		"unknown locator": {`{"id":"750","state":"JobComplete","numberRecordsProcessed":9}`, `[{"errorCode":"INVALIDLOCATOR","message":"x"}]`, 400, turnout.CodeRefused, true},
		"expired locator": {`{"id":"750","state":"JobComplete","numberRecordsProcessed":9}`, `[{"errorCode":"INVALID_QUERY_LOCATOR","message":"x"}]`, 400, turnout.CodeUnavailable, true},
		"other version":   {`{"id":"750","state":"JobComplete","numberRecordsProcessed":9}`, `[{"errorCode":"API_VERSION_MISMATCH","message":"x"}]`, 409, turnout.CodeRefused, true},
		"another result":  {`{"id":"750","state":"JobComplete","numberRecordsProcessed":8}`, "", 200, turnout.CodeConflict, true},
		"away":            {`{"id":"750","state":"JobComplete","numberRecordsProcessed":9}`, "", 503, turnout.CodeUnavailable, false},
		"used up":         {`{"id":"750","state":"JobComplete","numberRecordsProcessed":9}`, `[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]`, 403, turnout.CodeExhausted, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrg(t)
			o.answer("GET "+jobs+"query/750", cmp.Or(map[bool]int{true: c.status}[c.state == ""], 200), c.state)
			o.answer("GET "+jobs+"query/750/results", c.status, c.results)
			o.answer("DELETE "+jobs+"query/750", 204, "")
			q := o.client().ResumeBulkQuery(BulkPlace{Job: "750", Locator: "x", Done: 5, Total: 9})
			err := q.Await(t.Context())
			if err == nil {
				_, err = q.Page(t.Context(), func(Record) error { return nil })
			}
			if turnout.CodeOf(err) != c.want || q.Over() != c.over || strings.Contains(err.Error(), "ada") {
				t.Errorf("got %v, over %v", err, q.Over())
			}
			if q.Place().Done != 5 {
				t.Errorf("the place moved to %+v", q.Place())
			}
		})
	}
}

func TestBulkIngest(t *testing.T) {
	o := newOrg(t)
	var uploaded string
	var state atomic.Value
	state.Store("Open")
	o.answer("POST "+jobs+"ingest", 200, `{"id":"750","state":"Open","contentUrl":"services/data/v65.0/jobs/ingest/750/batches"}`)
	o.mux.HandleFunc("PUT "+jobs+"ingest/750/batches", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		uploaded = string(body)
		w.WriteHeader(201)
	})
	o.mux.HandleFunc("PATCH "+jobs+"ingest/750", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		state.Store(string(body))
		_, _ = io.WriteString(w, `{"id":"750","state":"UploadComplete"}`)
	})
	o.answer("GET "+jobs+"ingest/750", 200, `{"id":"750","state":"JobComplete"}`)
	o.answer("DELETE "+jobs+"ingest/750", 204, "")
	o.answer("GET "+jobs+"ingest/750/successfulResults", 200, "\"sf__Id\",\"sf__Created\",\"Key__c\"\n\"00Q000000000001EAA\",\"true\",\"k0\"\n")
	o.answer("GET "+jobs+"ingest/750/failedResults", 200, "\"sf__Id\",\"sf__Error\",\"Key__c\"\n\"\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --\",\"k1\"\n\"\",\"UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 200 records: 001xxx:--\",\"k2\"\n")
	o.answer("GET "+jobs+"ingest/750/unprocessedrecords", 200, "\"Key__c\"\n\"k3\"\n")
	in := Ingest{Object: "Lead", Operation: "upsert", ExternalID: "Key__c", Columns: []string{"Key__c", "LastName"}}
	rows := func(yield func([]string) bool) {
		for i := range 4 {
			if !yield([]string{fmt.Sprintf("k%d", i), []string{"Lovelace, \"A\"", ""}[i%2]}) {
				return
			}
		}
	}
	got := map[string]Ingested{}
	for r, err := range o.client().BulkIngest(t.Context(), in, rows) {
		if err != nil {
			t.Fatal(err)
		}
		got[r.Values.Text("Key__c")] = r
	}
	if uploaded != "Key__c,LastName\nk0,\"Lovelace, \"\"A\"\"\"\nk1,#N/A\nk2,\"Lovelace, \"\"A\"\"\"\nk3,#N/A\n" {
		t.Errorf("uploaded %q", uploaded)
	}
	if got["k0"].ID == "" || !got["k0"].Created || got["k1"].Code != turnout.CodeRefused || got["k1"].Err.Fields[0] != "Name" ||
		got["k2"].Code != turnout.CodeLocked || !got["k3"].Unprocessed {
		t.Errorf("%+v", got)
	}
	if s := state.Load(); s != `{"state":"UploadComplete"}` {
		t.Errorf("state %v", s)
	}
}

func TestBulkIngestStopsOnBadRows(t *testing.T) {
	o := newOrg(t)
	var aborted atomic.Bool
	o.answer("POST "+jobs+"ingest", 200, `{"id":"750","state":"Open"}`)
	o.mux.HandleFunc("PUT "+jobs+"ingest/750/batches", func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	o.mux.HandleFunc("PATCH "+jobs+"ingest/750", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		aborted.Store(strings.Contains(string(body), "Aborted"))
	})
	o.answer("DELETE "+jobs+"ingest/750", 204, "")
	rows := slices.Values([][]string{{"only one"}})
	for _, err := range o.client().BulkIngest(t.Context(), Ingest{Object: "Lead", Operation: "insert", Columns: []string{"A", "B"}}, rows) {
		if turnout.CodeOf(err) != turnout.CodeInternal {
			t.Errorf("got %v", err)
		}
	}
	if !aborted.Load() {
		t.Error("the job stays open")
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("\"Id\",\"Name\"\n\"1\",\"a\"\n")
	f.Add("sf__Id,sf__Error\n,CODE:words: more:Field,Other --\n")
	f.Fuzz(func(t *testing.T, body string) {
		err := readCSV(strings.NewReader(body), func(r Record) bool {
			for _, kind := range []string{"successfulResults", "failedResults", "unprocessedrecords"} {
				if kind == "failedResults" && ingested(r, kind).Code == "" {
					t.Error("a failed row without a code")
				}
			}
			return true
		})
		if err != nil && turnout.CodeOf(err) != turnout.CodeUnavailable {
			t.Error(err)
		}
	})
}

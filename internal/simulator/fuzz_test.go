package simulator

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/simulator/records"
)

// fuzzed is an org with a session, asked without a network.
func fuzzed(f *testing.F) (http.Handler, string) {
	f.Helper()
	sim, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	if err := sim.Open(f.Context()); err != nil {
		f.Fatal(err)
	}
	if _, err := sim.seeder().Make(2, 5); err != nil {
		f.Fatal(err)
	}
	var org string
	sim.store.Read(func(v records.View) { org = v.Organization() })
	return sim.Handler(), sim.tokens.Issue(org)
}

func ask(t *testing.T, handler http.Handler, token, method, path, body string) {
	t.Helper()
	address, err := url.ParseRequestURI(path)
	if err != nil {
		t.Skip("not a request URI")
	}
	request := httptest.NewRequest(method, "/", strings.NewReader(body))
	request.URL, request.RequestURI = address, path
	request.Header.Set("Authorization", "Bearer "+token)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	if recorder.Code >= 500 || recorder.Code < 200 {
		t.Errorf("%s %q %q: %d %s", method, path, body, recorder.Code, recorder.Body)
	}
}

func FuzzJSONBodies(f *testing.F) {
	handler, token := fuzzed(f)
	for _, seed := range []string{registrations("seed-1", 0, 2, true), `{"records":[null]}`, `{"records":[{"attributes":7}]}`, `{"records":[{"attributes":{"type":"Lead"},"Id":{}}]}`,
		`{"compositeRequest":[{"method":"GET","url":"` + api + `/query?q=SELECT Id FROM Lead","referenceId":"a"}]}`, `{"batchRequests":[{"method":"GET","url":"v65.0/limits"}],"haltOnError":true}`,
		`{"records":[{"attributes":{"type":"Account","referenceId":"a"},"Name":"A","Contacts":{"records":[{"attributes":{"type":"Contact","referenceId":"b"},"LastName":"B"}]}}]}`, `[]`, `{"object":"Lead","operation":"insert"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/composite", "/composite/batch", "/composite/tree/Account", "/composite/sobjects", "/sobjects/Turnout_Registration__c", "/jobs/ingest", "/composite/sobjects/Lead"} {
			ask(t, handler, token, "POST", api+path, body)
		}
		ask(t, handler, token, "PATCH", upsertPath, body)
		ask(t, handler, token, "PATCH", api+"/composite/sobjects", body)
		ask(t, handler, token, "PUT", "/_sim/faults", body)
		ask(t, handler, token, "PUT", "/_sim/keys", body)
	})
}

func FuzzExternalIDPaths(f *testing.F) {
	handler, token := fuzzed(f)
	for _, seed := range []string{"seed-1", "a%2Fb", "%", "..", "a?b", "%00", "é", strings.Repeat("x", 300)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			ask(t, handler, token, method, api+"/sobjects/Turnout_Event__c/Public_Id__c/"+key, `{"Name":"Fuzzed"}`)
			ask(t, handler, token, method, api+"/sobjects/Turnout_Event__c/"+key, `{"Name":"Fuzzed"}`)
			ask(t, handler, token, method, api+"/sobjects/Turnout_Event__c/updated?end=2026-05-01T10:00:00Z&start="+key, "")
		}
		ask(t, handler, token, "GET", api+"/query/"+key, "")
	})
}

func FuzzQueries(f *testing.F) {
	handler, token := fuzzed(f)
	for _, seed := range []string{
		"SELECT Id, (SELECT Name FROM Tickets__r ORDER BY Position__c NULLS LAST) FROM Turnout_Event__c WHERE Name LIKE '%\\%_x' AND (Seats__c > 1 OR NOT Online__c = true) LIMIT 3 OFFSET 1",
		"SELECT Event__r.Name, COUNT(Id) n FROM Turnout_Link__c GROUP BY Event__r.Name ORDER BY COUNT(Id) DESC",
		"SELECT FIELDS(ALL) FROM Lead LIMIT 200", "SELECT Id FROM Turnout_Event__c WHERE CreatedDate = LAST_N_DAYS:3 AND Id IN (SELECT Event__c FROM Turnout_Link__c)",
		"SELECT Event__c FROM Turnout_Link__c GROUP BY Event__c HAVING COUNT(Id) > 1 AND (NOT MIN(CreatedDate) = TODAY OR Event__c IN ('x'))",
		"SELECT MIN(CreatedDate), SUM(Seats__c) FROM Turnout_Event__c", "SELECT Id FROM Lead WHERE Id = 'x'", "SELECT COUNT() FROM Campaign ALL ROWS",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		ask(t, handler, token, "GET", api+"/query?q="+url.QueryEscape(query), "")
	})
}

package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// org is a simulator behind a test server, with a session.
type org struct {
	t     *testing.T
	sim   *Simulator
	url   string
	token string
}

func open(t *testing.T, options Options) *org {
	t.Helper()
	sim, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { _ = sim.Run(ctx); close(ended) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		_ = sim.Close()
	})
	return serve(t, sim)
}

// serve puts a server before a simulator that was opened, and logs in.
func serve(t *testing.T, sim *Simulator) *org {
	t.Helper()
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	o := &org{t: t, sim: sim, url: server.URL}
	o.login()
	return o
}

func (o *org) login() {
	o.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"demo"}, "client_secret": {o.sim.options.ClientSecret}}
	response, err := http.PostForm(o.url+"/services/oauth2/token", form)
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Token == "" {
		o.t.Fatalf("no token: %v (%s)", err, response.Status)
	}
	o.token = answer.Token
}

// do sends a request and returns status, body and header.
func (o *org) do(method, path, body string, header ...string) (int, string, http.Header) {
	o.t.Helper()
	request, err := http.NewRequest(method, o.url+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+o.token)
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error(), nil
	}
	return response.StatusCode, string(text), response.Header
}

const api = "/services/data/v65.0"

func (o *org) soql(query string) string {
	o.t.Helper()
	status, body, _ := o.do("GET", api+"/query?q="+url.QueryEscape(query), "")
	if status != http.StatusOK {
		o.t.Fatalf("%s: %d %s", query, status, body)
	}
	return body
}

func (o *org) want(method, path, body string, status int, part string) string {
	o.t.Helper()
	got, text, _ := o.do(method, path, body)
	if got != status || !strings.Contains(text, part) {
		o.t.Fatalf("%s %s %s\ngot  %d %s\nwant %d with %s", method, path, body, got, text, status, part)
	}
	return text
}

// create makes a record over the API and returns its id.
func (o *org) create(object, body string) string {
	o.t.Helper()
	text := o.want("POST", api+"/sobjects/"+object, body, http.StatusCreated, `"success":true`)
	var answer struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		o.t.Fatal(err)
	}
	return answer.ID
}

func (o *org) event(publicID string) string {
	o.t.Helper()
	return o.create("Turnout_Event__c", fmt.Sprintf(`{"Name":"Event %s","Public_Id__c":%q,"Slug__c":%q,"Status__c":"Published"}`, publicID, publicID, publicID))
}

// registrations is the body of a collections upsert of n rows from a key on.
func registrations(event string, from, n int, allOrNone bool) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"allOrNone":%v,"records":[`, allOrNone)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"attributes":{"type":"Turnout_Registration__c"},"Idempotency_Key__c":"key-%d","Last_Name__c":"Lindenwood","Email__c":"p%d@example.com","Status__c":"Registered","Event__r":{"Public_Id__c":%q}}`,
			from+i, from+i, event)
	}
	b.WriteString(`]}`)
	return b.String()
}

const upsertPath = api + "/composite/sobjects/Turnout_Registration__c/Idempotency_Key__c"

func TestThinPath(t *testing.T) {
	o := open(t, Options{})
	o.event("spring")
	o.want("PATCH", upsertPath, registrations("spring", 0, 5, false), 200, `"created":true`)
	// The same keys again update the same records: P1 rests on this.
	o.want("PATCH", upsertPath, registrations("spring", 0, 5, false), 200, `"created":false`)
	if body := o.soql("SELECT COUNT() FROM Turnout_Registration__c WHERE Event__r.Public_Id__c = 'spring'"); body != `{"totalSize":5,"done":true,"records":[]}` {
		t.Fatalf("count: %s", body)
	}
	body := o.soql("SELECT Id, Name, Email__c, Event__r.Public_Id__c, SystemModstamp FROM Turnout_Registration__c WHERE Idempotency_Key__c = 'key-3'")
	if !strings.Contains(body, `"Event__r":{"attributes":{"type":"Turnout_Event__c"`) || !strings.Contains(body, `"p3@example.com"`) || !strings.Contains(body, `"Name":"R-00004"`) {
		t.Fatalf("query: %s", body)
	}
	o.want("GET", api+"/sobjects/Turnout_Registration__c/describe", "", 200, `"restrictedPicklist":true`)
	stats := o.want("GET", "/_sim/stats", "", 200, `"collections_upsert":2`)
	if !strings.Contains(stats, `"Turnout_Registration__c":5`) || !strings.Contains(stats, `"batches":{"collections_upsert":[{"size":5,"count":2}]`) {
		t.Fatalf("stats: %s", stats)
	}
}

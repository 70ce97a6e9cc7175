//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
	"github.com/turnout-events/turnout/internal/salesforce/mapping"
	"github.com/turnout-events/turnout/internal/salesforce/orgs"
	"github.com/turnout-events/turnout/internal/simulator"
)

// sfOrg is a simulated org with the adapter in front of it.
type sfOrg struct {
	*orgs.Org
	t      *testing.T
	client *salesforce.Client
	m      *mapping.Mapping
	url    string
	calls  []string
}

func newSFOrg(t *testing.T, name string) *sfOrg {
	t.Helper()
	sim, err := simulator.New(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { _ = sim.Run(ctx); close(ended) }()
	t.Cleanup(func() {
		server.Close()
		cancel()
		<-ended
		_ = sim.Close()
	})
	o := &sfOrg{t: t, url: server.URL}
	if o.m, err = mapping.Load(name); err != nil {
		t.Fatal(err)
	}
	o.client = salesforce.New(salesforce.Options{
		Connection: turnout.Connection{LoginURL: server.URL, Flow: "client_credentials", ClientID: "demo"},
		Secrets:    turnout.Secrets{ClientSecret: "demo"}, PollEvery: 10 * time.Millisecond,
		Observe: func(op string, code turnout.Code, _ time.Duration) { o.calls = append(o.calls, op) },
	})
	o.Org = orgs.New(orgs.Options{Org: turnout.Org{ID: "acme", Zone: "Europe/Vienna"}, Mapping: o.m, Client: o.client})
	return o
}

func (o *sfOrg) http(method, path string, body any, token string) string {
	o.t.Helper()
	data, _ := json.Marshal(body)
	req, _ := http.NewRequest(method, o.url+path, bytes.NewReader(data))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer reply.Body.Close()
	text, _ := io.ReadAll(reply.Body)
	if reply.StatusCode >= 300 {
		o.t.Fatalf("%s %s: %s %s", method, path, reply.Status, text)
	}
	return string(text)
}

func (o *sfOrg) token() string {
	reply, err := http.PostForm(o.url+"/services/oauth2/token", map[string][]string{"grant_type": {"client_credentials"}, "client_id": {"demo"}, "client_secret": {"demo"}})
	if err != nil {
		o.t.Fatal(err)
	}
	defer reply.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	_ = json.NewDecoder(reply.Body).Decode(&answer)
	return answer.AccessToken
}

// create makes a record as an organiser does.
func (o *sfOrg) create(object string, fields map[string]any) string {
	o.t.Helper()
	var answer struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal([]byte(o.http("POST", "/services/data/v65.0/sobjects/"+object, fields, o.token())), &answer)
	return answer.ID
}

func (o *sfOrg) faults(f map[string]any) { o.http("PUT", "/_sim/faults", f, "") }

func (o *sfOrg) records(object string) []map[string]any {
	o.t.Helper()
	text := o.http("GET", "/_sim/records/"+object, nil, "")
	var answer struct {
		Records []map[string]any `json:"records"`
	}
	if json.Unmarshal([]byte(text), &answer) != nil || answer.Records == nil {
		_ = json.Unmarshal([]byte(text), &answer.Records)
	}
	return answer.Records
}

func (o *sfOrg) summit() turnout.EventID {
	id := o.create("Turnout_Event__c", map[string]any{
		"Name": "Autumn Summit", "Public_Id__c": "summit", "Slug__c": "autumn-summit", "Status__c": "Published",
		"Starts_At__c": "2027-10-01T08:00:00.000Z", "Time_Zone__c": "Europe/Vienna", "Seats__c": 100, "Max_Guests__c": 2,
		"Description__c": `<p onclick="x()">Hello <script>alert(1)</script><b>you</b></p>`,
	})
	o.create("Turnout_Ticket__c", map[string]any{"Name": "VIP", "Event__c": id, "Public_Id__c": "vip", "Seats__c": 10, "Position__c": 2})
	o.create("Turnout_Ticket__c", map[string]any{"Name": "Standard", "Event__c": id, "Public_Id__c": "std", "Position__c": 1})
	o.create("Turnout_Question__c", map[string]any{"Name": "q1", "Event__c": id, "Public_Id__c": "diet", "Label__c": "What do you eat?", "Type__c": "choice", "Choices__c": "Anything\nVegan", "Position__c": 1})
	return turnout.EventID(id)
}

func dispatch(key string, event turnout.EventID) turnout.Dispatch {
	return turnout.Dispatch{
		Registration: turnout.Registration{Event: event, Key: turnout.Key(key), Status: turnout.StatusRegistered, Revision: 1, Sealed: []byte("sealed"), AcceptedAt: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)},
		Details: turnout.Details{Person: turnout.Person{FirstName: "Ada", LastName: "Example", Email: "ada@example.com"},
			Ticket: "vip", Answers: turnout.Answers{"diet": {"Vegan"}}, Guests: []turnout.Guest{{FirstName: "Bob", LastName: "Example"}}},
	}
}

func TestSalesforceMappingsFit(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"turnout", "campaign"} {
		o := newSFOrg(t, name)
		for _, finding := range mapping.Check(t.Context(), o.client, o.m) {
			t.Errorf("%s: %v", name, finding)
		}
		if err := o.Probe(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestSalesforceEvents(t *testing.T) {
	t.Parallel()
	o := newSFOrg(t, "turnout")
	id := o.summit()
	draft := o.create("Turnout_Event__c", map[string]any{"Name": "Draft", "Public_Id__c": "draft"})
	copies, err := o.Events(t.Context(), []turnout.EventID{"a00000000000000AAA", turnout.EventID(draft), id})
	if err != nil || len(copies) != 3 || copies[0].Event != nil || copies[1].Event != nil || copies[2].Event == nil {
		t.Fatalf("%+v %v", copies, err)
	}
	e := copies[2].Event
	if copies[2].Fault != nil || e.Body != "<p>Hello  <b>you</b></p>" && e.Body != "<p>Hello <b>you</b></p>" || len(e.Tickets) != 2 || e.Tickets[0].ID != "std" || e.Tickets[1].Seats != 10 || e.Form.Questions[0].Choices[1] != "Vegan" {
		t.Errorf("%+v %v", e, copies[2].Fault)
	}
	all, cursor, err := o.EventsSince(t.Context(), time.Time{})
	if err != nil || len(all) != 2 || cursor.IsZero() {
		t.Fatalf("%d %v %v", len(all), cursor, err)
	}
	// A part alone changes, then is deleted: both show.
	ticket := o.create("Turnout_Ticket__c", map[string]any{"Name": "Late", "Event__c": string(id), "Public_Id__c": "late"})
	since := copies[1].Modified.Add(time.Millisecond) // after the draft, which was made last but for the new ticket
	o.http("PATCH", "/services/data/v65.0/sobjects/Turnout_Ticket__c/"+ticket, map[string]any{"Seats__c": 5}, o.token())
	changed, _, err := o.EventsSince(t.Context(), since)
	if err != nil || len(changed) != 1 || len(changed[0].Event.Tickets) != 3 {
		t.Fatalf("%+v %v", changed, err)
	}
	o.http("DELETE", "/services/data/v65.0/sobjects/Turnout_Ticket__c/"+ticket, nil, o.token())
	changed, _, err = o.EventsSince(t.Context(), since)
	if err != nil || len(changed) != 1 || len(changed[0].Event.Tickets) != 2 {
		t.Fatalf("%+v %v", changed, err)
	}
	o.http("DELETE", "/services/data/v65.0/sobjects/Turnout_Event__c/"+string(id), nil, o.token())
	changed, _, err = o.EventsSince(t.Context(), since)
	if err != nil || len(changed) != 1 || changed[0].Event != nil {
		t.Fatalf("%+v %v", changed, err)
	}
	// A quiet poll costs one call.
	o.calls = nil
	if quiet, _, err := o.EventsSince(t.Context(), time.Now().Add(time.Minute)); err != nil || len(quiet) > 0 || len(o.calls) != 1 {
		t.Errorf("%+v %v %v", quiet, err, o.calls)
	}
}

// P1: lost replies and expired sessions on the way never make a second record.
func TestSalesforceDeliversOnce(t *testing.T) {
	t.Parallel()
	o := newSFOrg(t, "turnout")
	id := o.summit()
	copies, err := o.Events(t.Context(), []turnout.EventID{id})
	if err != nil {
		t.Fatal(err)
	}
	var batch []turnout.Dispatch
	for i := range 30 {
		batch = append(batch, dispatch(fmt.Sprintf("key-%02d", i), id))
	}
	o.faults(map[string]any{"lose_reply_rate": 1})
	_, err = o.Deliver(t.Context(), id, copies[0].Event, batch)
	if turnout.CodeOf(err) != turnout.CodeUnknown {
		t.Fatalf("a lost reply gives %v", err)
	}
	o.faults(map[string]any{"expire_tokens": true})
	o.faults(map[string]any{})
	receipts, err := o.Deliver(t.Context(), id, copies[0].Event, batch)
	if err != nil || len(receipts) != 30 {
		t.Fatal(err)
	}
	for i, r := range receipts {
		if r.Code != "" || r.Record == "" || r.Key != batch[i].Key {
			t.Errorf("%+v", r)
		}
	}
	batch[0].Status, batch[0].Revision, batch[0].Record = turnout.StatusCancelled, 2, receipts[0].Record
	again, err := o.Deliver(t.Context(), id, nil, batch[:1])
	if err != nil || again[0].Record != receipts[0].Record {
		t.Fatalf("%+v %v", again, err)
	}
	stored := o.records("Turnout_Registration__c")
	if len(stored) != 30 {
		t.Fatalf("%d records for 30 registrations", len(stored))
	}
	var back []turnout.RegistrationCopy
	cursor, err := o.RegistrationsSince(t.Context(), time.Time{}, func(page []turnout.RegistrationCopy) error {
		back = append(back, page...)
		return nil
	})
	if err != nil || len(back) != 30 || cursor.IsZero() {
		t.Fatalf("%d %v", len(back), err)
	}
	one, err := o.Registrations(t.Context(), []string{receipts[0].Record})
	if err != nil || len(one) != 1 || one[0].Status != turnout.StatusCancelled || one[0].Revision != 2 || one[0].Key != "key-00" || one[0].Event != id {
		t.Fatalf("%+v %v", one, err)
	}
	if u := o.Usage(); u.Used == 0 || u.Limit == 0 {
		t.Errorf("usage %+v", u)
	}
}

func TestSalesforceRefusals(t *testing.T) {
	t.Parallel()
	o := newSFOrg(t, "turnout")
	id := o.summit()
	long, locked := dispatch("too-long", id), dispatch("fine", id)
	long.Details.Person.Company = strings.Repeat("x", 300)
	locked.Details.Answers = turnout.Answers{"essay": {strings.Repeat("words ", 10_000)}}
	receipts, err := o.Deliver(t.Context(), id, nil, []turnout.Dispatch{long, locked})
	if err != nil || receipts[0].Code != turnout.CodeRefused || receipts[0].Status != "STRING_TOO_LONG" || receipts[1].Code != "" {
		t.Fatalf("%+v %v", receipts, err)
	}
	o.faults(map[string]any{"outage_seconds": 60})
	if _, err := o.Deliver(t.Context(), id, nil, []turnout.Dispatch{locked}); turnout.CodeOf(err) != turnout.CodeUnavailable {
		t.Errorf("an outage gives %v", err)
	}
	o.faults(map[string]any{"daily_limit": 1})
	if _, err := o.Deliver(t.Context(), id, nil, []turnout.Dispatch{locked}); turnout.CodeOf(err) != turnout.CodeExhausted {
		t.Errorf("the daily limit gives %v", err)
	}
}

func TestSalesforceLinks(t *testing.T) {
	t.Parallel()
	for _, n := range []int{40, 4500} { // in pages, and as a bulk job
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			o := newSFOrg(t, "turnout")
			o.http("POST", "/_sim/seed", map[string]any{"events": 2, "links": n}, "")
			tokens := map[string]turnout.LinkCopy{}
			cursor, err := o.LinksSince(t.Context(), time.Time{}, "", func(p turnout.LinkPart) error {
				if len(p.Links) > 2000 {
					t.Errorf("a list of %d", len(p.Links))
				}
				for _, l := range p.Links {
					tokens[l.Token] = l
				}
				return nil
			})
			if err != nil || len(tokens) != n || cursor.IsZero() {
				t.Fatalf("%d links, %v %v", len(tokens), cursor, err)
			}
			if bulk := slices.Contains(o.calls, "bulk"); bulk != (n > 2000) {
				t.Errorf("bulk %v", bulk)
			}
			some := slices.Sorted(maps.Keys(tokens))[:2]
			one := tokens[some[0]]
			if one.Revoked || one.Event == "" || one.Invite.Person.Email == "" || one.Modified.IsZero() {
				t.Errorf("%+v", one)
			}
			o.http("PATCH", "/services/data/v65.0/sobjects/Turnout_Link__c/"+one.Invite.Record, map[string]any{"Status__c": "Revoked"}, o.token())
			o.http("DELETE", "/services/data/v65.0/sobjects/Turnout_Link__c/"+tokens[some[1]].Invite.Record, nil, o.token())
			records, err := o.LinkRecords(t.Context(), []string{one.Invite.Record, tokens[some[1]].Invite.Record})
			if err != nil || len(records) != 2 || !records[0].Revoked || !records[1].Revoked {
				t.Fatalf("%+v %v", records, err)
			}
			people, err := o.People(t.Context(), []string{one.Invite.Record, tokens[some[1]].Invite.Record})
			if err != nil || len(people) != 2 {
				t.Fatalf("%v %v", people, err)
			}
		})
	}
}

// A backfill of 2,600 events takes no bulk job and few calls (decision 13).
func TestSalesforceBackfillOfManyEvents(t *testing.T) {
	t.Parallel()
	o := newSFOrg(t, "turnout")
	o.http("POST", "/_sim/seed", map[string]any{"events": 2600}, "")
	if _, _, err := o.EventsSince(t.Context(), time.Now()); err != nil { // signs in and describes
		t.Fatal(err)
	}
	o.calls = nil
	copies, _, err := o.EventsSince(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	published := 0
	for _, c := range copies {
		if c.Event != nil && len(c.Event.Tickets) > 0 {
			published++
		}
	}
	t.Logf("%d events, %d published, %d calls: %v", len(copies), published, len(o.calls), o.calls)
	if published < 2000 || len(o.calls) > 16 {
		t.Errorf("%d published events in %d calls", published, len(o.calls))
	}
}

func TestSalesforceHandCounts(t *testing.T) {
	t.Parallel()
	o := newSFOrg(t, "campaign")
	id := o.create("Campaign", map[string]any{"Name": "Open day", "Turnout_Published__c": true, "StartDate": "2027-05-01", "Turnout_Details__c": "tickets:\n- {id: a, name: Morning}\n- {id: b, name: Noon}\n"})
	for i, status := range []string{"Registered", "Responded", "Sent", "Cancelled"} {
		lead := o.create("Lead", map[string]any{"LastName": fmt.Sprint("Example", i), "Company": "Example"})
		o.create("CampaignMember", map[string]any{"CampaignId": id, "LeadId": lead, "Status": status, "Turnout_Ticket__c": "morning", "Turnout_Guest_Count__c": i})
	}
	counts, err := o.HandCounts(t.Context(), []turnout.EventID{turnout.EventID(id)})
	if err != nil {
		t.Fatal(err)
	}
	want := []turnout.HandCount{{Event: turnout.EventID(id), Pool: turnout.PoolEvent, Seats: 3}, {Event: turnout.EventID(id), Pool: turnout.PoolTicket("a"), Seats: 3}}
	if !slices.Equal(counts, want) {
		t.Errorf("%+v", counts)
	}
}

// P1 on standard objects: a lead, its member and an invited member, each once.
func TestSalesforceCampaign(t *testing.T) {
	t.Parallel()
	o := newSFOrg(t, "campaign")
	id := turnout.EventID(o.create("Campaign", map[string]any{"Name": "Open day", "Turnout_Published__c": true, "StartDate": "2027-05-01", "EndDate": "2027-05-02", "Description": "Come & see"}))
	contact := o.create("Contact", map[string]any{"FirstName": "Cleo", "LastName": "Example", "Email": "cleo@example.com"})
	member := o.create("CampaignMember", map[string]any{"CampaignId": string(id), "ContactId": contact, "Status": "Sent", "Turnout_Token__c": "token-cleo-1"})
	copies, err := o.Events(t.Context(), []turnout.EventID{id})
	if err != nil || copies[0].Event == nil || copies[0].Fault != nil {
		t.Fatalf("%+v %v", copies, err)
	}
	if e := copies[0].Event; e.Body != "<p>Come &amp; see</p>" || e.Zone != "Europe/Vienna" || !strings.HasPrefix(e.Slug, "open-day-") || e.Tickets[0].ID != "general" {
		t.Errorf("%+v", e)
	}
	links, err := o.LinkRecords(t.Context(), []string{contact})
	if err != nil || len(links) != 1 || links[0].Invite.Record != member || links[0].Invite.Person.Email != "cleo@example.com" {
		t.Fatalf("%+v %v", links, err)
	}
	invited, walkIn := dispatch("invited", id), dispatch("walk-in", id)
	invited.Details.Invite, invited.Details.Person = &links[0].Invite, links[0].Invite.Person
	batch := []turnout.Dispatch{walkIn, invited}
	o.faults(map[string]any{"lose_reply_rate": 1})
	if _, err := o.Deliver(t.Context(), id, copies[0].Event, batch); turnout.CodeOf(err) != turnout.CodeUnknown {
		t.Fatalf("a lost reply gives %v", err)
	}
	o.faults(map[string]any{})
	var receipts []turnout.Receipt
	for range 2 { // the second time everything is there already, as after a reply that was lost
		if receipts, err = o.Deliver(t.Context(), id, copies[0].Event, batch); err != nil || receipts[0].Code != "" || receipts[1].Code != "" {
			t.Fatalf("%+v %v", receipts, err)
		}
	}
	if receipts[1].Record != member {
		t.Errorf("the invited one got record %s, not the invite's %s", receipts[1].Record, member)
	}
	walkIn.Record, walkIn.Revision, walkIn.Status = receipts[0].Record, 2, turnout.StatusCancelled
	later, err := o.Deliver(t.Context(), id, nil, []turnout.Dispatch{walkIn})
	if err != nil || later[0].Record != receipts[0].Record {
		t.Fatalf("%+v %v", later, err)
	}
	if members, leads := o.records("CampaignMember"), o.records("Lead"); len(members) != 2 || len(leads) != 1 {
		t.Errorf("%d members and %d leads", len(members), len(leads))
	}
	back, err := o.Registrations(t.Context(), []string{member, walkIn.Record})
	if err != nil || len(back) != 2 {
		t.Fatalf("%+v %v", back, err)
	}
	for _, b := range back {
		if want := map[turnout.Key]turnout.Status{"invited": turnout.StatusRegistered, "walk-in": turnout.StatusCancelled}[b.Key]; b.Status != want {
			t.Errorf("%s is %s", b.Key, b.Status)
		}
	}
}

// An answer that a Salesforce field takes is bounded by that field, so that a
// registrant is told while they can still shorten it.
func TestSalesforceFieldsBoundAnswers(t *testing.T) {
	t.Parallel()
	o := newSFOrg(t, "turnout")
	id := o.summit()
	o.create("Turnout_Question__c", map[string]any{"Name": "q2", "Event__c": string(id), "Public_Id__c": "role", "Label__c": "Your role?", "Type__c": "text", "Target_Field__c": "Title__c", "Position__c": 2})
	copies, err := o.Events(t.Context(), []turnout.EventID{id})
	if err != nil || len(copies) != 1 || copies[0].Event == nil {
		t.Fatalf("%+v, %v", copies, err)
	}
	q, ok := copies[0].Event.Form.Question("role")
	if !ok || q.Limit() != 128 {
		t.Errorf("the answer may have %d characters, the field takes 128", q.Limit())
	}
	_, err = copies[0].Event.Check(turnout.Details{
		Person: turnout.Person{FirstName: "Ada", LastName: "Example", Email: "ada@example.com"}, Ticket: "std",
		Answers: turnout.Answers{"role": {strings.Repeat("x", 129)}},
	})
	if turnout.CodeOf(err) != turnout.CodeInvalid {
		t.Errorf("a longer one: %v", err)
	}
	if l := copies[0].Event.Form.Lengths; l.LastName != 80 || l.Company != 255 || l.Title != 128 {
		t.Errorf("the person's fields take %+v", l)
	}
}

package orgs

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
)

// An invite's two answers are one record: a late retry of the first must not
// overwrite the second.
func TestSupersededAnswerIsNotWritten(t *testing.T) {
	f, o := newFake(t, "campaign", nil)
	invite := &turnout.Invite{Record: "00v000000000001", Lead: "00Q000000000001"}
	batch := registrations(3)
	first, second, other := batch[0], batch[1], batch[2]
	first.Details.Invite, second.Details.Invite = invite, invite
	cancel := first
	cancel.Revision, cancel.Status, cancel.Record, cancel.Superseded = 2, turnout.StatusCancelled, "00v000000000001AAA", true
	for name, batch := range map[string][]turnout.Dispatch{"before": {cancel, second, other}, "after": {second, other, cancel}, "retry": {cancel}} {
		receipts, err := o.Deliver(t.Context(), event, nil, batch)
		if err != nil {
			t.Fatal(name, err)
		}
		for i, r := range receipts {
			if r.Code != "" || r.Record == "" || r.Key != batch[i].Key {
				t.Errorf("%s: receipt %+v", name, r)
			}
		}
		if name != "retry" && f.rows["CampaignMember/id/00v000000000001AAA"]["Turnout_Key__c"] != "key-1" {
			t.Errorf("%s: %v", name, f.rows)
		}
	}
	if row := f.rows["CampaignMember/id/00v000000000001AAA"]; row["Turnout_Key__c"] != "key-1" || row["Status"] != "Registered" {
		t.Errorf("the newer answer was overwritten: %v", row)
	}
	cancel.Record = "" // never delivered: its record is the invite's
	if receipts, err := o.Deliver(t.Context(), event, nil, []turnout.Dispatch{cancel}); err != nil || receipts[0].Record != "00v000000000001AAA" {
		t.Errorf("%+v %v", receipts, err)
	}
	// Where each registration is a record of its own, it is written.
	f, o = newFake(t, "turnout", nil)
	if _, err := o.Deliver(t.Context(), event, nil, []turnout.Dispatch{cancel}); err != nil || f.rows["Turnout_Registration__c/key-0"]["Status__c"] != "Cancelled" {
		t.Errorf("%v %v", f.rows, err)
	}
}

// A record that was deleted there is made anew by the edit of a registration,
// with the status that Salesforce was taken to have.
func TestRecordMadeAnewHasItsStatus(t *testing.T) {
	f, o := newFake(t, "turnout", nil)
	batch := registrations(2)
	for i := range batch {
		batch[i].Told, batch[i].Revision = batch[i].Status, 2
	}
	f.rows["Turnout_Registration__c/key-0"] = map[string]any{"Status__c": "Cancelled"}
	receipts, err := o.Deliver(t.Context(), event, nil, batch)
	if err != nil || receipts[0].Code != "" || receipts[1].Code != "" {
		t.Fatalf("%+v %v", receipts, err)
	}
	if got := f.rows["Turnout_Registration__c/key-0"]["Status__c"]; got != "Cancelled" {
		t.Errorf("an organiser's cancellation became %v", got)
	}
	if got := f.rows["Turnout_Registration__c/key-1"]["Status__c"]; got != "Registered" {
		t.Errorf("the record that was made anew has status %v", got)
	}
}

// A refused call says nothing of the single records it held.
func TestReceiptsOfAWholeCallSaySo(t *testing.T) {
	f, o := newFake(t, "campaign", nil)
	batch := registrations(50)
	batch[0].Details.Invite = &turnout.Invite{Record: "00v000000000001", Lead: "00Q000000000001"}
	inner := f.Config.Handler
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/CampaignMember/Turnout_Key__c") {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `[{"message":"x","errorCode":"SOMETHING_NEW"}]`)
			return
		}
		inner.ServeHTTP(w, r)
	})
	receipts, err := o.Deliver(t.Context(), event, nil, batch)
	if err != nil {
		t.Fatal(err)
	}
	if receipts[0].Code != "" || receipts[0].WholeCall {
		t.Errorf("%+v", receipts[0])
	}
	for _, r := range receipts[1:] {
		if r.Code != turnout.CodeRefused || !r.WholeCall {
			t.Fatalf("%+v", r)
		}
	}
	f.Config.Handler = inner
	f.mu.Lock()
	f.refuse = func(string, map[string]any) string { return "STRING_TOO_LONG" }
	f.mu.Unlock()
	if receipts, _ = o.Deliver(t.Context(), event, nil, batch[:1]); receipts[0].Code != turnout.CodeRefused || receipts[0].WholeCall {
		t.Errorf("a row's refusal: %+v", receipts[0])
	}
}

// The record was deleted, the edit makes it anew, and nothing is heard of the call that
// was to tell its status: the next attempt tells it.
func TestMadeAnewAndNotFinished(t *testing.T) {
	f, o := newFake(t, "turnout", nil)
	batch := registrations(1)
	batch[0].Told, batch[0].Revision, batch[0].Record = batch[0].Status, 2, "a0R000000000009"
	calls := 0
	f.refuse = func(string, map[string]any) string {
		if calls++; calls == 2 {
			return "UNABLE_TO_LOCK_ROW"
		}
		return ""
	}
	for attempt, want := range []turnout.Code{turnout.CodeLocked, ""} {
		receipts, err := o.Deliver(t.Context(), event, nil, batch)
		if err != nil || receipts[0].Code != want {
			t.Fatalf("attempt %d: %+v, %v", attempt+1, receipts, err)
		}
	}
	if got := f.rows["Turnout_Registration__c/key-0"]["Status__c"]; got != "Registered" {
		t.Errorf("delivered, and its status is %v", got)
	}
	// Once its record is known, an edit leaves the status to the organiser again.
	receipts, err := o.Deliver(t.Context(), event, nil, batch)
	if err != nil {
		t.Fatal(err)
	}
	batch[0].Record, batch[0].Revision = receipts[0].Record, 3
	f.rows["Turnout_Registration__c/key-0"]["Status__c"] = "Cancelled"
	if _, err := o.Deliver(t.Context(), event, nil, batch); err != nil {
		t.Fatal(err)
	}
	if got := f.rows["Turnout_Registration__c/key-0"]["Status__c"]; got != "Cancelled" {
		t.Errorf("an edit made %v of what the organiser had decided", got)
	}
}

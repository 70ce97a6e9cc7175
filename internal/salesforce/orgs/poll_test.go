package orgs

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
	"github.com/turnout-events/turnout/internal/salesforce/mapping"
)

func TestCursorSettles(t *testing.T) {
	clock := time.Date(2027, 6, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return clock.Add(d) }
	for _, test := range []struct {
		name                        string
		since, latest, want, broken time.Time
	}{
		{"nothing seen", at(-time.Hour), time.Time{}, at(-time.Hour), at(-time.Hour)},
		{"settled", at(-time.Hour), at(-time.Minute), at(-time.Minute + time.Millisecond), at(-time.Minute)},
		{"not settled", at(-time.Hour), at(-time.Second), at(-30 * time.Second), at(-30 * time.Second)},
		{"never back", at(-5 * time.Second), at(-time.Second), at(-5 * time.Second), at(-5 * time.Second)},
		{"first of all", time.Time{}, at(-time.Minute), at(-time.Minute + time.Millisecond), at(-time.Minute)},
		{"nothing at all", time.Time{}, time.Time{}, time.Time{}, time.Time{}},
	} {
		c := cursor{since: test.since, horizon: func() time.Time { return clock.Add(-30 * time.Second) }}
		c.see(test.latest)
		if got := c.next(); !got.Equal(test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
		if got := c.broken(); !got.Equal(test.broken) {
			t.Errorf("%s, broken: %v, want %v", test.name, got, test.broken)
		}
	}
}

// slow is an org whose clock goes on while it answers: a bulk job began at
// 12:00, and its result was there at 12:10.
func slow(t *testing.T, now func() time.Time, rows string) *Org {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, began := r.URL.Path, "Tue, 01 Jun 2027 12:00:00 GMT"
		switch {
		case strings.HasSuffix(path, "/token"):
			w.Header().Set("Date", began)
			_, _ = io.WriteString(w, `{"access_token":"t","instance_url":"`+s.URL+`"}`)
		case strings.HasSuffix(path, "/results"):
			w.Header().Set("Date", "Tue, 01 Jun 2027 12:10:00 GMT")
			w.Header().Set("Sforce-Locator", "null")
			_, _ = io.WriteString(w, rows)
		case r.Method == http.MethodDelete:
			w.Header().Set("Date", "Tue, 01 Jun 2027 12:10:00 GMT")
			w.WriteHeader(http.StatusNoContent)
		case r.Method == http.MethodPost:
			w.Header().Set("Date", began)
			_, _ = io.WriteString(w, `{"id":"750000000000001AAA","state":"UploadComplete"}`)
		case strings.Contains(path, "/jobs/query/"):
			w.Header().Set("Date", "Tue, 01 Jun 2027 12:09:00 GMT")
			_, _ = io.WriteString(w, `{"id":"750000000000001AAA","state":"JobComplete"}`)
		default:
			w.Header().Set("Date", began)
			_, _ = io.WriteString(w, `{"totalSize":1000000,"done":false,"nextRecordsUrl":"/services/data/v65.0/query/x","records":[]}`)
		}
	}))
	t.Cleanup(s.Close)
	m, err := mapping.Load("turnout")
	if err != nil {
		t.Fatal(err)
	}
	c := salesforce.New(salesforce.Options{Connection: turnout.Connection{LoginURL: s.URL, Flow: "client_credentials"}, PollEvery: time.Millisecond, Now: now})
	return New(Options{Org: turnout.Org{ID: "acme"}, Mapping: m, Client: c, Now: now})
}

// A part of a bulk result may have been read when the job began, so that the
// next poll starts before that, whatever later parts hold (P5).
func TestBulkCursorStartsBeforeTheJob(t *testing.T) {
	const rows = "Id,Token__c,Event__c,SystemModstamp,IsDeleted,Email__c\n" +
		"a05000000000001AAA,token-000001,a00000000000001AAA,2027-05-01T00:00:00.000Z,false,a@example.com\n" +
		"a05000000000002AAA,token-000002,a00000000000001AAA,2027-06-01T12:08:00.000Z,false,b@example.com\n"
	began := time.Date(2027, 6, 1, 12, 0, 0, 0, time.UTC)
	for name, ours := range map[string]time.Time{"clocks agree": began, "ours is fast": began.Add(time.Hour), "ours is slow": began.Add(-time.Hour)} {
		o := slow(t, func() time.Time { return ours }, rows)
		got := 0
		next, err := o.LinksSince(t.Context(), time.Time{}, "", func(p turnout.LinkPart) error { got += len(p.Links); return nil })
		// Our clock stands still here, so that a fast one is only known to be
		// fast once Salesforce told its own, at the end.
		latest := began
		if name == "ours is fast" {
			latest = began.Add(10 * time.Minute)
		}
		if err != nil || got != 2 || next.After(latest.Add(-settle)) {
			t.Errorf("%s: %d links, next poll from %v, %v", name, got, next, err)
		}
	}
}

// What came before a failure is not read again, but what has not settled is.
func TestBrokenPollKeepsToTheHorizon(t *testing.T) {
	_, o := newFake(t, "turnout", map[string]string{
		"SELECT": `{"totalSize":2,"done":false,"nextRecordsUrl":"/services/data/v65.0/query/gone","records":[` + linkRow(1, "2027-06-01T11:59:59.000+0000") + `]}`})
	since := time.Date(2027, 6, 1, 11, 0, 0, 0, time.UTC)
	next, err := o.LinksSince(t.Context(), since, "", func(turnout.LinkPart) error { return nil })
	if want := time.Date(2027, 6, 1, 11, 50, 0, 0, time.UTC); err == nil || !next.Equal(want) {
		t.Errorf("%v %v, want %v", next, err, want)
	}
}

func collect(into *[]turnout.RegistrationCopy) func([]turnout.RegistrationCopy) error {
	return func(page []turnout.RegistrationCopy) error {
		*into = append(*into, page...)
		return nil
	}
}

func TestRegistrationsSince(t *testing.T) {
	f, o := newFake(t, "campaign", map[string]string{"SELECT": `{"totalSize":2,"done":true,"records":[
		{"Id":"00v000000000001","Turnout_Key__c":"k","CampaignId":"701000000000001","Status":"Responded","SystemModstamp":"2027-01-01T00:00:00.000+0000"},
		{"Id":"00v000000000002","Turnout_Key__c":"l","CampaignId":"701000000000001","Status":"Sent","SystemModstamp":"2027-01-02T00:00:00.000+0000"}]}`})
	var got []turnout.RegistrationCopy
	next, err := o.RegistrationsSince(t.Context(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), collect(&got))
	if err != nil || len(got) != 1 || got[0].Status != turnout.StatusRegistered || got[0].Key != "k" || !next.Equal(time.Date(2027, 1, 2, 0, 0, 0, 1e6, time.UTC)) {
		t.Errorf("%+v %v %v", got, next, err)
	}
	if q := f.queries[0]; !strings.Contains(q, "(Turnout_Key__c != null OR Status IN ('Registered','Responded','Waitlisted','Cancelled','Declined')) AND SystemModstamp >= 2026-01-01T00:00:00.000Z") {
		t.Errorf("query %s", q)
	}
}

// Seats of a registration whose record was deleted come back.
func TestDeletedRecordIsACancellation(t *testing.T) {
	f, o := newFake(t, "turnout", map[string]string{"SELECT": `{"totalSize":1,"done":true,"records":[
		{"Id":"a06000000000001","IsDeleted":true,"Idempotency_Key__c":"k","Event__c":"a00000000000001","Status__c":"Approved","Revision__c":2,"SystemModstamp":"2027-01-01T00:00:00.000+0000"}]}`})
	for name, read := range map[string]func(context.Context) ([]turnout.RegistrationCopy, error){
		"poll": func(ctx context.Context) ([]turnout.RegistrationCopy, error) {
			var copies []turnout.RegistrationCopy
			_, err := o.RegistrationsSince(ctx, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), collect(&copies))
			return copies, err
		},
		"hint": func(ctx context.Context) ([]turnout.RegistrationCopy, error) {
			return o.Registrations(ctx, []string{"a06000000000001"})
		},
	} {
		got, err := read(t.Context())
		if err != nil || len(got) != 1 || got[0].Status != turnout.StatusCancelled || got[0].Attendance != "" || got[0].Key != "k" || got[0].Revision != 2 {
			t.Errorf("%s: %+v %v", name, got, err)
		}
		last := len(f.queries) - 1
		if !strings.Contains(f.queries[last], "IsDeleted") || !strings.HasSuffix(f.calls[len(f.calls)-1], "/queryAll") {
			t.Errorf("%s asks %s by %s", name, f.queries[last], f.calls[len(f.calls)-1])
		}
	}
}

package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/intake"
)

var noon = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

const (
	linkToken = "link-token-1"
	ownToken  = "own-token-1"
)

var summit = &turnout.Event{
	ID: "a01000000000001AAA", Slug: "summit", Version: "7", Title: "Example Summit", Body: "<p>Hello</p>",
	Starts: noon.Add(240 * time.Hour), Ends: noon.Add(248 * time.Hour), Zone: "Europe/Vienna", JoinURL: "https://meet.example.com/1", Image: "https://cdn.example.com/a.jpg?token=t",
	Picture: turnout.Picture{Name: "0123456789abcdef0123456789abcdef", Width: 1200, Height: 600, Widths: []int{480, 960, 1200}},
	Seats:   100, Waitlist: true, MaxGuests: 2, Tickets: []turnout.Ticket{{ID: "std", Name: "Standard", Seats: 60}, {ID: "vip", Name: "VIP", Seats: turnout.Unlimited}},
	Agenda: []turnout.AgendaItem{{ID: "lunch", Name: "Lunch", Starts: noon.Add(243 * time.Hour), Seats: turnout.Unlimited}},
	Form: turnout.Form{Version: "f1", Questions: []turnout.Question{
		{ID: "diet", Label: "Diet", Kind: turnout.KindChoices, Choices: []string{"vegan", "halal"}, Target: "Diet__c"},
		{ID: "age", Label: "Age", Kind: turnout.KindNumber}, {ID: "first", Label: "First time?", Kind: turnout.KindYesNo, ShowIf: &turnout.Condition{Question: "diet", Values: []string{"vegan"}}},
	}},
}

// desk is a fake of everything behind the API; what it is asked is noted.
type desk struct {
	org    turnout.Org
	entry  *catalog.Entry
	fails  error
	repeat bool
	// view is what View, Edit and Cancel answer.
	view     intake.View
	answered bool
	calls    []string
	taken    turnout.Submission
	changed  turnout.Details
	from     int64
	log      bytes.Buffer
}

func newDesk() *desk {
	d := &desk{org: turnout.Org{ID: "acme", Hosts: []string{"events.example.com"}}}
	d.entry = &catalog.Entry{Org: &d.org, Event: summit, Seats: turnout.Seatings{
		turnout.PoolEvent: {Pool: turnout.PoolEvent, Limit: 100, Taken: 90}, turnout.PoolTicket("std"): {Limit: 60, Taken: 60},
	}}
	d.view = intake.View{Token: ownToken, Registration: turnout.Registration{
		Org: "acme", Event: summit.ID, Key: "k-1", Status: turnout.StatusRegistered, Revision: 3, Delivered: 3, AcceptedAt: noon, ChangedAt: noon,
	}, Details: turnout.Details{
		Person: turnout.Person{FirstName: "Ada", LastName: "Example", Email: "ada@example.com"}, Ticket: "std",
		Answers: turnout.Answers{"diet": {"vegan"}, "age": {"36"}}, Invite: &turnout.Invite{Record: "a02"},
	}}
	return d
}

func (d *desk) Org(host string) (*turnout.Org, bool) { return &d.org, host == "events.example.com" }
func (d *desk) List(turnout.OrgID) (catalog.Page, []*catalog.Entry) {
	return catalog.Page{}, []*catalog.Entry{d.entry}
}
func (d *desk) Event(_ turnout.OrgID, slug string) (*catalog.Entry, bool) {
	return d.entry, slug == d.entry.Event.Slug
}
func (d *desk) EventByID(_ turnout.OrgID, id turnout.EventID) (*catalog.Entry, bool) {
	return d.entry, id == d.entry.Event.ID
}

func (d *desk) OpenSent(ctx context.Context, org turnout.OrgID, token string) (catalog.Link, error) {
	return d.Open(ctx, org, token)
}

func (d *desk) Open(_ context.Context, _ turnout.OrgID, token string) (catalog.Link, error) {
	if token != linkToken && token != "other-event-1" {
		return catalog.Link{}, turnout.Errorf(turnout.CodeNotFound, "open link", "unknown")
	}
	link := catalog.Link{AttendeeLink: turnout.AttendeeLink{ID: turnout.LinkID{1}, Event: summit.ID}, Invite: turnout.Invite{
		Person: turnout.Person{FirstName: "Ada", LastName: "Example", Email: "ada@example.com", Company: "Example Ltd"}}}
	if token != linkToken {
		link.Event = "a01000000000002AAA"
	}
	return link, nil
}

func (d *desk) View(_ context.Context, _ turnout.OrgID, token string) (intake.View, error) {
	if token != ownToken {
		return intake.View{}, turnout.Errorf(turnout.CodeNotFound, "open registration", "there is no such registration")
	}
	return d.view, d.fails
}

func (d *desk) ByLink(context.Context, turnout.OrgID, turnout.AttendeeLink) (intake.View, bool, error) {
	return d.view, d.answered, d.fails
}

func (d *desk) Register(_ context.Context, _ turnout.OrgID, _ *turnout.Event, s turnout.Submission) (intake.View, error) {
	d.calls, d.taken = append(d.calls, "register"), s
	view := d.view
	view.Repeat, view.Registration.Key, view.Details = d.repeat, s.Key, s.Details
	return view, d.fails
}

func (d *desk) Decline(_ context.Context, _ turnout.OrgID, _ *turnout.Event, _ turnout.AttendeeLink, _ turnout.Invite, key turnout.Key) (intake.View, error) {
	d.calls, d.taken.Key = append(d.calls, "decline"), key
	view := d.view
	view.Registration.Status = turnout.StatusDeclined
	return view, d.fails
}

func (d *desk) Edit(_ context.Context, _ turnout.OrgID, _ *turnout.Event, _ string, from int64, details turnout.Details) (intake.View, error) {
	d.calls, d.from, d.changed = append(d.calls, "edit"), from, details
	view := d.view
	view.Details, view.Registration.Revision = details, from+1
	return view, d.fails
}

func (d *desk) Cancel(context.Context, turnout.OrgID, *turnout.Event, string) (intake.View, error) {
	d.calls = append(d.calls, "cancel")
	view := d.view
	view.Registration.Status = turnout.StatusCancelled
	return view, d.fails
}

func (d *desk) Secrets(context.Context, turnout.OrgID) ([]string, error) {
	return []string{"hook-secret"}, nil
}
func (d *desk) Hint(context.Context, turnout.OrgID, string, []string) error { return nil }

func (d *desk) handler(t *testing.T) http.Handler {
	t.Helper()
	a, err := api.New(api.Options{
		Catalog: d, Links: d, Intake: d, Secrets: d, Hints: d, Now: func() time.Time { return noon },
		Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a.Handler()
}

// send makes a request; header lines are "Name: value".
func send(h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "events.example.com"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
		switch name {
		case "Host":
			r.Host = value
		case "Transfer-Encoding":
			r.ContentLength = -1
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func read(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return out
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

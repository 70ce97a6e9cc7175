package api_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api"
	"github.com/turnout-events/turnout/internal/erasure"
	"github.com/turnout-events/turnout/internal/oversight"
)

// operator is a fake of everything behind the admin API.
type operator struct {
	fails   error
	calls   []string
	amended turnout.Details
	rows    []oversight.Row
	breaks  error // after the rows
	log     bytes.Buffer
}

func known(org turnout.OrgID) error {
	if org != "acme" {
		return turnout.Errorf(turnout.CodeNotFound, "find org", "there is no such org")
	}
	return nil
}

func (o *operator) Overview(context.Context) ([]oversight.Org, error) {
	return []oversight.Org{{ID: "acme", Name: "Acme", Parked: 2, Oldest: &oversight.Waiting{Since: noon, Seconds: 7}}}, o.fails
}

func (o *operator) Events(_ context.Context, org turnout.OrgID) ([]oversight.Event, error) {
	limit := 5
	return []oversight.Event{{ID: summit.ID, Title: summit.Title, Pools: []oversight.Pool{{Name: "Whole event", Limit: &limit, Taken: 7, Over: 2}}}}, known(org)
}

func (o *operator) Event(_ turnout.OrgID, id turnout.EventID) *turnout.Event {
	if id == summit.ID {
		return summit
	}
	return nil
}

func (o *operator) Export(_ context.Context, org turnout.OrgID, _ turnout.EventID, yield func(oversight.Row) error) error {
	if err := known(org); err != nil {
		return err
	}
	for _, row := range o.rows {
		if err := yield(row); err != nil {
			return err
		}
	}
	return o.breaks
}

func (o *operator) Parked(_ context.Context, org turnout.OrgID, dismissed bool, limit int) ([]oversight.Parked, bool, error) {
	o.calls = append(o.calls, fmt.Sprint("parked ", limit))
	if dismissed {
		return []oversight.Parked{{Key: "k-3", Code: "X", Dismissed: noon}}, false, known(org)
	}
	return []oversight.Parked{
		{Key: "k-1", Event: summit.ID, Title: summit.Title, Code: "STRING_TOO_LONG", Says: "Title: data value too large: Queen", Readable: true, Form: summit,
			Details: turnout.Details{Person: turnout.Person{FirstName: "Ada", Email: "ada@example.com", Title: "Queen"}, Answers: turnout.Answers{"diet": {"vegan", "halal"}, "age": {"36"}}}},
		{Key: "k-2", Code: "X"},
	}, true, known(org)
}

func (o *operator) Retry(_ context.Context, org turnout.OrgID, key turnout.Key) (int, error) {
	o.calls = append(o.calls, "retry "+string(key))
	return 2, known(org)
}

func (o *operator) Dismiss(_ context.Context, org turnout.OrgID, key turnout.Key, cancel bool) error {
	o.calls = append(o.calls, fmt.Sprint("dismiss ", key, " ", cancel))
	return errors.Join(known(org), o.fails)
}

func (o *operator) Amend(_ context.Context, org turnout.OrgID, key turnout.Key, d turnout.Details) error {
	o.calls, o.amended = append(o.calls, "amend "+string(key)), d
	return errors.Join(known(org), o.fails)
}

func (o *operator) Forget(_ context.Context, org turnout.OrgID, email string) (erasure.Receipt, error) {
	o.calls = append(o.calls, "forget "+email)
	return erasure.Receipt{ID: "abc", Org: org, At: noon, Forgotten: turnout.Forgotten{Keys: 1, Registrations: 2}}, errors.Join(known(org), o.fails)
}

func (o *operator) RevokeOrg(_ context.Context, org turnout.OrgID) error {
	o.calls = append(o.calls, "revoke")
	return errors.Join(known(org), o.fails)
}

func (o *operator) handler(t testing.TB, checks map[string]func(context.Context) error) http.Handler {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "turnout_probe_total"}))
	a, err := api.NewAdmin(api.AdminOptions{
		Desk: o, Forget: o, Sessions: o, Metrics: registry, Checks: checks, Hosts: []string{"turnout.internal.example.com"}, Logger: slog.New(slog.NewTextHandler(&o.log, nil)),
		Console: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("console")) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a.Handler()
}

const local = "Host: 127.0.0.1:9090"

func TestAdminRoutes(t *testing.T) {
	const acme = "/admin/v1/orgs/acme"
	tests := []struct {
		method, path, body string
		want               int
		says               string
		calls              []string
	}{
		{"GET", "/admin/v1/orgs", "", 200, `"parked":2`, nil},
		{"GET", acme + "/events", "", 200, `"over":2`, nil},
		{"GET", "/admin/v1/orgs/nobody/events", "", 404, "not_found", nil},
		{"GET", acme + "/parked", "", 200, `"says":"Title: data value too large: Queen"`, []string{"parked 0"}},
		{"GET", acme + "/parked?limit=20", "", 200, `"answers":{"age":"36","diet":["vegan","halal"]}`, []string{"parked 20"}},
		{"GET", acme + "/parked?limit=0", "", 422, "limit", nil},
		{"GET", acme + "/parked?limit=x", "", 422, "limit", nil},
		{"GET", acme + "/parked?dismissed=true", "", 200, `"reference":"K-3"`, []string{"parked 0"}},
		{"GET", acme + "/parked?dismissed=true", "", 200, `"dismissed_at":"`, []string{"parked 0"}},
		{"GET", acme + "/parked?dismissed=maybe", "", 422, "Give true or false", nil},
		{"POST", acme + "/parked/k-1/dismiss", "{}", 200, `{"dismissed":"k-1"}`, []string{"dismiss k-1 false"}},
		{"POST", acme + "/parked/k-1/dismiss", `{"cancel":true}`, 200, `{"dismissed":"k-1"}`, []string{"dismiss k-1 true"}},
		{"POST", acme + "/parked/k-1/dismiss", `{"drop":true}`, 422, "Known are", nil},
		{"POST", acme + "/parked/retry", "", 200, `{"retried":2}`, []string{"retry "}},
		{"POST", acme + "/parked/k-1/retry", "{}", 200, `{"retried":2}`, []string{"retry k-1"}},
		{"POST", acme + "/parked/%20/retry", "", 404, "not_found", nil},
		{"POST", acme + "/parked//retry", "", 307, "", nil},
		{"PUT", acme + "/parked/k-1", `{"first_name":"Ada","last_name":"Example","title":"Dr","answers":{"age":36}}`, 200, `{"retried":1}`, []string{"amend k-1"}},
		{"PUT", acme + "/parked/k-1", `{"name":"Ada"}`, 422, "Known are", nil},
		{"POST", acme + "/forget", `{"email":"ada@example.com"}`, 200, `"keys":1`, []string{"forget ada@example.com"}},
		{"POST", acme + "/sessions/revoke", "", 200, `{"org":"acme"}`, []string{"revoke"}},
		{"POST", "/admin/v1/orgs/nobody/sessions/revoke", "", 404, "not_found", []string{"revoke"}},
		{"POST", acme + "/forget", `{"email":"ada"}`, 422, "email", nil},
		{"POST", "/admin/v1/orgs/nobody/forget", `{"email":"ada@example.com"}`, 404, "", []string{"forget ada@example.com"}},
		{"GET", "/admin/v1/nothing", "", 404, `"detail":"/admin/v1/openapi.json says what there is."`, nil},
		{"GET", "/console/", "", 200, "console", nil},
		{"GET", "/", "", 303, "", nil},
		{"GET", "/livez", "", 200, "ok", nil},
		{"GET", "/metrics", "", 200, "turnout_probe_total", nil},
		{"GET", "/readyz", "", 200, `"ready":true`, nil},
	}
	for _, test := range tests {
		o := &operator{}
		w := send(o.handler(t, nil), test.method, test.path, test.body, local)
		if w.Code != test.want || !strings.Contains(w.Body.String(), test.says) || !slices.Equal(o.calls, test.calls) {
			t.Errorf("%s %s: %d, want %d; calls %v: %s", test.method, test.path, w.Code, test.want, o.calls, w.Body)
		}
		if strings.HasPrefix(test.path, "/admin") && w.Code == 200 && !strings.Contains(w.Header().Get("Cache-Control"), "no-store") {
			t.Errorf("%s is kept: %v", test.path, w.Header())
		}
		if strings.Contains(o.log.String(), "ada@") {
			t.Errorf("P8: the log says %s", o.log.String())
		}
	}
}

// The parked list's "typed" can be sent back as it is.
func TestTypedCanBeSentBack(t *testing.T) {
	o := &operator{}
	h := o.handler(t, nil)
	first := read(t, send(h, "GET", "/admin/v1/orgs/acme/parked", "", local))["parked"].([]any)
	if first[1].(map[string]any)["typed"] != nil {
		t.Error("what cannot be read is shown")
	}
	w := send(h, "PUT", "/admin/v1/orgs/acme/parked/k-1", toJSON(t, first[0].(map[string]any)["typed"]), local)
	if w.Code != 200 || o.amended.Person.Email != "ada@example.com" || len(o.amended.Answers["diet"]) != 2 || o.amended.Answers.First("age") != "36" {
		t.Errorf("%d %s %+v", w.Code, w.Body, o.amended)
	}
}

func TestAdminHostsAndOrigins(t *testing.T) {
	for _, test := range []struct {
		path, host, site string
		want             int
	}{
		{"/admin/v1/orgs/acme/parked/retry", "127.0.0.1:9090", "", 200},
		{"/admin/v1/orgs/acme/parked/retry", "localhost:9090", "same-origin", 200},
		{"/admin/v1/orgs/acme/parked/retry", "[::1]:9090", "", 200},
		{"/admin/v1/orgs/acme/parked/retry", "Turnout.Internal.example.com", "", 200},
		{"/admin/v1/orgs/acme/parked/retry", "rebound.example.org", "same-origin", 421},
		{"/admin/v1/orgs/acme/parked/retry", "10.0.0.7:9090", "", 421},
		{"/admin/v1/orgs/acme/parked/retry", "127.0.0.1:9090", "cross-site", 403},
		{"/console/", "rebound.example.org", "", 421},
	} {
		headers := []string{"Host: " + test.host}
		if test.site != "" {
			headers = append(headers, "Sec-Fetch-Site: "+test.site)
		}
		o := &operator{}
		if w := send(o.handler(t, nil), "POST", test.path, "", headers...); w.Code != test.want {
			t.Errorf("%+v: %d %s", test, w.Code, w.Body)
		} else if w.Code == 421 && !strings.Contains(w.Body.String(), "admin_hosts") {
			t.Errorf("%+v: nothing says what to do: %s", test, w.Body)
		}
	}
	for _, path := range []string{"/livez", "/readyz", "/metrics"} { // a prober comes by address
		if w := send((&operator{}).handler(t, nil), "GET", path, "", "Host: 10.0.0.7:9090"); w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestReadiness(t *testing.T) {
	checks := map[string]func(context.Context) error{
		"store": func(context.Context) error { return nil },
		"cache": func(context.Context) error {
			return turnout.Wrap(turnout.CodeUnavailable, "ping", errors.New("/secret/path is gone"))
		},
	}
	w := send((&operator{}).handler(t, checks), "GET", "/readyz", "")
	if w.Code != 503 || strings.TrimSpace(w.Body.String()) != `{"ready":false,"checks":{"cache":"unavailable","store":"ok"}}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestReadinessDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		defer close(stuck)
		h := (&operator{}).handler(t, map[string]func(context.Context) error{"store": func(context.Context) error { <-stuck; return nil }})
		if w := send(h, "GET", "/readyz", ""); w.Code != 503 || !strings.Contains(w.Body.String(), `"store":"unavailable"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func exportRow(key turnout.Key, name string, answers turnout.Answers) oversight.Row {
	return oversight.Row{
		Registration: turnout.Registration{Key: key, Event: summit.ID, Status: turnout.StatusRegistered, Revision: 1, AcceptedAt: noon},
		Details:      turnout.Details{Person: turnout.Person{FirstName: name, Email: "ada@example.com"}, Ticket: "vip", Agenda: []string{"gone", "lunch"}, Guests: []turnout.Guest{{FirstName: "Bo", LastName: "Example"}}, Answers: answers},
	}
}

func TestExportIsHarmlessCSV(t *testing.T) {
	o := &operator{rows: []oversight.Row{
		exportRow("k-1", `=HYPERLINK("https://evil.example.org")`, turnout.Answers{"age": {"-1"}, "diet": {"vegan", "halal"}}),
		exportRow("k-2", "Ada, \"the\" first\nline", turnout.Answers{"age": {"+43 1"}}), exportRow("-key", "@SUM", nil), {},
	}}
	w := send(o.handler(t, nil), "GET", "/admin/v1/orgs/acme/registrations.csv?event="+string(summit.ID), "", local)
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil || len(rows) != 5 || w.Header().Get("Content-Type") != "text/csv; charset=utf-8; header=present" {
		t.Fatal(rows, err, w.Header())
	}
	at := func(row int, column string) string { return rows[row][slices.Index(rows[0], column)] }
	for _, test := range []struct {
		row          int
		column, want string
	}{
		{1, "first_name", `'=HYPERLINK("https://evil.example.org")`}, {1, "answers.age: Age", "'-1"}, {1, "answers.diet: Diet", "vegan; halal"}, {1, "guests", "Bo Example"},
		{1, "guest_count", "1"}, {1, "event_title", "Example Summit"}, {1, "ticket", "vip"}, {1, "ticket_name", "VIP"}, {1, "agenda", "gone; lunch"}, {1, "agenda_names", "Lunch"},
		{1, "reference", "K-1"}, {4, "event_title", ""}, {4, "ticket_name", ""}, {4, "guest_count", "0"},
		{2, "first_name", "Ada, \"the\" first\nline"}, {2, "answers.age: Age", "'+43 1"}, {3, "key", "'-key"}, {3, "first_name", "'@SUM"}, {4, "accepted_at", ""},
	} {
		if got := at(test.row, test.column); got != test.want {
			t.Errorf("row %d %s: %q, want %q", test.row, test.column, got, test.want)
		}
	}
	whole := send(o.handler(t, nil), "GET", "/admin/v1/orgs/acme/registrations.csv", "", local)
	if !strings.Contains(whole.Body.String(), `{""age"":[""-1""]`) {
		t.Errorf("%s", whole.Body)
	}
}

func TestExportThatCannotBegin(t *testing.T) {
	if w := send((&operator{}).handler(t, nil), "GET", "/admin/v1/orgs/nobody/registrations.csv", "", local); w.Code != 404 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := send((&operator{}).handler(t, nil), "GET", "/admin/v1/orgs/acme/registrations.csv?event=nope", "", local); w.Code != 404 || read(t, w)["code"] != "not_found" {
		t.Errorf("an event that is not: %d %s", w.Code, w.Body)
	}
	if w := send((&operator{}).handler(t, nil), "GET", "/admin/v1/orgs/acme/registrations.csv?event="+string(summit.ID), "", local); w.Code != 200 {
		t.Errorf("an event without registrations: %d %s", w.Code, w.Body)
	}
	gone := &operator{rows: []oversight.Row{exportRow("k-1", "Ada", nil)}}
	if w := send(gone.handler(t, nil), "GET", "/admin/v1/orgs/acme/registrations.csv?event=a01000000000099AAA", "", local); w.Code != 200 || !strings.Contains(w.Body.String(), "Ada") {
		t.Errorf("an event that is not published: %d %s", w.Code, w.Body)
	}
	if w := send((&operator{}).handler(t, nil), "GET", "/admin/v1/orgs/acme/registrations.csv", "", local); w.Code != 200 || !strings.HasPrefix(w.Body.String(), "key,") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A broken export does not look like a whole one.
func TestExportThatBreaksOff(t *testing.T) {
	o := &operator{breaks: errors.New("disk")}
	for range 2000 {
		o.rows = append(o.rows, exportRow("k", "Ada", nil))
	}
	server := httptest.NewServer(o.handler(t, nil))
	defer server.Close()
	resp, err := http.Get(server.URL + "/admin/v1/orgs/acme/registrations.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err == nil {
		t.Errorf("%d bytes look whole", body.Len())
	}
	server.Close() // waits for the handler, which writes the log
	if strings.Contains(o.log.String(), "ada@") || !strings.Contains(o.log.String(), "registrations.csv") {
		t.Error(o.log.String())
	}
}

func FuzzHarmless(f *testing.F) {
	f.Add("=1", "a,b\n")
	o := &operator{}
	h := o.handler(f, nil)
	f.Fuzz(func(t *testing.T, name, title string) {
		o.rows = []oversight.Row{exportRow("k", name, turnout.Answers{"age": {title}})}
		w := send(h, "GET", "/admin/v1/orgs/acme/registrations.csv?event="+string(summit.ID), "", local)
		rows, err := csv.NewReader(w.Body).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatalf("%q %q: %v", name, title, err)
		}
		for _, cell := range rows[1] {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("%q %q: cell %q", name, title, cell)
			}
		}
	})
}

func TestAdminOpenAPI(t *testing.T) {
	doc := read(t, send((&operator{}).handler(t, nil), "GET", "/admin/v1/openapi.json", "", local))
	paths := doc["paths"].(map[string]any)
	for _, path := range []string{"", "/{org}/events", "/{org}/parked", "/{org}/parked/retry", "/{org}/parked/{key}/retry", "/{org}/parked/{key}", "/{org}/forget", "/{org}/sessions/revoke", "/{org}/registrations.csv"} {
		if paths["/admin/v1/orgs"+path] == nil {
			t.Errorf("%s is missing", path)
		}
	}
	references(t, doc, doc)
}

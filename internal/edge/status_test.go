package edge

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/status"
)

func TestOperators(t *testing.T) {
	s := crowded(t, nil)
	s.fill()
	s.browser("acme.example").inLine(form)
	admin, err := s.Admin(func(h http.Handler) http.Handler { return h })
	if err != nil {
		t.Fatal(err)
	}
	do := func(method, path, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://localhost:9091"+path, nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, r)
		return w
	}
	var st status.Status
	if w := do("GET", "/edge/status", "*/*"); json.Unmarshal(w.Body.Bytes(), &st) != nil || len(st.Pools) != 4 || len(st.Orgs) != 2 || len(st.Rooms) != 1 || st.Rooms[0].Inside != 5 {
		t.Errorf("status is %s", w.Body)
	}
	page := do("GET", "/edge/status", "text/html,*/*").Body.String()
	for _, want := range []string{"blue-home-1", "acme.example", "Waiting rooms", `action="/edge/upstreams/blue-home-1/drain"`} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	// On a phone a row is a card, and each value says what it is.
	if cells, named := strings.Count(page, "<td"), strings.Count(page, `role="cell" data-label="`); cells == 0 || cells != named {
		t.Errorf("%d of %d values say what they are", named, cells)
	}
	// The page says itself what its heads mean that are words of the edge.
	for _, word := range []string{"Under way", "Places", "Latency", "Failures", "Sessions begun", "Share", "Refused", "Lost", "Moved", "No-shows", "Refused a place"} {
		if !strings.Contains(page, ">"+word+"</th>") || !strings.Contains(page, "<dt>"+word+"</dt>") {
			t.Errorf("%q is no head, or is not explained", word)
		}
	}
	for _, c := range []struct {
		path, accept string
		want         int
	}{
		{"/edge/upstreams/blue-home-1/drain?for=1h", "*/*", 200},
		{"/edge/upstreams/blue-home-2/drain", "text/html", 303},
		{"/edge/upstreams/nobody/drain", "*/*", 404},
		{"/edge/upstreams/blue-home-1/drain?for=soon", "*/*", 400},
		{"/edge/back", "*/*", 404},
	} {
		if w := do("POST", c.path, c.accept); w.Code != c.want {
			t.Errorf("%s answered %d %s", c.path, w.Code, w.Body)
		}
	}
	if page := do("GET", "/edge/status", "text/html").Body.String(); strings.Count(page, `aria-label="Undrain`) != 2 || !strings.Contains(page, "draining, sessions stay until 13:00 UTC") {
		t.Errorf("the page shows %s", page)
	}
	s.Drain("blue-home-2", s.now().Add(-time.Minute)) // its sessions have moved, and it takes no new ones
	if page := do("GET", "/edge/status", "text/html").Body.String(); !strings.Contains(page, `<td class="draining" role="cell" data-label="Condition">drained</td>`) {
		t.Errorf("the page shows %s", page)
	}
	if w := do("POST", "/edge/upstreams/blue-home-1/undrain", "*/*"); w.Code != 200 || !s.upstream("blue-home-1").State(s.now()).Deadline.IsZero() {
		t.Errorf("answered %d", w.Code)
	}
	s.Swap(s.table(stacks()))
	if w := do("POST", "/edge/back", "*/*"); w.Code != 200 || s.Table().Plan().Orgs[0].Name == "" {
		t.Errorf("going back answered %d", w.Code)
	}
	r := httptest.NewRequest("POST", "http://localhost:9091/edge/back", nil)
	r.Header.Set("Origin", "https://elsewhere.example")
	w := httptest.NewRecorder()
	if admin.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("another site's button is answered %d", w.Code)
	}
}

// An org without a limit has none in the status either, and not one of nothing.
func TestStatusOfAnOrgWithoutALimit(t *testing.T) {
	plan := stacks()
	plan.Orgs[0].Placement.Allowance = turnout.Allowance{PerSecond: 20000.5, Burst: 30000}
	s := onStage(t, plan, func(o *Options) { o.Default = turnout.Allowance{Share: 1} })
	text, err := json.Marshal(s.Status().Orgs)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"per_second":20000.5,"burst":30000`, `"per_second":null,"burst":null`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("there is no %s in %s", want, text)
		}
	}
	admin, err := s.Admin(func(h http.Handler) http.Handler { return h })
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "http://localhost:9091/edge/status", nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	admin.ServeHTTP(w, r)
	for _, want := range []string{`data-label="Allowed a second">20,000.5</td>`, `data-label="Allowed a second">no limit</td>`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("there is no %s on the page", want)
		}
	}
}

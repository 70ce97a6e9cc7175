package api_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/api"
)

// TestStatusesWithoutACodeHaveATypeOfTheirOwn asks over HTTP.
func TestStatusesWithoutACodeHaveATypeOfTheirOwn(t *testing.T) {
	h := newDesk().handler(t)
	for _, c := range []struct {
		method, path string
		headers      []string
		status       int
		name         string
	}{
		{"DELETE", registrations, nil, 405, "method_not_allowed"},
		{"POST", registrations, []string{"Content-Type: text/plain"}, 415, "media_type"},
		{"GET", "/api/v1/events", []string{"Host: nobody.example.com"}, 421, "misdirected"},
		{"GET", "/nothing", []string{"Host: nobody.example.com"}, 421, "misdirected"},
		{"GET", "/api/v1/events/nothing", nil, 404, "not_found"},
	} {
		w := send(h, c.method, c.path, "", c.headers...)
		if got := read(t, w)["type"]; w.Code != c.status || got != "urn:turnout:problem:"+c.name {
			t.Errorf("%s %s: %d of type %v, want %d %s", c.method, c.path, w.Code, got, c.status, c.name)
		}
	}
}

// TestOpenAPIListsEveryStatus: what the handlers share is in the document too.
func TestOpenAPIListsEveryStatus(t *testing.T) {
	public := read(t, send(newDesk().handler(t), "GET", "/api/openapi.json", ""))
	operators := read(t, send((&operator{}).handler(t, nil), "GET", "/admin/v1/openapi.json", "", local))
	for _, doc := range []map[string]any{public, operators} {
		for path, item := range doc["paths"].(map[string]any) {
			for method, operation := range item.(map[string]any) {
				responses := operation.(map[string]any)["responses"].(map[string]any)
				want := []string{"405", "421"}
				if method != "get" {
					want = append(want, "400", "403", "408", "413", "422")
				}
				if method != "get" && !strings.HasPrefix(path, "/hooks/") {
					want = append(want, "415")
				}
				for _, status := range []string{"400", "403", "405", "408", "413", "415", "421"} {
					if _, listed := responses[status]; slices.Contains(want, status) && !listed || method == "get" && listed && !slices.Contains(want, status) {
						t.Errorf("%s %s: %s is listed %v", method, path, status, listed)
					}
				}
			}
		}
	}
}

// TestSlowBodyIsATimeout sends half a body over a real connection, whichever of
// the two clocks runs out.
func TestSlowBodyIsATimeout(t *testing.T) {
	d := newDesk()
	a, err := api.New(api.Options{Catalog: d, Links: d, Intake: d, Secrets: d, Hints: d, ReadTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(a.Handler())
	server.Config.ReadTimeout = 40 * time.Millisecond
	server.Start()
	defer server.Close()
	for _, target := range []string{"POST " + registrations, "PUT /api/v1/registrations/" + ownToken, "POST /api/v1/registrations/" + ownToken + "/cancel"} {
		for _, framing := range []string{"Content-Length: 100\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n40\r\n"} {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: events.example.com\r\nContent-Type: application/json\r\nIdempotency-Key: a\r\n%s{\"first_name\":", target, framing); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%s: %v", target, err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusRequestTimeout || len(d.calls) > 0 {
				t.Errorf("%s: %s, %v", target, resp.Status, d.calls)
			}
		}
	}
}

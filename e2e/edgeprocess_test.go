//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// edgeProcess is a running `turnout edge`.
type edgeProcess struct {
	t      *testing.T
	cmd    *exec.Cmd
	dir    string
	routes string // its file
	plain  string // host:port, empty where it was told none
	url    string // what it names first
	admin  string
}

// startEdge runs an edge with a file of routes until the test ends. Settings are
// TURNOUT_EDGE_… without their prefix.
func startEdge(t *testing.T, routes string, settings ...string) *edgeProcess {
	t.Helper()
	e := &edgeProcess{t: t, dir: t.TempDir(), plain: wiretest.FreeAddress(t)}
	e.routes = filepath.Join(e.dir, "routes.yaml")
	e.write(routes)
	ready := filepath.Join(e.dir, "ready.json")
	e.cmd = exec.Command(binary(t), "edge", "--ready-file", ready)
	e.cmd.Env = append(os.Environ(), "TURNOUT_DATA="+e.dir, "TURNOUT_EDGE_ROUTES="+e.routes, "TURNOUT_EDGE_ORGS=routes",
		"TURNOUT_EDGE_LISTEN="+e.plain, "TURNOUT_EDGE_ADMIN_LISTEN="+wiretest.FreeAddress(t), "TURNOUT_EDGE_CLIENT_PER_SECOND=0", "TURNOUT_EDGE_CLIENT_CONNECTIONS=0", "TURNOUT_EDGE_CLIENT_OPENING=0", "TURNOUT_EDGE_ORG_PER_SECOND=0", "TURNOUT_EDGE_ORG_BURST=0")
	for _, s := range settings {
		e.cmd.Env = append(e.cmd.Env, "TURNOUT_EDGE_"+s)
	}
	keepRunning(t, "edge", e.cmd)
	deadline := time.After(20 * time.Second)
	for {
		var r struct{ URL, Admin string }
		if text, err := os.ReadFile(ready); err == nil && json.Unmarshal(text, &r) == nil {
			e.url, e.admin = r.URL, r.Admin
			return e
		}
		select {
		case <-deadline:
			t.Fatal("the edge does not serve")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// write replaces the file of routes.
func (e *edgeProcess) write(routes string) {
	e.t.Helper()
	if err := os.WriteFile(e.routes+".new", []byte(routes), 0o600); err != nil {
		e.t.Fatal(err)
	}
	if err := os.Rename(e.routes+".new", e.routes); err != nil {
		e.t.Fatal(err)
	}
}

// edgeStatus is GET /edge/status.
type edgeStatus struct {
	Pools []struct {
		Stack, Region string
		Upstreams     []struct {
			Name, Condition string
			Requests        int
		}
	}
	Orgs []struct {
		Org   string
		Stack string
		Moved int `json:"sessions_moved"`
		Lost  int
	}
}

func (e *edgeProcess) status() (s edgeStatus) {
	e.t.Helper()
	resp, err := http.Get(e.admin + "/edge/status")
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		e.t.Fatal(err)
	}
	return s
}

// named serves its name, and counts.
func named(t *testing.T, name string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, name)
	}))
	t.Cleanup(s.Close)
	return s
}

// routesOf is a file of one stack in one region, and of an org.
func routesOf(upstreams ...*httptest.Server) string {
	var b strings.Builder
	b.WriteString("stacks:\n- name: blue\n  pools:\n  - region: here\n    upstreams:\n")
	for i, u := range upstreams {
		fmt.Fprintf(&b, "    - {name: u%d, url: %q}\n", i+1, u.URL)
	}
	b.WriteString("orgs:\n- {id: acme, name: Acme, hosts: [events.acme.example]}\n")
	return b.String()
}

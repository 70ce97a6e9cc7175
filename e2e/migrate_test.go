//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// P9: two orgs move to another stack in waves, under visitors who read and submit, and
// back again: nobody moves before somebody is there, no request is lost, and each
// registration becomes one record.
func TestP9WavesUnderLoad(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	id := d.event("edge-waves", 30000, nil)
	green := wiretest.FreeAddress(t)
	d.addStack("green", green)
	d.migrate("plan", "-f", d.file("waves.yaml", `
to: green
window: 00:00-24:00
pause: 0s
waves:
- orgs: [mending]
- all: true
`))
	d.migrate("start")
	c := d.crowd("edge-waves", 60, 2*time.Second)
	d.within(time.Minute, "the obstacle", func() bool {
		return strings.Contains(d.migrate("status"), "as soon as it can: no instance of stack green is up")
	})
	if stacks := d.stacks(); stacks["mending"] != "demo" || stacks["tidewater"] != "demo" {
		t.Errorf("P9: with nobody there the orgs are on %v", stacks)
	}
	serve := exec.Command(binary(t), "serve")
	serve.Env = append(d.settings(), "TURNOUT_LISTEN="+green, "TURNOUT_ADMIN_LISTEN=127.0.0.1:0", "TURNOUT_INSTANCE=green-1", "TURNOUT_STACK=green")
	keepRunning(t, "green", serve)
	d.within(2*time.Minute, "both waves", func() bool {
		s := d.stacks()
		if s["tidewater"] == "green" && s["mending"] != "green" {
			t.Error("P9: the second wave went first")
		}
		return s["tidewater"] == "green" && s["mending"] == "green"
	})
	served := d.answeredBy("green-1")
	pass(5 * time.Second) // for visitors of both stacks
	fresh := d.crowd("edge-waves", 40, time.Second)
	pass(5 * time.Second)
	if now := d.answeredBy("green-1"); now < served+20 {
		t.Errorf("P9: of 40 visitors who came then, the new stack answered %d requests", now-served)
	}
	for _, wave := range []struct{ back, mending string }{{"tidewater", "green"}, {"mending", "demo"}} {
		if out := d.migrate("rollback"); !strings.Contains(out, wave.back+" is back\n1 org went back; 0 orgs that waited are held") {
			t.Errorf("the rollback of %s says %s", wave.back, out)
		}
		d.within(10*time.Second, "the way back", func() bool {
			s := d.stacks()
			return s["tidewater"] == "demo" && s["mending"] == wave.mending
		})
	}
	pass(3 * time.Second)
	c.disperse()
	fresh.disperse()
	if n := c.lost.Load() + fresh.lost.Load(); n != 0 {
		t.Errorf("P9: %d requests were lost", n)
	}
	fresh.acknowledged.Range(func(key, _ any) bool { c.acknowledged.Store(key, true); return true })
	d.allArrive(id, "edge-waves", &c.acknowledged, 30000)
}

// settings are what a command needs to work on the demo's store.
func (d *demo) settings() []string {
	return append(os.Environ(), "TURNOUT_DATA="+filepath.Join(d.home, "data"))
}

// migrate runs `turnout migrate` on the demo's store, and returns what it says.
func (d *demo) migrate(args ...string) string {
	d.t.Helper()
	cmd := exec.Command(binary(d.t), append([]string{"migrate"}, args...)...)
	cmd.Env = append(d.settings(), "TURNOUT_EDGE_ROUTES="+filepath.Join(d.home, "routes.yaml"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("migrate %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// file writes a file for a command.
func (d *demo) file(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// addStack adds a stack of one instance to the routes of the demo's edge.
func (d *demo) addStack(name, address string) {
	d.t.Helper()
	path := filepath.Join(d.home, "routes.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	text = fmt.Appendf(text, "- name: %s\n  pools:\n  - {region: here, upstreams: [{name: %s-1, url: \"http://%s\"}]}\n", name, name, address)
	if err := os.Rename(d.file("routes.yaml", string(text)), path); err != nil {
		d.t.Fatal(err)
	}
}

// edgeStatus asks the demo's edge how it stands.
func (d *demo) edgeStatus() (s edgeStatus) {
	d.t.Helper()
	var ready struct{ Admin string }
	text, err := os.ReadFile(filepath.Join(d.home, "edge.ready.json"))
	if err == nil {
		err = json.Unmarshal(text, &ready)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := d.do(http.MethodGet, ready.Admin+"/edge/status", "", "")
	if err == nil {
		err = json.Unmarshal([]byte(r.body), &s)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// stacks tells on which stack the edge has each org's new sessions.
func (d *demo) stacks() map[string]string {
	all := map[string]string{}
	for _, o := range d.edgeStatus().Orgs {
		all[o.Org] = o.Stack
	}
	return all
}

// answeredBy counts the requests that an instance has answered.
func (d *demo) answeredBy(upstream string) int {
	for _, p := range d.edgeStatus().Pools {
		for _, u := range p.Upstreams {
			if u.Name == upstream {
				return u.Requests
			}
		}
	}
	return 0
}

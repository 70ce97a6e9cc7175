//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// metrics are the lines that the demo's admin address shows.
func (d *demo) metrics() []string {
	return strings.Split(d.get(strings.TrimSuffix(d.ready.Console, "/console/")+"/metrics").body, "\n")
}

// What is known of an org is shown at zero from the start, whenever the org was
// set up; what was counted stays while instances are killed one after another,
// and so does the operator's address.
func TestMetricsOutliveInstances(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	for _, line := range []string{
		fmt.Sprintf(`turnout_registrations_accepted_total{org=%q} 0`, d.ready.Org),
		`turnout_deliveries_total{org="mending",outcome="parked"} 0`,
	} {
		if !slices.Contains(d.metrics(), line) {
			t.Errorf("%s is not shown", line)
		}
	}
	later := filepath.Join(d.dir, "later.yaml")
	text := fmt.Sprintf("orgs:\n- id: later\n  name: Later\n  hosts: [later.localhost]\n  hook_secrets: [0123456789abcdef]\n"+
		"  salesforce: {login_url: %q, client_id: demo, client_secret: demo}\n", d.ready.Simulator)
	if err := os.WriteFile(later, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, filepath.Join(d.dir, "demo", "data"), "org", "apply", "-f", later)
	d.within(10*time.Second, "the new org's metrics", func() bool {
		return slices.Contains(d.metrics(), `turnout_registrations_accepted_total{org="later"} 0`)
	})

	const accepted = 12
	d.event("counted", 100, nil)
	for i := range accepted {
		r, err := d.register("counted", fmt.Sprintf("counted-%d", i), map[string]any{
			"first_name": "Counted", "last_name": "Person", "email": fmt.Sprintf("counted-%d@example.com", i)})
		if err != nil || r.status != http.StatusCreated {
			t.Fatalf("registration %d: %d %v", i, r.status, err)
		}
	}
	want := fmt.Sprintf(`turnout_registrations_accepted_total{org=%q} %d`, d.ready.Org, accepted)
	if !slices.Contains(d.metrics(), want) {
		t.Errorf("%s is not shown", want)
	}
	for i := range d.ready.PIDs["instance"] {
		d.reload()
		pid := d.ready.PIDs["instance"][i]
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if got := d.get(d.ready.Console); got.status != http.StatusOK {
			t.Errorf("with an instance killed, the console answers %d", got.status)
		}
		if !slices.Contains(d.metrics(), want) {
			t.Errorf("%s is not shown after a kill", want)
		}
		d.within(30*time.Second, "the instance is back", func() bool { return d.reload() && d.ready.PIDs["instance"][i] != pid })
		if !slices.Contains(d.metrics(), want) {
			t.Errorf("%s is not shown when it is back", want)
		}
	}
}

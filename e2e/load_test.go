//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/load/result"
)

// loadRun runs `turnout load` and gives its result, its exit status and what it said.
func (d *demo) loadRun(t *testing.T, args ...string) (run *result.Run, status int, said string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "run.json")
	args = append([]string{"load"}, append(args, "--json", file, "--report", file+".html")...)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, binary(t), args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, cmd.ProcessState.ExitCode(), out.String()
	}
	if err := json.Unmarshal(text, &run); err != nil {
		t.Fatal(err)
	}
	if html, err := os.ReadFile(file + ".html"); err != nil || !bytes.Contains(html, []byte("</html>")) {
		t.Errorf("the report: %v, %d bytes", err, len(html))
	}
	return run, cmd.ProcessState.ExitCode(), out.String()
}

// Each scenario runs against a demo with its ready file alone, and proves what it is
// there to prove. Latencies are not looked at: the machine is shared.
func TestLoadScenarios(t *testing.T) {
	t.Parallel()
	d := startDemo(t, "--allowance", "20")
	for _, c := range []struct {
		scenario string
		args     []string
		right    func(t *testing.T, run *result.Run)
	}{
		{"smoke", nil, d.everyPageIsRight},
		{"invite-storm", []string{"--sessions", "150", "--duration", "8s", "--rate", "20"}, d.stormIsRight},
		{"onsale", []string{"--sessions", "200", "--duration", "4s"}, saleIsRight},
		{"pentest", []string{"--duration", "8s", "--rate", "8"}, attackIsRight},
		{"soak", []string{"--sessions", "20", "--duration", "8s"}, soakIsRight},
	} {
		t.Run(c.scenario, func(t *testing.T) {
			run, status, said := d.loadRun(t, append([]string{c.scenario, "--demo", d.readyFile, "--seed", "5"}, c.args...)...)
			if run == nil {
				t.Fatalf("status %d, no result:\n%s", status, said)
			}
			if (status == 0) != run.Passed() {
				t.Errorf("status %d, passed: %v", status, run.Passed())
			}
			if run.Seed != 5 || run.Scenario != c.scenario {
				t.Errorf("%s with seed %d", run.Scenario, run.Seed)
			}
			for _, v := range run.Verdicts {
				latency := strings.HasPrefix(v.Threshold, "p") || strings.HasPrefix(v.Threshold, "no registration waits")
				if !v.Met && !latency {
					t.Errorf("missed: %s: %s", v.Threshold, v.Measured)
				}
			}
			c.right(t, run)
			if t.Failed() {
				t.Log(said)
			}
		})
	}
}

// Every public page was asked for: those of the API are what its description lists.
func (d *demo) everyPageIsRight(t *testing.T, run *result.Run) {
	var described struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(d.get("/api/openapi.json").body), &described); err != nil || len(described.Paths) < 8 {
		t.Fatalf("the API's description: %v, %d paths", err, len(described.Paths))
	}
	for path, methods := range described.Paths {
		route := strings.NewReplacer("{slug}", "SLUG", "{token}", "TOKEN").Replace(path)
		for method := range methods {
			if !slices.ContainsFunc(run.Pages, func(p result.Page) bool {
				asked, _, _ := strings.Cut(p.Route, ",")
				return asked == route && strings.EqualFold(p.Method, method)
			}) {
				t.Errorf("nobody asked for %s %s", strings.ToUpper(method), path)
			}
		}
	}
	if len(run.Pages) < 40 {
		t.Errorf("%d pages", len(run.Pages))
	}
	// The event is gone again, and nothing was left that cannot be written to it.
	if !slices.ContainsFunc(run.Verdicts, func(v result.Verdict) bool {
		return v.Threshold == "what was registered is in Salesforce, and taken back" && strings.HasPrefix(v.Measured, "4 of 4 ")
	}) {
		t.Errorf("nobody waited for what was registered: %+v", run.Verdicts)
	}
	for _, e := range d.records("Turnout_Event__c", "") {
		if slug, _ := e["Slug__c"].(string); strings.HasPrefix(slug, "seeded-event") {
			t.Errorf("%s of the run is in Salesforce still", slug)
		}
	}
	for _, p := range run.Pages {
		if p.Fault != "" {
			t.Errorf("%s %s: %s", p.Method, p.Route, p.Fault)
		}
	}
}

func outcome(run *result.Run, what string) int64 {
	for _, c := range run.Outcomes {
		if c.What == what {
			return c.Count
		}
	}
	return 0
}

// P12: mail scanners change nothing; P1: what was acknowledged is in Salesforce.
func (d *demo) stormIsRight(t *testing.T, run *result.Run) {
	if !slices.ContainsFunc(run.Verdicts, func(v result.Verdict) bool {
		return v.Threshold == "what scanners opened is unanswered still" && v.Met
	}) {
		t.Error("nobody looked at what scanners opened")
	}
	if outcome(run, "accepted") == 0 || len(run.Seats) != 1 || run.Seats[0].Acknowledged == 0 || run.Seats[0].Lost != 0 {
		t.Errorf("%v %+v", run.Outcomes, run.Seats)
	}
	if run.Salesforce == nil || run.Salesforce.Records == 0 || len(run.Usage) == 0 {
		t.Errorf("Salesforce %+v, %d looks at processes", run.Salesforce, len(run.Usage))
	}
}

// P2: as many are accepted as there are seats, and the others are told so.
func saleIsRight(t *testing.T, run *result.Run) {
	if outcome(run, "accepted") != 100 || outcome(run, "waitlisted") == 0 || outcome(run, "turned away: full") == 0 {
		t.Errorf("%v", run.Outcomes)
	}
	if len(run.Seats) != 1 || run.Seats[0].Limit != 100 || run.Seats[0].Recorded != 100 || run.Seats[0].Oversold != 0 {
		t.Errorf("%+v", run.Seats)
	}
}

// P7: the attacked org is held to its allowance, and the others' visitors are compared.
func attackIsRight(t *testing.T, run *result.Run) {
	if outcome(run, "attack: refused with 429") == 0 {
		t.Errorf("nothing was refused: %v", run.Outcomes)
	}
	compared := 0
	for _, v := range run.Verdicts {
		if strings.Contains(v.Threshold, "while others are noisy") {
			compared++
		}
	}
	if compared == 0 {
		t.Errorf("nothing was compared: %+v", run.Verdicts)
	}
}

func soakIsRight(t *testing.T, run *result.Run) {
	seen := map[string]bool{}
	for _, u := range run.Usage {
		seen[u.Process] = true
		if u.Memory < 1<<20 || u.Goroutines == 0 || u.Files == 0 {
			t.Fatalf("%+v", u)
		}
	}
	if !seen["instance 1"] || !seen["instance 2"] || !seen["edge"] {
		t.Errorf("processes: %v", seen)
	}
}

// The samples that are shipped run as they are written.
func TestLoadSamples(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	dir := t.TempDir()
	if out, err := exec.Command(binary(t), "load", "--samples", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if len(files) != 3 {
		t.Fatalf("%v", files)
	}
	for _, file := range files {
		run, _, said := d.loadRun(t, file, "--demo", d.readyFile, "--duration", "6s", "--rate", "10", "--sessions", "30")
		if run == nil || run.Interrupted {
			t.Errorf("%s:\n%s", file, said)
			continue
		}
		for _, s := range run.Steps {
			if len(s.Errors) > 0 {
				t.Errorf("%s: %s: %v", file, s.Name, s.Errors)
			}
		}
	}
}

// Ctrl-C in the middle: a report of what there was, and a clean end.
func TestLoadInterrupted(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	run := d.interrupted(t, func(says func(string)) { says("/s  p50") }, "soak", "--sessions", "20", "--duration", "10m")
	if len(run.Steps) == 0 {
		t.Errorf("%+v", run)
	}
	// Its events are off the pages again.
	d.within(10*time.Second, "the events to go", func() bool { return !strings.Contains(d.get("/").body, "seeded-event") })
	// Who does not wait for Salesforce hears of nothing that was lost there.
	run = d.interrupted(t, func(says func(string)) {
		says("onsale against")
		d.sim(http.MethodPut, "/_sim/faults", `{"outage_seconds": 120}`, nil)
		says("waiting for Salesforce")
	}, "onsale", "--sessions", "50", "--duration", "3s")
	if len(run.Seats) != 0 {
		t.Errorf("%+v", run.Seats)
	}
	for _, v := range run.Verdicts {
		if strings.Contains(v.Threshold, "Salesforce") && !v.Met {
			t.Errorf("missed: %s: %s", v.Threshold, v.Measured)
		}
	}
}

// interrupted runs `turnout load`, presses Ctrl-C when until has heard it say what it
// waits for, and gives what it left.
func (d *demo) interrupted(t *testing.T, until func(says func(string)), args ...string) *result.Run {
	t.Helper()
	file := filepath.Join(t.TempDir(), "run.json")
	cmd := exec.Command(binary(t), append(append([]string{"load"}, args...), "--demo", d.readyFile, "--json", file)...)
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(func(what string) {
		d.within(90*time.Second, "the run to say "+what, func() bool { return strings.Contains(out.String(), what) })
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		t.Fatalf("it did not end:\n%s", out.String())
	}
	var run result.Run
	text, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(text, &run) != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !run.Interrupted || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("status %d, %+v\n%s", cmd.ProcessState.ExitCode(), run, out.String())
	}
	return &run
}

// Whoever says something wrong hears it in words, and nothing is run.
func TestLoadBadUse(t *testing.T) {
	t.Parallel()
	d := startDemo(t, "--instances", "1")
	links := filepath.Join(t.TempDir(), "links.txt")
	text := strings.Join(d.ready.Links[:2], "\n") + "\nhttp://mending.localhost/l/abcdefghijkl\n"
	if err := os.WriteFile(links, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, says string }{
		{"smoke --target http://127.0.0.1:1", "nobody answers there"},
		{"smoke --target " + strings.Replace(d.ready.Public, "127.0.0.1", "nobody.localhost", 1), "is this the host of an org?"},
		{"smoke --target " + strings.Replace(d.ready.Public, "http:", "https:", 1), "is it http"},
		{"smoke --event nonesuch --target " + d.ready.Public, "the target has no such event"},
		{"onsale --event nonesuch --target " + d.ready.Public, "the target has no such event"},
		{fmt.Sprintf("smoke --demo %s --target %s", d.readyFile, strings.Replace(d.ready.Public, "127.0.0.1", "mending.localhost", 1)), "simulates Salesforce for another org"},
		{fmt.Sprintf("invite-storm --target %s --links %s", d.ready.Public, links), "1 of 3 are no personal links"},
		{fmt.Sprintf("onsale --target %s --simulator %s", d.ready.Public, d.ready.Public), "the simulator answered 404"},
		{fmt.Sprintf("soak --target %s --simulator %s --metrics %s", d.ready.Public, d.ready.Simulator, d.ready.Public), "none of them shows metrics"},
	} {
		run, status, said := d.loadRun(t, strings.Fields(c.args)...)
		if run != nil || status != 2 || !strings.Contains(said, c.says) {
			t.Errorf("turnout load %s: status %d, %s", c.args, status, said)
		}
		if strings.Contains(said, "abcdefghijkl") {
			t.Errorf("a link is repeated: %s", said)
		}
	}
}

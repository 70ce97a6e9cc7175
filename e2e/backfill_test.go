//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// filling is one instance on one machine's engines, and a simulated Salesforce
// with many links.
type filling struct {
	*demo
	admin    string
	instance *exec.Cmd
	tokens   []string
	people   []string // whose links they are, by e-mail address
}

// pageRows is how many links a call brings.
const pageRows = 20_000

func startFilling(t *testing.T, links int) *filling {
	t.Helper()
	dir := t.TempDir()
	f := &filling{demo: &demo{t: t, dir: dir, home: dir, client: &http.Client{
		Timeout: 60 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}}
	public, admin, simulator := wiretest.FreeAddress(t), wiretest.FreeAddress(t), wiretest.FreeAddress(t)
	f.ready.Public, f.ready.Simulator, f.ready.Org, f.admin = "http://"+public, "http://"+simulator, "tidewater", "http://"+admin
	t.Setenv("TURNOUT_DATA", filepath.Join(dir, "data"))
	t.Setenv("TURNOUT_LISTEN", public)
	t.Setenv("TURNOUT_ADMIN_LISTEN", admin)
	t.Setenv("TURNOUT_MIRROR_EVERY", "10s")
	f.run("simulator", "simulator", "--listen", simulator)
	f.sim(http.MethodPost, "/_sim/seed", fmt.Sprintf(`{"events":5,"links":%d}`, links), nil)
	for _, r := range f.records("Turnout_Link__c", "") {
		f.tokens, f.people = append(f.tokens, r["Token__c"].(string)), append(f.people, r["Email__c"].(string))
	}
	file := filepath.Join(dir, "orgs.yaml")
	text := fmt.Sprintf("orgs:\n- id: tidewater\n  name: Tidewater\n  hosts: [127.0.0.1]\n  mapping: turnout\n  hook_secrets: [%s]\n"+
		"  salesforce: {login_url: %q, client_id: demo, client_secret: demo}\n", hookSecret, f.ready.Simulator)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, os.Getenv("TURNOUT_DATA"), "org", "apply", "-f", file)
	return f
}

// run runs the program until the test ends, and waits until it serves.
func (f *filling) run(name string, args ...string) *exec.Cmd {
	f.t.Helper()
	ready := filepath.Join(f.dir, name+".ready.json")
	_ = os.Remove(ready)
	log, err := os.OpenFile(filepath.Join(f.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.Command(binary(f.t), append(args, "--ready-file", ready)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // whoever was killed before needs none
		_ = cmd.Wait()
		_ = log.Close()
		if f.t.Failed() && name == "instance" {
			f.showLogs()
		}
	})
	f.within(30*time.Second, name, func() bool { _, err := os.Stat(ready); return err == nil })
	return cmd
}

func (f *filling) serve() { f.instance = f.run("instance", "serve") }

// kill ends the instance as a power cut would.
func (f *filling) kill() {
	f.t.Helper()
	if err := f.instance.Process.Kill(); err != nil {
		f.t.Fatal(err)
	}
	_ = f.instance.Wait()
}

// progress is what the admin API tells of the org.
type progress struct {
	Links   int `json:"links"`
	Reading *struct {
		Done, Total int
	} `json:"reading_links"`
	Reads map[string]time.Time `json:"last_reads"`
}

func (f *filling) progress() progress {
	var all struct {
		Orgs []struct {
			Mirror progress `json:"mirror"`
		} `json:"orgs"`
	}
	r, err := f.do(http.MethodGet, f.admin+"/admin/v1/orgs", "", "")
	if err != nil || json.Unmarshal([]byte(r.body), &all) != nil || len(all.Orgs) != 1 {
		return progress{}
	}
	return all.Orgs[0].Mirror
}

// reached waits until so many links are kept, and tells how many are.
func (f *filling) reached(links int) (done int) {
	f.t.Helper()
	f.within(60*time.Second, fmt.Sprint(links, " links"), func() bool {
		if p := f.progress(); p.Reading != nil {
			done = p.Reading.Done
		}
		return done >= links
	})
	return done
}

// unserved asks for every link's page, from several clients at once, and returns the
// tokens of those that are not answered with 200.
func (f *filling) unserved() []string {
	var mu sync.Mutex
	var missing []string
	var all sync.WaitGroup
	for w := range 16 {
		all.Go(func() {
			for i := w; i < len(f.tokens); i += 16 {
				r, err := f.do(http.MethodGet, f.ready.Public+"/l/"+f.tokens[i], "", "")
				if err != nil || r.status != http.StatusOK {
					mu.Lock()
					missing = append(missing, f.tokens[i])
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return missing
}

// A backfill through the Bulk API that is killed with kill -9 goes on with the
// page of the same job that was not kept, serves every link in the end, and none
// of those whose people were forgotten meanwhile (P8).
func TestBackfillOutlivesKill9(t *testing.T) {
	const links = 100_000
	f := startFilling(t, links)
	f.serve()
	f.reached(2 * pageRows)
	// The first is kept by now; the last is not, whatever order the job has.
	forgotten := map[string]bool{}
	for _, i := range []int{0, links - 1} {
		forgotten[f.tokens[i]] = true
		command(t, os.Getenv("TURNOUT_DATA"), "forget", "--org", "tidewater", "--email", f.people[i])
	}
	f.kill()
	fetched := f.stats().Calls["bulk_results"]
	f.serve()
	f.within(60*time.Second, "the end of the backfill", func() bool { p := f.progress(); return p.Reading == nil && !p.Reads["links"].IsZero() })
	if p := f.progress(); p.Links != links-len(forgotten) {
		t.Errorf("%d links are kept", p.Links)
	}
	calls := f.stats().Calls
	if pages := links / pageRows; calls["bulk_query_job"] != 1 || calls["bulk_results"] > pages+1 || fetched > pages {
		t.Errorf("one page at most is fetched again, but of %d pages there were %d before the kill: %v", pages, fetched, calls)
	}
	if calls["bulk_delete"] != 1 {
		t.Errorf("the job was left behind: %v", calls)
	}
	missing := f.unserved()
	for _, token := range missing {
		if !forgotten[token] {
			t.Errorf("a link is not served, of %d", len(missing))
			break
		}
	}
	if len(missing) != len(forgotten) {
		t.Errorf("%d links are not served, of people who were forgotten %d", len(missing), len(forgotten))
	}
	if log, err := os.ReadFile(filepath.Join(f.dir, "instance.log")); err != nil || !strings.Contains(string(log), "goes on where it stopped") || strings.Contains(string(log), "@example.com") {
		t.Errorf("the log does not say so, or names somebody: %v", err)
	}
}

// When Salesforce has thrown the job away meanwhile, another one brings all.
func TestBackfillBeginsAnewWithoutItsJob(t *testing.T) {
	const links = 40_000
	f := startFilling(t, links)
	f.serve()
	f.reached(pageRows)
	f.kill()
	for _, r := range f.salesforce(http.MethodGet, "/jobs/query", nil)["records"].([]any) {
		id, _ := r.(map[string]any)["id"].(string)
		f.salesforce(http.MethodDelete, "/jobs/query/"+url.PathEscape(id), nil)
	}
	f.serve()
	f.within(60*time.Second, "all links", func() bool { p := f.progress(); return p.Reading == nil && p.Links == links })
	if calls := f.stats().Calls; calls["bulk_query_job"] != 2 {
		t.Errorf("calls %v", calls)
	}
	if missing := f.unserved(); len(missing) != 0 {
		t.Errorf("%d links are not served", len(missing))
	}
}

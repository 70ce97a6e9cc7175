package bench

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	pagesRate = flag.Float64("pages", 100, "requests a second of visitors during BenchmarkBackfill")
	quiet     = flag.Duration("quiet", 20*time.Second, "how long visitors are measured before BenchmarkBackfill begins to read")
)

// The two orgs of BenchmarkBackfill: one has many links, the other visitors.
const (
	manyOrg = "many"
	busyOrg = "busy"
)

// BenchmarkBackfill: an org with -links links is read for the first time by a
// `turnout serve`, through Bulk API 2.0 from a `turnout simulator` on the same
// machine, while visitors of another org open personal links and register. Both
// are the real program, as it is in TURNOUT_BINARY or built for the run. The time
// counts from `turnout org apply`, and the calls are all that the org got by then,
// polls included.
func BenchmarkBackfill(b *testing.B) {
	for b.Loop() {
		backfill(b, b.TempDir())
	}
	b.ReportMetric(0, "ns/op")
}

func backfill(b *testing.B, dir string) {
	d := deploy(b, dir)
	many, busy := d.salesforce(manyOrg, 20, *links), d.salesforce(busyOrg, 5, 1000)
	instance := d.serve()
	d.apply(busyOrg, busy.url)
	d.within(time.Minute, "the busy org's links", func() bool { return d.status(busyOrg, "/l/"+busy.tokens[len(busy.tokens)-1]) == http.StatusOK })

	before := d.visit(busy, func(elapsed time.Duration) bool { return elapsed < *quiet })
	calls, begin := d.calls(many), time.Now()
	d.apply(manyOrg, many.url)
	during := d.visit(busy, func(time.Duration) bool { return d.held(manyOrg) < *links })
	took := time.Since(begin)
	b.ReportMetric(took.Seconds(), "s")
	b.ReportMetric(float64(*links)/took.Seconds(), "links/s")
	b.ReportMetric(float64(d.calls(many)-calls), "calls")
	b.ReportMetric(instance.peak(), "peak-MiB")
	b.Logf("before: %v", before)
	b.Logf("during: %v", during)
	d.serveAll(many)
	b.ReportMetric(before.pages.quantile(0.99), "quiet-page-p99-ms")
	b.ReportMetric(during.pages.quantile(0.99), "page-p99-ms")
	b.ReportMetric(before.registrations.quantile(0.99), "quiet-registration-p99-ms")
	b.ReportMetric(during.registrations.quantile(0.99), "registration-p99-ms")
	b.ReportMetric(float64(during.failed), "failed")
	instance.end() // the last one to close an SQLite file writes its log into it
	b.ReportMetric(d.bytes("store.db")/float64(*links), "store-B/link")
	b.ReportMetric(d.bytes("cache.db")/float64(*links), "cache-B/link")
}

// visit sends visitors of an org while more says so: -pages requests a second
// for personal links, and a registration with every tenth.
func (d *deployment) visit(s *salesforceOrg, more func(elapsed time.Duration) bool) visits {
	d.b.Helper()
	return openLoop(*pagesRate, more, func(n int) (kind, error) {
		if n%10 == 9 {
			return aRegistration, d.register(busyOrg, s.slugs[n%len(s.slugs)], n)
		}
		if status := d.status(busyOrg, "/l/"+s.tokens[rand.IntN(len(s.tokens))]); status != http.StatusOK {
			return aPage, fmt.Errorf("status %d", status)
		}
		return aPage, nil
	})
}

func (d *deployment) register(org, slug string, n int) error {
	key := fmt.Sprintf("bench-%d-%d", time.Now().UnixNano(), n)
	return d.registerAs(org, slug, key, key+"@example.com")
}

func (d *deployment) registerAs(org, slug, key, email string) error {
	body := fmt.Sprintf(`{"first_name":"Test","last_name":"Person","email":%q}`, email)
	req, err := http.NewRequestWithContext(d.b.Context(), http.MethodPost, d.public+"/api/v1/events/"+slug+"/registrations", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Host = org + ".localhost"
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	resp, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusCreated {
		return errors.New(resp.Status)
	}
	return nil
}

// status is how an org's page is answered, 0 for not at all.
func (d *deployment) status(org, path string) int {
	status, _ := d.get(org, path)
	return status
}

// page is an org's page, empty if there is none.
func (d *deployment) page(org, path string) string {
	status, page := d.get(org, path)
	if status != http.StatusOK {
		return ""
	}
	return page
}

func (d *deployment) get(org, path string) (status int, page string) {
	req, err := http.NewRequestWithContext(d.b.Context(), http.MethodGet, d.public+path, nil)
	if err != nil {
		return 0, ""
	}
	req.Host = org + ".localhost"
	resp, err := d.client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// held is how many links of an org the instance holds, by its own account;
// 0 before it knows the org.
func (d *deployment) held(org string) int {
	var all struct {
		Orgs []struct {
			ID     string `json:"id"`
			Mirror struct {
				Links int `json:"links"`
			} `json:"mirror"`
		} `json:"orgs"`
	}
	if err := d.ask(http.MethodGet, d.admin+"/admin/v1/orgs", "", &all); err != nil {
		return 0
	}
	for _, o := range all.Orgs {
		if o.ID == org {
			return o.Mirror.Links
		}
	}
	return 0
}

// serveAll opens a thousand links out of all, evenly apart, and fails when one
// is not served.
func (d *deployment) serveAll(s *salesforceOrg) {
	d.b.Helper()
	const places = 100
	step := max(1, *links/places)
	for at := 0; at < *links; at += step {
		for _, r := range d.records(s, at, 10) {
			if got := d.status(manyOrg, "/l/"+r); got != http.StatusOK {
				d.b.Fatalf("link %d is answered with %d", at, got)
			}
		}
	}
}

func (d *deployment) records(s *salesforceOrg, offset, n int) []string {
	var found []struct {
		Token string `json:"Token__c"`
	}
	d.json(http.MethodGet, fmt.Sprintf("%s/_sim/records/Turnout_Link__c?limit=%d&offset=%d", s.url, n, offset), "", &found)
	tokens := make([]string, len(found))
	for i, r := range found {
		tokens[i] = r.Token
	}
	return tokens
}

// calls are the API requests that an org's Salesforce counted.
func (d *deployment) calls(s *salesforceOrg) int {
	var stats struct {
		Usage int `json:"api_usage"`
	}
	d.json(http.MethodGet, s.url+"/_sim/stats", "", &stats)
	return stats.Usage
}

// bytes is the size of a database on disk, its log included.
func (d *deployment) bytes(name string) float64 {
	return size(filepath.Join(d.dir, "data"), name) + size(filepath.Join(d.dir, "data"), name+"-wal")
}

// json asks what must be answered.
func (d *deployment) json(method, url, body string, into any) {
	d.b.Helper()
	if err := d.ask(method, url, body, into); err != nil {
		d.b.Fatal(err)
	}
}

func (d *deployment) ask(method, url, body string, into any) error {
	req, err := http.NewRequestWithContext(d.b.Context(), method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.slow.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// file writes one that only its owner reads.
func file(b *testing.B, path, text string) string {
	b.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

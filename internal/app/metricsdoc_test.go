package app

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/edge/client"
	"github.com/turnout-events/turnout/internal/migration"
	"github.com/turnout-events/turnout/internal/mirror"
	"github.com/turnout-events/turnout/internal/modulation"
	"github.com/turnout-events/turnout/internal/redis"
)

// exposed lists what a metrics page shows, "name kind label,label" by name, without
// what Go shows by itself.
func exposed(t *testing.T, page http.Handler) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "http://127.0.0.1/metrics", nil)
	page.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("metrics answer %d %s", w.Code, w.Body)
	}
	typed := regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	all := map[string]string{}
	for _, m := range typed.FindAllStringSubmatch(w.Body.String(), -1) {
		name, kind := m[1], m[2]
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		var labels []string
		sample := regexp.MustCompile(`(?m)^` + name + `(?:_count)?(?:\{(.*)\})? `).FindStringSubmatch(w.Body.String())
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(sample[1], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		all[name] = kind + " " + strings.Join(labels, ",")
	}
	return all
}

// documentedMetrics reads a part of docs/metrics.md in the same form.
func documentedMetrics(t *testing.T, part string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text2, _ := strings.Cut(string(text), "\n## `"+part+"`\n")
	table, _, _ := strings.Cut(text2, "\n## ")
	code := regexp.MustCompile("`([a-z_]+)`")
	all := map[string]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		if len(cells) != 7 || strings.TrimSpace(cells[5]) == "" {
			t.Fatalf("not a row of name, labels, kind, unit and what it tells: %s", line)
		}
		name := code.FindStringSubmatch(cells[1])[1]
		var labels []string
		for _, l := range code.FindAllStringSubmatch(cells[2], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		all[name] = strings.TrimSpace(cells[3]) + " " + strings.Join(labels, ",")
		if seconds := strings.HasSuffix(name, "_seconds"); seconds != (strings.TrimSpace(cells[4]) == "seconds") {
			t.Errorf("the unit of %s is given as %s", name, cells[4])
		}
	}
	return all
}

func agree(t *testing.T, documented, exposed map[string]string) {
	t.Helper()
	for name, is := range exposed {
		if documented[name] != is {
			t.Errorf("%s is %q, and documented as %q", name, is, documented[name])
		}
	}
	for name := range documented {
		if _, ok := exposed[name]; !ok {
			t.Errorf("%s is documented, but not there", name)
		}
	}
}

func TestServesMetricsAreDocumented(t *testing.T) {
	now := time.Now()
	g := gauges(nil, map[turnout.OrgID]turnout.Usage{"acme": {Used: 1, Limit: 2}}, nil, now)
	g.reads = func() map[turnout.OrgID]mirror.Reading {
		return map[turnout.OrgID]mirror.Reading{"acme": {Backfilling: true, Links: &mirror.Progress{Done: 1, Total: 2}}}
	}
	m := newMetrics(g)
	m.know("acme")
	m.registry.MustRegister(redisUp("sessions", away(t)), sessionGauges{func() map[turnout.OrgID]int { return map[turnout.OrgID]int{"acme": 1} }})
	agree(t, documentedMetrics(t, "turnout serve"), exposed(t, promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})))
}

func TestEdgesMetricsAreDocumented(t *testing.T) {
	agree(t, documentedMetrics(t, "turnout edge"), exposed(t, crowdedEdge(t)))
}

// Whoever opens the admin listener in a browser, with nothing behind it, sees how
// the edge is.
func TestAnEdgesAdminListenerLeadsToItsStatus(t *testing.T) {
	w := httptest.NewRecorder()
	crowdedEdge(t).ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:9091/", nil))
	if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || to != "/edge/status" {
		t.Errorf("answered %d to %q", w.Code, to)
	}
}

// crowdedEdge is the admin listener of an edge that has all it can show: an org, an
// instance, and a waiting room, since two visitors came to a form that holds one.
func crowdedEdge(t *testing.T) http.Handler {
	t.Helper()
	instance := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "form") }))
	t.Cleanup(instance.Close)
	dir := t.TempDir()
	cfg := config.Default()
	cfg.Edge.Routes, cfg.Edge.Orgs, cfg.Edge.KeyFile = filepath.Join(dir, "routes.yaml"), "routes", filepath.Join(dir, "edge.key")
	text := fmt.Sprintf("stacks: [{name: blue, pools: [{region: here, upstreams: [{name: one, url: %q}]}]}]\n"+
		"orgs: [{id: acme, placement: {allowance: {sessions: 1}}}]\n", instance.URL)
	if err := os.WriteFile(cfg.Edge.Routes, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	courses, err := openCourses(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	server := away(t)
	shared := &limits{server: server, sharing: modulation.New(modulation.Options{Server: server})}
	e, closeLog, err := newEdge(t.Context(), cfg, courses, shared, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closeLog() })
	for range 2 {
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://acme.localhost/events/gala/register", nil))
	}
	gauges := migrationGauges(migration.New(migration.Options{}))
	admin, err := edgeAdmin(cfg, e, nil, append(append(shared.collectors(), gauges...), (&client.Guard{}).Collector())...)
	if err != nil {
		t.Fatal(err)
	}
	return admin
}

// away is a Redis server that does not answer.
func away(t *testing.T) *redis.Server {
	t.Helper()
	s, err := redis.Open(t.Context(), redis.Options{URL: "redis://127.0.0.1:9"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// No page names a metric that there is not.
func TestMetricsThatPagesNameAreThere(t *testing.T) {
	there := documentedMetrics(t, "turnout serve")
	for name, is := range documentedMetrics(t, "turnout edge") {
		there[name] = is
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\bturnout_(?:edge|redis|sessions|registrations|deliver|mirror|salesforce)[a-z_]*`)
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range named.FindAllString(string(text), -1) {
			if there[name] == "" {
				t.Errorf("%s names %s", filepath.Base(page), name)
			}
		}
	}
}

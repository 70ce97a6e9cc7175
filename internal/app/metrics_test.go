package app

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/mirror"
)

func gauges(oldest map[turnout.OrgID]time.Time, usage map[turnout.OrgID]turnout.Usage, reads map[turnout.OrgID]time.Time, now time.Time) orgGauges {
	return orgGauges{
		known:  func() map[turnout.OrgID]bool { return map[turnout.OrgID]bool{"quiet": true, "both": true} },
		oldest: func() map[turnout.OrgID]time.Time { return oldest },
		usage:  func() map[turnout.OrgID]turnout.Usage { return usage },
		reads: func() map[turnout.OrgID]mirror.Reading {
			all := map[turnout.OrgID]mirror.Reading{}
			for org, at := range reads {
				if all[org] = (mirror.Reading{}); !at.IsZero() {
					all[org] = mirror.Reading{At: map[string]time.Time{"events": at, "links": at, "registrations": at}}
				}
			}
			return all
		},
		now: func() time.Time { return now },
	}
}

// An org has its gauges whether it was called, waits, or both, or nothing has
// happened to it yet, and none twice.
func TestOrgGauges(t *testing.T) {
	now := time.Date(2031, 3, 1, 9, 0, 0, 0, time.UTC)
	g := gauges(
		map[turnout.OrgID]time.Time{"waits": now.Add(-90 * time.Second), "both": now.Add(-time.Second)},
		map[turnout.OrgID]turnout.Usage{"called": {Used: 7, Limit: 1000}, "both": {Used: 1, Limit: 2}},
		map[turnout.OrgID]time.Time{"both": now.Add(-20 * time.Second), "never": {}}, now)
	registry := prometheus.NewRegistry()
	registry.MustRegister(&g)
	want := []string{
		`turnout_delivery_oldest_seconds{org="both"} 1`,
		`turnout_delivery_oldest_seconds{org="called"} 0`,
		`turnout_delivery_oldest_seconds{org="quiet"} 0`,
		`turnout_delivery_oldest_seconds{org="waits"} 90`,
		`turnout_mirror_last_read_seconds{org="both"} 20`,
		`turnout_mirror_last_read_seconds{org="never"} +Inf`,
		`turnout_salesforce_api_limit{org="both"} 2`,
		`turnout_salesforce_api_limit{org="called"} 1000`,
		`turnout_salesforce_api_used{org="both"} 1`,
		`turnout_salesforce_api_used{org="called"} 7`,
	}
	if got := shown(registry); !slices.Equal(got, want) {
		t.Errorf("shown:\n%s", strings.Join(got, "\n"))
	}
}

// shown is what /metrics shows, without the comments.
func shown(g prometheus.Gatherer) []string {
	w := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(w.Body.String()), "\n"), func(line string) bool { return strings.HasPrefix(line, "#") })
}

// The names are a contract, and P8: no label can hold anything of a person.
func TestMetricNamesAndLabels(t *testing.T) {
	now := time.Now()
	m := newMetrics(gauges(map[turnout.OrgID]time.Time{"acme": now}, map[turnout.OrgID]turnout.Usage{"acme": {}}, map[turnout.OrgID]time.Time{"acme": now}, now))
	m.accepted.WithLabelValues("acme").Inc()
	m.outcomes.WithLabelValues("acme", string(turnout.ResultDone)).Add(3)
	m.observeCall("acme", "upsert", "", time.Second)
	m.observeCall("acme", "upsert", turnout.CodeLocked, time.Second)
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"turnout_registrations_accepted_total": "org", "turnout_deliveries_total": "org outcome",
		"turnout_salesforce_calls_total": "code operation org", "turnout_salesforce_call_seconds": "operation",
		"turnout_delivery_oldest_seconds": "org", "turnout_salesforce_api_used": "org", "turnout_salesforce_api_limit": "org",
		"turnout_mirror_last_read_seconds": "org",
	}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "turnout_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		if got := strings.Join(labels, " "); got != want[f.GetName()] {
			t.Errorf("%s has labels %q, want %q", f.GetName(), got, want[f.GetName()])
		}
		delete(want, f.GetName())
	}
	if len(want) != 0 {
		t.Errorf("missing: %v", want)
	}
	lines := shown(m.registry)
	for _, line := range []string{
		`turnout_registrations_accepted_total{org="acme"} 1`,
		`turnout_deliveries_total{org="acme",outcome="done"} 3`,
		`turnout_salesforce_calls_total{code="ok",operation="upsert",org="acme"} 1`,
		`turnout_salesforce_calls_total{code="locked",operation="upsert",org="acme"} 1`,
	} {
		if !slices.Contains(lines, line) {
			t.Errorf("%s is not shown", line)
		}
	}
}

// What is known of an org is shown before anything happened to it, and what
// happened stays when it is heard of again.
func TestMetricsBeginAtZero(t *testing.T) {
	m := newMetrics(gauges(nil, nil, nil, time.Now()))
	m.know("acme", "hills")
	m.accepted.WithLabelValues("hills").Inc()
	m.know("hills")
	lines := shown(m.registry)
	for _, line := range []string{
		`turnout_registrations_accepted_total{org="acme"} 0`,
		`turnout_registrations_accepted_total{org="hills"} 1`,
		`turnout_deliveries_total{org="acme",outcome="done"} 0`,
		`turnout_deliveries_total{org="acme",outcome="retry"} 0`,
		`turnout_deliveries_total{org="acme",outcome="parked"} 0`,
		`turnout_salesforce_calls_total{code="ok",operation="upsert",org="acme"} 0`,
		`turnout_salesforce_calls_total{code="ok",operation="query",org="hills"} 0`,
		`turnout_salesforce_call_seconds_count{operation="upsert"} 0`,
		`turnout_delivery_oldest_seconds{org="acme"} 0`,
	} {
		if !slices.Contains(lines, line) {
			t.Errorf("%s is not shown", line)
		}
	}
}

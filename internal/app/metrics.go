package app

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/turnout-events/turnout"
)

// metrics are Turnout's own, under the prefix turnout_. Labels are orgs,
// operations and outcomes, never anything of a person.
type metrics struct {
	registry *prometheus.Registry
	accepted *prometheus.CounterVec
	outcomes *prometheus.CounterVec
	calls    *prometheus.CounterVec
	callTime *prometheus.HistogramVec
}

func newMetrics(gauges orgGauges) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "turnout_registrations_accepted_total", Help: "Registrations that are durable here.",
		}, []string{"org"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "turnout_deliveries_total", Help: "Registrations by what became of them at Salesforce.",
		}, []string{"org", "outcome"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "turnout_salesforce_calls_total", Help: "Calls to Salesforce, by operation and error code (ok for none).",
		}, []string{"org", "operation", "code"}),
		callTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "turnout_salesforce_call_seconds", Help: "Duration of calls to Salesforce.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2.5, 9),
		}, []string{"operation"}),
	}
	m.registry.MustRegister(m.accepted, m.outcomes, m.calls, m.callTime,
		&gauges,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) observeCall(org turnout.OrgID, operation string, code turnout.Code, took time.Duration) {
	label := string(code)
	if label == "" {
		label = "ok"
	}
	m.calls.WithLabelValues(string(org), operation, label).Inc()
	m.callTime.WithLabelValues(operation).Observe(took.Seconds())
}

// orgGauges are read when they are asked for.
type orgGauges struct {
	oldest func() map[turnout.OrgID]time.Time
	usage  func() map[turnout.OrgID]turnout.Usage
	// reads has the zero time for an org that was never read.
	reads func() map[turnout.OrgID]time.Time
	now   func() time.Time
}

const (
	gaugeOldest = iota
	gaugeUsed
	gaugeLimit
	gaugeRead
)

func gaugeDescriptions() [4]*prometheus.Desc {
	return [4]*prometheus.Desc{
		gaugeOldest: prometheus.NewDesc("turnout_delivery_oldest_seconds", "Age of the oldest registration that waits for Salesforce.", []string{"org"}, nil),
		gaugeUsed:   prometheus.NewDesc("turnout_salesforce_api_used", "API requests of the last 24 hours, as Salesforce last told.", []string{"org"}, nil),
		gaugeLimit:  prometheus.NewDesc("turnout_salesforce_api_limit", "API requests that Salesforce allows in 24 hours.", []string{"org"}, nil),
		gaugeRead: prometheus.NewDesc("turnout_mirror_last_read_seconds",
			"How long ago the org was last read from Salesforce to the end, by any instance; +Inf for never.", []string{"org"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *orgGauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range gaugeDescriptions() {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g *orgGauges) Collect(ch chan<- prometheus.Metric) {
	d := gaugeDescriptions()
	usage, oldest := g.usage(), g.oldest()
	for org, u := range usage {
		ch <- prometheus.MustNewConstMetric(d[gaugeUsed], prometheus.GaugeValue, float64(u.Used), string(org))
		ch <- prometheus.MustNewConstMetric(d[gaugeLimit], prometheus.GaugeValue, float64(u.Limit), string(org))
		age := 0.0
		if since, ok := oldest[org]; ok {
			age = g.now().Sub(since).Seconds()
		}
		ch <- prometheus.MustNewConstMetric(d[gaugeOldest], prometheus.GaugeValue, age, string(org))
	}
	for org, since := range oldest {
		if _, ok := usage[org]; !ok {
			ch <- prometheus.MustNewConstMetric(d[gaugeOldest], prometheus.GaugeValue, g.now().Sub(since).Seconds(), string(org))
		}
	}
	for org, at := range g.reads() {
		age := math.Inf(1)
		if !at.IsZero() {
			age = g.now().Sub(at).Seconds()
		}
		ch <- prometheus.MustNewConstMetric(d[gaugeRead], prometheus.GaugeValue, age, string(org))
	}
}

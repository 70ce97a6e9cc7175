package app

import (
	"maps"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/mirror"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// metrics are Turnout's own, under the prefix turnout_. Labels are orgs,
// operations and outcomes, never anything of a person.
type metrics struct {
	registry *prometheus.Registry
	accepted *prometheus.CounterVec
	outcomes *prometheus.CounterVec
	calls    *prometheus.CounterVec
	callTime *prometheus.HistogramVec
	known    knownOrgs
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
	gauges.known = m.known.all
	m.registry.MustRegister(m.accepted, m.outcomes, m.calls, m.callTime,
		&gauges,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// okay stands for the code of a call that went well.
const okay = "ok"

// know shows an org's series at zero before anything happened: an alert on a
// series that is not there never fires, and a rate misses the first step of one
// that appears with a value.
func (m *metrics) know(orgs ...turnout.OrgID) {
	m.known.add(orgs)
	for _, org := range orgs {
		m.accepted.WithLabelValues(string(org))
		for _, result := range []turnout.Result{turnout.ResultDone, turnout.ResultRetry, turnout.ResultParked} {
			m.outcomes.WithLabelValues(string(org), string(result))
		}
		for _, operation := range salesforce.Operations() {
			m.calls.WithLabelValues(string(org), operation, okay)
			m.callTime.WithLabelValues(operation)
		}
	}
}

// knownOrgs are the orgs that are set up, as far as was heard.
type knownOrgs struct {
	mu   sync.Mutex
	orgs map[turnout.OrgID]bool
}

func (k *knownOrgs) add(orgs []turnout.OrgID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.orgs == nil {
		k.orgs = map[turnout.OrgID]bool{}
	}
	for _, org := range orgs {
		k.orgs[org] = true
	}
}

func (k *knownOrgs) all() map[turnout.OrgID]bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.orgs)
}

func (m *metrics) observeCall(org turnout.OrgID, operation string, code turnout.Code, took time.Duration) {
	label := string(code)
	if label == "" {
		label = okay
	}
	m.calls.WithLabelValues(string(org), operation, label).Inc()
	m.callTime.WithLabelValues(operation).Observe(took.Seconds())
}

// orgGauges are read when they are asked for.
type orgGauges struct {
	known  func() map[turnout.OrgID]bool
	oldest func() map[turnout.OrgID]time.Time
	usage  func() map[turnout.OrgID]turnout.Usage
	reads  func() map[turnout.OrgID]mirror.Reading
	now    func() time.Time
}

const (
	gaugeOldest = iota
	gaugeUsed
	gaugeLimit
	gaugeRead
	gaugeLinksRead
	gaugeLinksExpected
	gaugeCount
)

func gaugeDescriptions() [gaugeCount]*prometheus.Desc {
	return [gaugeCount]*prometheus.Desc{
		gaugeOldest: prometheus.NewDesc("turnout_delivery_oldest_seconds", "Age of the oldest registration that waits for Salesforce.", []string{"org"}, nil),
		gaugeUsed:   prometheus.NewDesc("turnout_salesforce_api_used", "API requests of the last 24 hours, as Salesforce last told.", []string{"org"}, nil),
		gaugeLimit:  prometheus.NewDesc("turnout_salesforce_api_limit", "API requests that Salesforce allows in 24 hours.", []string{"org"}, nil),
		gaugeRead: prometheus.NewDesc("turnout_mirror_last_read_seconds",
			"How long ago the org was last read from Salesforce to the end, by any instance; +Inf for never.", []string{"org"}, nil),
		gaugeLinksRead: prometheus.NewDesc("turnout_mirror_links_read",
			"Links that a bulk read that is under way brought so far, by any instance.", []string{"org"}, nil),
		gaugeLinksExpected: prometheus.NewDesc("turnout_mirror_links_expected",
			"Links that a bulk read that is under way will bring; 0 while Salesforce gathers them.", []string{"org"}, nil),
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
	usage, oldest, orgs := g.usage(), g.oldest(), map[turnout.OrgID]bool{}
	maps.Copy(orgs, g.known())
	for org, u := range usage {
		ch <- prometheus.MustNewConstMetric(d[gaugeUsed], prometheus.GaugeValue, float64(u.Used), string(org))
		ch <- prometheus.MustNewConstMetric(d[gaugeLimit], prometheus.GaugeValue, float64(u.Limit), string(org))
		orgs[org] = true
	}
	for org := range oldest {
		orgs[org] = true
	}
	for org := range orgs {
		age := 0.0
		if since, ok := oldest[org]; ok {
			age = g.now().Sub(since).Seconds()
		}
		ch <- prometheus.MustNewConstMetric(d[gaugeOldest], prometheus.GaugeValue, age, string(org))
	}
	for org, reading := range g.reads() {
		if p := reading.Links; p != nil {
			ch <- prometheus.MustNewConstMetric(d[gaugeLinksRead], prometheus.GaugeValue, float64(p.Done), string(org))
			ch <- prometheus.MustNewConstMetric(d[gaugeLinksExpected], prometheus.GaugeValue, float64(p.Total), string(org))
		}
		age := math.Inf(1)
		if at := reading.Oldest(); !at.IsZero() {
			age = g.now().Sub(at).Seconds()
		}
		ch <- prometheus.MustNewConstMetric(d[gaugeRead], prometheus.GaugeValue, age, string(org))
	}
}

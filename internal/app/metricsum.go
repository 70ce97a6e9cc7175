package app

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// sum is what several processes show, as one:
//
//	counter, histogram   added up
//	summary              count and sum added up; quantiles cannot be, and go
//	gauge, untyped       the largest of those that are alive
type sum struct {
	families map[string]*dto.MetricFamily
	metrics  map[string]*dto.Metric // by family and labels
}

func newSum() *sum {
	return &sum{families: map[string]*dto.MetricFamily{}, metrics: map[string]*dto.Metric{}}
}

// add joins what one process shows. Of one that has ended only what it counted
// is left. The families are not changed.
func (s *sum) add(families []*dto.MetricFamily, alive bool) {
	for _, f := range families {
		kind := f.GetType()
		if now := kind == dto.MetricType_GAUGE || kind == dto.MetricType_UNTYPED; now && !alive {
			continue
		}
		total, ok := s.families[f.GetName()]
		if !ok {
			total = &dto.MetricFamily{Name: f.Name, Help: f.Help, Type: f.Type}
			s.families[f.GetName()] = total
		}
		if total.GetType() != kind {
			continue // another version of the program, for a moment
		}
		for _, m := range f.GetMetric() {
			key := f.GetName() + labelKey(m)
			have, ok := s.metrics[key]
			if !ok {
				have = &dto.Metric{Label: m.GetLabel()}
				s.metrics[key] = have
				total.Metric = append(total.Metric, have)
			}
			join(kind, have, m)
		}
	}
}

// all are the sums, ordered as a registry orders.
func (s *sum) all() []*dto.MetricFamily {
	out := slices.SortedFunc(maps.Values(s.families), func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	for _, f := range out {
		slices.SortFunc(f.Metric, func(a, b *dto.Metric) int { return cmp.Compare(labelKey(a), labelKey(b)) })
	}
	return out
}

func labelKey(m *dto.Metric) string {
	var b strings.Builder
	for _, l := range m.GetLabel() { // a registry shows them sorted
		b.WriteString("\x00" + l.GetName() + "\x00" + l.GetValue())
	}
	return b.String()
}

func join(kind dto.MetricType, into, m *dto.Metric) {
	switch kind {
	case dto.MetricType_COUNTER:
		into.Counter = &dto.Counter{Value: new(into.GetCounter().GetValue() + m.GetCounter().GetValue())}
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		into.Histogram = joinHistograms(into.GetHistogram(), m.GetHistogram())
	case dto.MetricType_SUMMARY:
		a, b := into.GetSummary(), m.GetSummary()
		into.Summary = &dto.Summary{SampleCount: new(a.GetSampleCount() + b.GetSampleCount()), SampleSum: new(a.GetSampleSum() + b.GetSampleSum())}
	case dto.MetricType_GAUGE:
		value := m.GetGauge().GetValue()
		if into.Gauge != nil {
			value = max(value, into.GetGauge().GetValue())
		}
		into.Gauge = &dto.Gauge{Value: &value}
	case dto.MetricType_UNTYPED:
		value := m.GetUntyped().GetValue()
		if into.Untyped != nil {
			value = max(value, into.GetUntyped().GetValue())
		}
		into.Untyped = &dto.Untyped{Value: &value}
	}
}

// joinHistograms adds two histograms of the same bounds, as all that one program
// shows are; a is nil for none.
func joinHistograms(a, b *dto.Histogram) *dto.Histogram {
	out := &dto.Histogram{SampleCount: new(a.GetSampleCount() + b.GetSampleCount()), SampleSum: new(a.GetSampleSum() + b.GetSampleSum())}
	before := map[float64]uint64{}
	for _, bucket := range a.GetBucket() {
		before[bucket.GetUpperBound()] = bucket.GetCumulativeCount()
	}
	for _, bucket := range b.GetBucket() {
		out.Bucket = append(out.Bucket, &dto.Bucket{
			UpperBound: bucket.UpperBound, CumulativeCount: new(before[bucket.GetUpperBound()] + bucket.GetCumulativeCount()),
		})
	}
	return out
}

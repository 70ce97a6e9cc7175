package status

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/turnout-events/turnout/internal/edge/pool"
)

// NewCollector shows an edge's counts as metrics. Labels are names of upstreams
// and orgs, never anything of a person.
func NewCollector(show func() Status) prometheus.Collector { return collector{show} }

type collector struct{ show func() Status }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("turnout_"+name, help, labels, nil)
}

// orgMetrics are those by org.
func orgMetrics() map[*prometheus.Desc]func(Org) (prometheus.ValueType, float64) {
	counter := func(n int64) (prometheus.ValueType, float64) { return prometheus.CounterValue, float64(n) }
	return map[*prometheus.Desc]func(Org) (prometheus.ValueType, float64){
		desc("sessions_active", "Visitors' sessions that were seen within five minutes, at this edge.", "org"): func(o Org) (prometheus.ValueType, float64) {
			return prometheus.GaugeValue, float64(o.Active)
		},
		desc("edge_requests_total", "Requests for an org's hosts, refused ones too.", "org"):                                    func(o Org) (prometheus.ValueType, float64) { return counter(o.Requests) },
		desc("edge_refused_total", "Requests beyond the allowance or the share of an org or of one of its hosts (429).", "org"): func(o Org) (prometheus.ValueType, float64) { return counter(o.Refused) },
		desc("edge_lost_total", "Requests that no instance answered, or none for certain.", "org"):                              func(o Org) (prometheus.ValueType, float64) { return counter(o.Lost) },
		desc("edge_sessions_began_total", "Sessions that began.", "org"):                                                        func(o Org) (prometheus.ValueType, float64) { return counter(o.Began) },
		desc("edge_sessions_moved_total", "Sessions that were moved to another instance.", "org"):                               func(o Org) (prometheus.ValueType, float64) { return counter(o.Moved) },
		desc("edge_org_in_flight", "Requests of an org that are under way.", "org"): func(o Org) (prometheus.ValueType, float64) {
			return prometheus.GaugeValue, float64(o.InFlight)
		},
		desc("edge_org_waiting", "Requests of an org that wait for one of its places.", "org"): func(o Org) (prometheus.ValueType, float64) {
			return prometheus.GaugeValue, float64(o.Waiting)
		},
	}
}

// roomMetrics are those by waiting room.
func roomMetrics() map[*prometheus.Desc]func(Room) (prometheus.ValueType, float64) {
	return map[*prometheus.Desc]func(Room) (prometheus.ValueType, float64){
		desc("edge_room_waiting", "Visitors in line, over all edges.", "room"): func(r Room) (prometheus.ValueType, float64) {
			return prometheus.GaugeValue, float64(r.Waiting)
		},
		desc("edge_room_inside", "Visitors who were let in and were seen within five minutes.", "room"): func(r Room) (prometheus.ValueType, float64) {
			return prometheus.GaugeValue, float64(r.Inside)
		},
		desc("edge_room_longest_seconds", "How long the first in line has waited.", "room"): func(r Room) (prometheus.ValueType, float64) {
			return prometheus.GaugeValue, r.Longest
		},
	}
}

// upstreamMetrics are those by upstream.
func upstreamMetrics() map[*prometheus.Desc]func(Upstream) (prometheus.ValueType, float64) {
	return map[*prometheus.Desc]func(Upstream) (prometheus.ValueType, float64){
		desc("edge_upstream_up", "1 for an instance that takes new sessions, else 0.", "upstream"): func(u Upstream) (prometheus.ValueType, float64) {
			if u.Condition == pool.Up {
				return prometheus.GaugeValue, 1
			}
			return prometheus.GaugeValue, 0
		},
		desc("edge_upstream_requests_total", "Requests that were sent to an instance.", "upstream"): func(u Upstream) (prometheus.ValueType, float64) {
			return prometheus.CounterValue, float64(u.Requests)
		},
		desc("edge_upstream_failures_total", "Requests that an instance failed or did not answer.", "upstream"): func(u Upstream) (prometheus.ValueType, float64) {
			return prometheus.CounterValue, float64(u.Failures)
		},
		desc("edge_upstream_in_flight", "Requests that are under way at an instance.", "upstream"): func(u Upstream) (prometheus.ValueType, float64) {
			return prometheus.GaugeValue, float64(u.InFlight)
		},
		desc("edge_upstream_places", "Requests that an instance is given at once.", "upstream"): func(u Upstream) (prometheus.ValueType, float64) {
			return prometheus.GaugeValue, float64(u.Places)
		},
		desc("edge_upstream_latency_seconds", "Smoothed time to an answer.", "upstream"): func(u Upstream) (prometheus.ValueType, float64) {
			return prometheus.GaugeValue, u.Latency
		},
	}
}

// Describe implements prometheus.Collector. What there is depends on the table,
// so nothing is promised.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := c.show()
	for d, n := range map[*prometheus.Desc]int64{
		desc("edge_log_dropped_total", "Lines of the access log that could not be written."):                       s.Dropped,
		desc("edge_client_refused_total", "Requests beyond the allowance of one client address (429), any org's."): s.Throttled,
	} {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	for d, of := range orgMetrics() {
		for _, o := range s.Orgs {
			kind, value := of(o)
			out <- prometheus.MustNewConstMetric(d, kind, value, string(o.Org))
		}
	}
	for d, of := range roomMetrics() {
		for _, r := range s.Rooms {
			kind, value := of(r)
			out <- prometheus.MustNewConstMetric(d, kind, value, r.Name)
		}
	}
	for d, of := range upstreamMetrics() {
		for _, p := range s.Pools {
			for _, u := range p.Upstreams {
				kind, value := of(u)
				out <- prometheus.MustNewConstMetric(d, kind, value, u.Name)
			}
		}
	}
}

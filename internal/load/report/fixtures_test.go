package report_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/turnout-events/turnout/internal/load/result"
)

// fixtures are runs as they come, by file name.
func fixtures() map[string]*result.Run {
	return map[string]*result.Run{
		"invite-storm": inviteStorm(), "onsale": onsale(), "pentest": pentest(), "soak": soak(),
		"smoke": smoke(), "interrupted": interrupted(), "empty": {Scenario: "smoke"},
	}
}

func began() time.Time { return time.Date(2026, 5, 12, 9, 30, 4, 0, time.UTC) }

// spread is a distribution around a median with a tail: milliseconds.
func spread(count int64, median, tail float64) result.Latency {
	at := func(share float64) float64 { return median * math.Pow(tail, math.Pow(-math.Log10(1-share)/5, 1.3)) }
	l := result.Latency{Count: count, Mean: at(0.6), P50: at(0.5), P90: at(0.9), P99: at(0.99), P999: at(0.999), Max: at(1 - 1/float64(count+1))}
	for nines := 0.0; math.Pow(10, nines) < float64(count); nines += 0.1 {
		share := 1 - math.Pow(10, -nines)
		l.Curve = append(l.Curve, result.Quantile{Share: share, Milliseconds: at(share)})
	}
	l.Curve = append(l.Curve, result.Quantile{Share: 1, Milliseconds: l.Max})
	return l
}

// second makes an interval with a rate and a median.
func second(r *rand.Rand, at int, rate, median float64) result.Interval {
	n := int64(math.Max(0, rate+math.Sqrt(rate)*r.NormFloat64()))
	i := result.Interval{Second: at, Intended: n, Answered: n, Accepted: n / 4, Calls: 1 + n/90, Delivered: n / 4, Sessions: n * 6, InFlight: n / 50}
	if n > 0 {
		i.P50 = median * (1 + 0.1*r.Float64())
		i.P99 = i.P50 * (4 + 4*r.Float64())
		i.Max = i.P99 * (1 + 5*r.Float64()*r.Float64())
	}
	return i
}

func inviteStorm() *result.Run {
	r := rand.New(rand.NewPCG(1, 7))
	run := &result.Run{
		Scenario: "invite-storm", About: "40,000 invite links are clicked in a rush that decays, mail scanners among them; one visitor in three opens the form, one in four submits it.",
		Target: "http://acme.localhost:8080", Version: "v0.9.2-14-g7c1149b", Seed: 7, Began: began(), Seconds: 184.2,
		Steps: []result.Step{
			{Name: "open the link", Group: "visitors", Sent: 38214, Errors: []result.Count{{What: "timeout", Count: 212}, {What: "status 503", Count: 35}}, Latency: spread(38214, 2.1, 900)},
			{Name: "open the link", Group: "scanners", Sent: 11803, Errors: []result.Count{{What: "timeout", Count: 60}}, Latency: spread(11803, 1.4, 700)},
			{Name: "open the form", Group: "visitors", Sent: 12740, Latency: spread(12740, 2.6, 800)},
			{Name: "submit", Group: "visitors", Sent: 9422, Errors: []result.Count{{What: "timeout", Count: 88}, {What: "wrong page", Count: 1}}, Latency: spread(9422, 6.8, 500)},
			{Name: "see the ticket", Group: "visitors", Sent: 9333, Latency: spread(9333, 1.9, 400)},
		},
		Outcomes: []result.Count{{What: "accepted", Count: 8911}, {What: "waitlisted", Count: 402}, {What: "declined", Count: 20}},
		Seats:    []result.Seats{{What: "spring-forum", Limit: 9000, Acknowledged: 8911, Recorded: 8911}},
		Salesforce: &result.Salesforce{
			Calls:   []result.Count{{What: "upsert of registrations", Count: 58}, {What: "query of seats", Count: 4}, {What: "token", Count: 1}},
			Batches: []result.Count{{What: "1", Count: 3}, {What: "2 to 5", Count: 4}, {What: "6 to 50", Count: 9}, {What: "51 to 200", Count: 42}},
			Records: 9313, CallsAThousand: 6.2, OldestWaiting: 14.2, DrainedAfter: 3.4, MaxCallsAParent: 2,
		},
		Verdicts: []result.Verdict{
			{Threshold: "p99 of submit at most 250 ms", Measured: "412 ms", Met: false},
			{Threshold: "errors at most 0.1 % of requests", Measured: "0.49 %", Met: false},
			{Threshold: "nothing oversold", Measured: "0", Met: true}, {Threshold: "nothing lost", Measured: "0", Met: true},
			{Threshold: "at most 10 Salesforce calls per 1,000 registrations", Measured: "6.2", Met: true},
		},
		Notes: []string{"The generator ran on the target's machine, so its CPU time is in the latencies.", "From 71 s to 76 s the target answered nothing; requests went on being sent."},
	}
	run.All = spread(81512, 2.2, 850)
	waiting := 0.0
	for s := range 184 {
		rate := 30 + 1400*math.Exp(-math.Pow(float64(s-25)/14, 2)) + 700*math.Exp(-float64(s)/60)
		i := second(r, s, rate, 1.8+rate/700)
		if s >= 71 && s < 76 {
			wait := 1000 * float64(76-s)
			i.P50, i.P99, i.Max, i.Answered, i.Accepted, i.Delivered, i.Calls, i.InFlight = wait*0.6, wait, wait+120, 0, 0, 0, 0, int64(700*(s-70))
			i.Errors = int64(60 * (s - 70))
		}
		if s == 76 {
			i.Answered *= 4
		}
		waiting = math.Max(0, waiting+float64(i.Accepted)-320)
		i.Waiting, i.OldestAge = int64(waiting), waiting/320
		run.Timeline = append(run.Timeline, i)
	}
	return run
}

func onsale() *result.Run {
	r := rand.New(rand.NewPCG(2, 7))
	run := &result.Run{
		Scenario: "onsale", About: "5,000 visitors ask for 500 seats in the same second.", Target: "http://127.0.0.1:8080", Version: "v0.9.2", Seed: 20260512, Began: began(), Seconds: 21.7,
		Steps: []result.Step{
			{Name: "open the form", Sent: 5000, Latency: spread(5000, 9, 60)},
			{Name: "submit", Sent: 5000, Latency: spread(5000, 31, 40)},
		},
		Outcomes: []result.Count{{What: "accepted", Count: 500}, {What: "waitlisted", Count: 1000}, {What: "full", Count: 3488}, {What: "declined", Count: 12}},
		Seats:    []result.Seats{{What: "dinner, standard", Limit: 400, Acknowledged: 400, Recorded: 400}, {What: "dinner, patron with the table at the front", Limit: 100, Acknowledged: 100, Recorded: 101, Oversold: 1, Twice: 1}, {What: "walk", Acknowledged: 12, Recorded: -1}},
		Salesforce: &result.Salesforce{
			Calls: []result.Count{{What: "upsert of registrations", Count: 9}}, Batches: []result.Count{{What: "51 to 200", Count: 8}, {What: "1", Count: 1}},
			Records: 1500, CallsAThousand: 6, OldestWaiting: 2.1, DrainedAfter: -1,
		},
		Verdicts: []result.Verdict{{Threshold: "nothing oversold", Measured: "1", Met: false}, {Threshold: "p99 of submit at most 500 ms", Measured: "148 ms", Met: true}},
	}
	for s := range 22 {
		run.Timeline = append(run.Timeline, second(r, s, 5000*math.Exp(-float64(s)/2), 30*math.Exp(-float64(s)/5)+2))
	}
	return run
}

func pentest() *result.Run {
	r := rand.New(rand.NewPCG(3, 7))
	run := &result.Run{
		Scenario: "pentest", About: "One org is hammered at 50 times its allowance, odd requests included, while others work; before it they work alone, for comparison.",
		Target: "http://127.0.0.1:8080", Version: "v0.9.2", Seed: 3, Began: began(), Seconds: 120,
		Steps: []result.Step{
			{Name: "open the link", Group: "victim, quiet", Sent: 3000, Latency: spread(3000, 1.8, 30)},
			{Name: "submit", Group: "victim, quiet", Sent: 600, Latency: spread(600, 5.2, 20)},
			{Name: "open the link", Group: "victim, noisy", Sent: 3000, Latency: spread(3000, 1.9, 34)},
			{Name: "submit", Group: "victim, noisy", Sent: 600, Latency: spread(600, 5.3, 24)},
			{Name: "open the link", Group: "abuser", Sent: 150000, Errors: []result.Count{{What: "status 429", Count: 147000}}, Latency: spread(150000, 0.6, 500)},
			{Name: "odd request: a header of 64 KiB", Group: "abuser", Sent: 300, Errors: []result.Count{{What: "status 431", Count: 298}, {What: "connection closed", Count: 2}}, Latency: spread(300, 0.9, 20)},
			{Name: "odd request: a path with ../", Group: "abuser", Sent: 300, Errors: []result.Count{{What: "status 404", Count: 300}}, Latency: spread(300, 0.7, 20)},
			{Name: "odd request: half a body, then nothing", Group: "abuser", Sent: 300, Errors: []result.Count{{What: "status 408", Count: 300}}, Latency: spread(300, 5000, 1.2)},
		},
		Verdicts: []result.Verdict{
			{Threshold: "p99 of the victims at most 1.5 times that of the quiet run", Measured: "1.08 times (10.2 ms against 9.4 ms)", Met: true},
			{Threshold: "no victim refused", Measured: "0", Met: true},
		},
		Notes: []string{"Errors of the abuser are what it asked for; only the victims' count."},
	}
	run.All = spread(158100, 0.7, 3000)
	for s := range 120 {
		rate := 60.0
		if s >= 60 {
			rate = 2600
		}
		i := second(r, s, rate, 1.8)
		if s >= 60 {
			i.Errors = i.Answered - 60
		}
		i.Calls, i.Delivered, i.Accepted = 0, 0, 10
		run.Timeline = append(run.Timeline, i)
	}
	return run
}

func soak() *result.Run {
	r := rand.New(rand.NewPCG(4, 7))
	run := &result.Run{
		Scenario: "soak", About: "Three hours of mixed traffic on two instances behind an edge.", Target: "http://127.0.0.1:8080", Version: "v0.9.2", Seed: 4, Began: began(), Seconds: 10800.4,
		Steps: []result.Step{
			{Name: "open the link", Sent: 2160000, Latency: spread(2160000, 1.9, 120)},
			{Name: "submit", Sent: 108000, Errors: []result.Count{{What: "timeout", Count: 3}}, Latency: spread(108000, 6.1, 80)},
		},
		Outcomes: []result.Count{{What: "accepted", Count: 107997}},
		Verdicts: []result.Verdict{{Threshold: "memory at the end at most 1.2 times that after ten minutes", Measured: "1.04 times", Met: true}},
	}
	run.All = spread(2268000, 2, 120)
	for s := range 10800 {
		i := second(r, s, 210+60*math.Sin(float64(s)/1500), 1.9)
		if s == 7321 {
			i.Max = 4211
		}
		if s > 3600 && s < 3680 {
			i.Intended, i.Answered = 0, 0
			i.P50, i.P99, i.Max = 0, 0, 0
		}
		run.Timeline = append(run.Timeline, i)
		if s%10 == 0 {
			for n, name := range []string{"instance 1", "instance 2", "edge"} {
				grown := math.Log1p(float64(s)/300) * 9e6
				u := result.Usage{Second: s, Process: name, Memory: int64(9e7 + grown + 4e6*r.Float64() - 2e7*float64(n)), Goroutines: int64(140 + 30*r.Float64() + 60*float64(n)), Files: int64(80 + 12*r.Float64() + 20*float64(n))}
				if n < 2 {
					u.Store = int64(4e6 + 2600*float64(s) + 3e6*float64(n))
				}
				run.Usage = append(run.Usage, u)
			}
		}
	}
	return run
}

func smoke() *result.Run {
	run := &result.Run{
		Scenario: "smoke", About: "Every public route once, with an event of its own that is taken away afterwards.", Target: "https://events.example.org", Version: "v0.9.2", Seed: 1, Began: began(), Seconds: 1.9,
		Verdicts: []result.Verdict{{Threshold: "done within 10 s", Measured: "1.9 s", Met: true}},
		Notes:    []string{"The event turnout-smoke-7f3a was made and is gone again."},
	}
	routes := []string{"/", "/events/SLUG", "/events/SLUG/register", "/l/TOKEN", "/l/TOKEN/decline", "/registrations/KEY", "/registrations/KEY/edit", "/registrations/KEY/cancel", "/registrations/KEY/ticket.ics", "/events/SLUG.ics", "/embed.js", "/assets/site.css", "/healthz", "/readyz", "/api/v1/events", "/api/v1/events/SLUG", "/api/v1/registrations", "/robots.txt", "/nothing", "/events/SLUG/widget"}
	for n, route := range routes {
		p := result.Page{Method: "GET", Route: route, Status: 200, Milliseconds: 1.2 + float64(n*n)/9, Bytes: int64(412 + n*3011)}
		switch n {
		case 3:
			p.Status, p.Fault = 500, "status 500, expected 200"
		case 8:
			p.Fault = "the calendar file has no DTSTART"
		case 16:
			p.Method, p.Status = "POST", 201
		}
		run.Pages = append(run.Pages, p)
	}
	return run
}

func interrupted() *result.Run {
	r := rand.New(rand.NewPCG(5, 7))
	run := inviteStorm()
	run.Seconds, run.Interrupted, run.Seats, run.Salesforce, run.Notes = 3.1, true, nil, nil, []string{"Ctrl-C after 3.1 s: seats and Salesforce were not looked at."}
	run.Timeline, run.Verdicts, run.All, run.Outcomes = nil, nil, result.Latency{}, nil
	run.Steps = []result.Step{{Name: "open the link", Sent: 1811, Latency: spread(1811, 2, 30)}, {Name: "submit", Sent: 4, Latency: spread(4, 9, 2)}}
	for s := range 3 {
		run.Timeline = append(run.Timeline, second(r, s, 600, 2))
	}
	return run
}

// hostile has markup, quotes and control characters in every field.
func hostile() *result.Run {
	n := 0
	evil := func() string {
		n++
		return fmt.Sprintf("<script>alert(%d)</script>\"' onload=x\x1b[31m\u202e{{.}}&amp;</style></title>javascript:%d", n, n)
	}
	count := []result.Count{{What: evil(), Count: 3}}
	return &result.Run{
		Scenario: evil(), About: evil(), Target: evil(), Version: evil(), Notes: []string{evil()},
		Steps:      []result.Step{{Name: evil(), Group: evil(), Sent: 3, Errors: count, Latency: spread(3, 1, 2)}},
		Timeline:   []result.Interval{{Intended: 3, P50: 1, P99: 2, Max: 3}},
		Outcomes:   count,
		Seats:      []result.Seats{{What: evil(), Limit: 1}},
		Salesforce: &result.Salesforce{Calls: count, Batches: []result.Count{{What: evil(), Count: 1}}},
		Usage:      []result.Usage{{Process: evil(), Memory: 1, Goroutines: 1, Files: 1, Store: 1}},
		Pages:      []result.Page{{Method: evil(), Route: evil(), Fault: evil()}},
		Verdicts:   []result.Verdict{{Threshold: evil(), Measured: evil()}},
	}
}

package bench

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	events = flag.Int("events", 200, "published events of the org of BenchmarkPublish")
	people = flag.Int("people", 10_000, "people whose registrations the org of BenchmarkForget has")
)

// times is how often BenchmarkPublish and BenchmarkForget do one thing after another.
const times = 50

// BenchmarkPublish: an organiser's Update, from the button in Salesforce until the
// instance serves the event as it is now, in an org of -events events: fifty after each
// other, then all events at once, as after a change of all of them by a tool.
func BenchmarkPublish(b *testing.B) {
	for b.Loop() {
		d := deploy(b, b.TempDir())
		s := d.salesforce(manyOrg, *events, 0, d.hooks(manyOrg)...)
		instance := d.serve()
		d.apply(manyOrg, s.url)
		d.within(2*time.Minute, "the org's events", func() bool {
			return !slices.ContainsFunc(s.slugs, func(slug string) bool { return d.status(manyOrg, "/events/"+slug) != http.StatusOK })
		})
		idle := instance.idle(b)

		var took latencies
		used := instance.used(b)
		for n := range times {
			begin := time.Now()
			d.update(s, n%len(s.slugs), fmt.Sprintf("Changed %d", n))
			took = append(took, float64(time.Since(begin).Microseconds())/1000)
		}
		b.ReportMetric(perOne(instance, b, used, idle, took.sum(), times), "cpu-µs/update")
		slices.Sort(took)
		b.Logf("updates: %v", took)
		b.ReportMetric(took.quantile(0.5), "p50-ms")

		used = instance.used(b)
		begin := time.Now()
		for n := range s.slugs {
			d.rename(s, n, "Changed together")
		}
		for _, id := range s.ids {
			d.json(http.MethodPost, s.url+"/_sim/events/"+id+"/update", "", new(any))
		}
		for n := range s.slugs {
			d.shows(s, n, "Changed together")
		}
		all := time.Since(begin)
		b.ReportMetric(perOne(instance, b, used, idle, all, len(s.slugs)), "cpu-µs/update-together")
		b.ReportMetric(all.Seconds(), "together-s")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkForget: people are forgotten over the admin API, each of whom has a
// registration among -people that Salesforce has: one after another, then from 16
// connections at once, while visitors register.
func BenchmarkForget(b *testing.B) {
	if *people <= times {
		b.Fatalf("give -people of more than %d, who are forgotten first", times)
	}
	for b.Loop() {
		d := deploy(b, b.TempDir())
		s := d.salesforce(busyOrg, 5, 1000)
		instance := d.serve()
		d.apply(busyOrg, s.url)
		d.within(time.Minute, "the org's links", func() bool { return d.status(busyOrg, "/l/"+s.tokens[len(s.tokens)-1]) == http.StatusOK })
		d.populate(s, *people)
		idle := instance.idle(b)

		var took latencies
		used := instance.used(b)
		for n := range times {
			took = append(took, d.forget(n))
		}
		b.ReportMetric(perOne(instance, b, used, idle, took.sum(), times), "cpu-µs/forget")
		slices.Sort(took)
		b.Logf("forgets: %v", took)
		b.ReportMetric(took.quantile(0.5), "p50-ms")

		quietly := d.visit(s, func(elapsed time.Duration) bool { return elapsed < *quiet })
		next := make(chan int, *people)
		for n := times; n < *people; n++ {
			next <- n
		}
		close(next)
		var together latencies
		var mu sync.Mutex
		var all sync.WaitGroup
		over := make(chan struct{})
		begin := time.Now()
		used = instance.used(b)
		for range 16 {
			all.Go(func() {
				for n := range next {
					took := d.forget(n)
					mu.Lock()
					together = append(together, took)
					mu.Unlock()
				}
			})
		}
		var span time.Duration
		go func() { all.Wait(); span = time.Since(begin); close(over) }()
		beside := d.visit(s, func(time.Duration) bool {
			select {
			case <-over:
				return false
			default:
				return true
			}
		})
		slices.Sort(together)
		b.Logf("forgets together: %v", together)
		b.Logf("before: %v", quietly)
		b.Logf("beside: %v", beside)
		b.ReportMetric(float64(len(together))/span.Seconds(), "forgets/s")
		b.ReportMetric(perOne(instance, b, used, idle, span, len(together)), "cpu-µs/forget-together")
		b.ReportMetric(quietly.registrations.quantile(0.99), "quiet-registration-p99-ms")
		b.ReportMetric(beside.registrations.quantile(0.99), "registration-p99-ms")
		b.ReportMetric(float64(quietly.failed+beside.failed), "failed")
	}
	b.ReportMetric(0, "ns/op")
}

// used is the CPU time of the process so far.
func (p *process) used(b *testing.B) time.Duration {
	return (&server{pid: p.cmd.Process.Pid}).cpu(b)
}

// idle is the share of a processor that it takes while nobody asks for anything.
func (p *process) idle(b *testing.B) float64 {
	const span = 10 * time.Second
	before := p.used(b)
	<-time.After(span)
	return (p.used(b) - before).Seconds() / span.Seconds()
}

// perOne is the CPU time since used, without what the process takes anyway, of one of
// so many, in µs.
func perOne(p *process, b *testing.B, used time.Duration, idle float64, span time.Duration, n int) float64 {
	return (float64((p.used(b) - used).Microseconds()) - idle*float64(span.Microseconds())) / float64(n)
}

func (l latencies) sum() (all time.Duration) {
	for _, ms := range l {
		all += time.Duration(ms * float64(time.Millisecond))
	}
	return all
}

// hooks are the flags that have a simulator send an org's hooks to the instance.
func (d *deployment) hooks(org string) []string {
	_, port, _ := strings.Cut(d.listen, ":")
	return []string{"--hook-url", "http://" + org + ".localhost:" + port + "/hooks/salesforce", "--hook-secret", hookSecret}
}

// update renames an event, presses Update and waits until its page says so.
func (d *deployment) update(s *salesforceOrg, n int, title string) {
	d.b.Helper()
	d.rename(s, n, title)
	d.json(http.MethodPost, s.url+"/_sim/events/"+s.ids[n]+"/update", "", new(any))
	d.shows(s, n, title)
}

// rename changes an event's title as an organiser does.
func (d *deployment) rename(s *salesforceOrg, n int, title string) {
	d.b.Helper()
	if s.session == "" {
		resp, err := d.slow.Post(s.url+"/services/oauth2/token", "application/x-www-form-urlencoded",
			strings.NewReader("grant_type=client_credentials&client_id=demo&client_secret=demo"))
		if err != nil {
			d.b.Fatal(err)
		}
		defer resp.Body.Close()
		var token struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&token); err != nil {
			d.b.Fatal(err)
		}
		s.session = token.AccessToken
	}
	req, err := http.NewRequestWithContext(d.b.Context(), http.MethodPatch, s.url+"/services/data/v65.0/sobjects/Turnout_Event__c/"+s.ids[n],
		strings.NewReader(fmt.Sprintf(`{"Name":%q}`, title)))
	if err != nil {
		d.b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.session)
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.slow.Do(req)
	if err != nil {
		d.b.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(resp.Body)
		d.b.Fatalf("rename event: %s %s", resp.Status, text)
	}
}

// shows waits until an event's page has a title.
func (d *deployment) shows(s *salesforceOrg, n int, title string) {
	d.b.Helper()
	tick, late := time.NewTicker(20*time.Millisecond), time.After(2*time.Minute)
	defer tick.Stop()
	for !strings.Contains(d.page(manyOrg, "/events/"+s.slugs[n]), title) {
		select {
		case <-late:
			d.b.Fatalf("%s does not show %q", s.slugs[n], title)
		case <-tick.C:
		}
	}
}

// populate registers people and waits until Salesforce has all of them.
func (d *deployment) populate(s *salesforceOrg, n int) {
	d.b.Helper()
	next := make(chan int)
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for i := range next {
				if err := d.registerAs(busyOrg, s.slugs[i%len(s.slugs)], fmt.Sprintf("populate-%d", i), somebody(i)); err != nil {
					d.b.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	d.within(2*time.Minute, "the registrations in Salesforce", func() bool {
		var found []any
		d.json(http.MethodGet, fmt.Sprintf("%s/_sim/records/Turnout_Registration__c?limit=1&offset=%d", s.url, n-1), "", &found)
		return len(found) == 1
	})
}

// somebody is the address of one of those of populate.
func somebody(n int) string { return fmt.Sprintf("person-%d@example.com", n) }

// forget forgets one of them and says how long that took, in milliseconds.
func (d *deployment) forget(n int) float64 {
	begin := time.Now()
	var receipt struct{ Registrations int }
	if err := d.ask(http.MethodPost, d.admin+"/admin/v1/orgs/"+busyOrg+"/forget", fmt.Sprintf(`{"email":%q}`, somebody(n)), &receipt); err != nil {
		d.b.Error(err)
	} else if receipt.Registrations != 1 {
		d.b.Errorf("person %d had %d registrations", n, receipt.Registrations)
	}
	return float64(time.Since(begin).Microseconds()) / 1000
}

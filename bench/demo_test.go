package bench

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/load/form"
	"github.com/turnout-events/turnout/internal/wiretest"
)

var (
	share     = flag.Float64("share", 0.3, "rate of BenchmarkDemo, as a share of the floor's")
	atRate    = flag.Float64("rate", 0, "rate of BenchmarkDemo, in registrations a second, instead of a share")
	sustained = flag.Duration("sustained", time.Minute, "how long BenchmarkDemo registers")
)

// callers is how many connections BenchmarkDemo has.
const callers = 256

// BenchmarkDemo: the whole of `turnout demo`, the edge, two instances and the
// simulated Salesforce, takes form posts at an even rate, which is -share of what the
// floor of BenchmarkAccept does in the same run. It counts who was told that they
// have a place, and waits until as many are in Salesforce.
func BenchmarkDemo(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		rate := *atRate
		if rate == 0 {
			rate = *share * floorRate(b, dir)
		}
		d := demonstrate(b, dir)
		d.sustain(rate, *sustained)
	}
	b.ReportMetric(0, "ns/op")
}

// floorRate is what the floor accepts in a second.
func floorRate(b *testing.B, dir string) float64 {
	b.Helper()
	floor := start(b, "floor", dir)
	var rates []float64
	for range *rounds {
		rates = append(rates, floor.round(b, func() *http.Request {
			req, _ := http.NewRequest(http.MethodPost, floor.url, strings.NewReader(strings.Repeat("x", 400)))
			return req
		}, http.StatusSeeOther).rate)
	}
	b.ReportMetric(median(rates), "floor-req/s")
	return median(rates)
}

// demonstration is a running `turnout demo` with events made for it.
type demonstration struct {
	*deployment
	simulator string
	slugs     []string
	processes []*server
	// filled are the bodies of the events' forms, with placeholders for what is to be
	// somebody's own.
	filled map[string]string
}

// The placeholders.
const (
	anyKey    = "KEY"
	anyPerson = "PERSON"
)

func demonstrate(b *testing.B, dir string) *demonstration {
	b.Helper()
	d := &demonstration{deployment: deploy(b, dir), filled: map[string]string{}}
	d.start("demo", "demo", "--dir", filepath.Join(dir, "demo"), "--public", wiretest.FreeAddress(b), "--admin", wiretest.FreeAddress(b), "--simulator", wiretest.FreeAddress(b))
	var ready struct {
		Public, Simulator string
		PIDs              map[string][]int `json:"pids"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "demo.ready.json"))
	if err != nil || json.Unmarshal(text, &ready) != nil {
		b.Fatal(err, string(text))
	}
	d.public, d.simulator = ready.Public, ready.Simulator
	for kind, pids := range ready.PIDs {
		for _, pid := range pids {
			d.processes = append(d.processes, &server{kind: kind, pid: pid})
		}
	}
	var made struct{ Events []struct{ Slug string } }
	d.json(http.MethodPost, d.simulator+"/_sim/seed", `{"events":5,"links":0}`, &made)
	for _, e := range made.Events {
		d.within(2*time.Minute, "the form of "+e.Slug, func() bool { return d.fill(e.Slug) })
		d.slugs = append(d.slugs, e.Slug)
	}
	return d
}

// fill reads an event's form and fills it in. It reports whether there is one.
func (d *demonstration) fill(slug string) bool {
	resp, err := d.client.Get(d.public + "/events/" + slug + "/register")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	f, ok := form.Cut(string(page))
	if err != nil || resp.StatusCode != http.StatusOK || !ok {
		return false
	}
	body := f.Encode(form.Filling{Text: func(name string) string {
		if name == "email" {
			return anyPerson + "@example.com"
		}
		return "Test"
	}})
	key := regexp.MustCompile(`name="key" value="([^"]+)"`).FindSubmatch(page)
	if key == nil {
		return false
	}
	d.filled[slug] = strings.Replace(body, "key="+string(key[1]), "key="+anyKey, 1)
	return true
}

// delivered is how many registrations Salesforce has, and how many calls brought them.
func (d *demonstration) delivered() (records, calls int) {
	var stats struct {
		Records map[string]int `json:"records"`
		Calls   map[string]int `json:"calls"`
	}
	d.json(http.MethodGet, d.simulator+"/_sim/stats", "", &stats)
	return stats.Records["Turnout_Registration__c"], stats.Calls["collections_upsert"]
}

// sustain registers people at a rate for a while and reports how that went.
func (d *demonstration) sustain(rate float64, during time.Duration) {
	b := d.b
	before, calls := d.delivered()
	used := map[string]time.Duration{}
	for _, p := range d.processes {
		used[p.kind] -= p.cpu(b)
	}
	n := int(rate * during.Seconds())
	due := make(chan time.Time, n)
	var answers answers
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			c := &connection{address: strings.TrimPrefix(d.public, "http://")}
			for number := caller; ; number += callers {
				at, ok := <-due
				if !ok {
					return
				}
				err := c.post(d.form(d.slugs[number%len(d.slugs)], number))
				answers.add(time.Since(at), err)
			}
		})
	}
	begin := time.Now()
	for i := range n {
		at := begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		if wait := time.Until(at); wait > time.Millisecond {
			<-time.After(wait)
		}
		due <- at
	}
	close(due)
	all.Wait()
	took := time.Since(begin)
	slices.Sort(answers.took)
	for _, p := range d.processes {
		used[p.kind] += p.cpu(b)
	}
	for kind, cpu := range used {
		b.ReportMetric(float64(cpu.Microseconds())/float64(n), kind+"-cpu-µs/registration")
	}
	d.within(2*time.Minute, "all registrations in Salesforce", func() bool { now, _ := d.delivered(); return now-before >= len(answers.took) })
	after, callsAfter := d.delivered()
	b.ReportMetric(float64(n)/took.Seconds(), "registrations/s")
	b.ReportMetric(answers.took.quantile(0.5), "p50-ms")
	b.ReportMetric(answers.took.quantile(0.99), "p99-ms")
	b.ReportMetric(float64(answers.failed), "failed")
	b.ReportMetric(float64(len(answers.took)-(after-before)), "lost")
	b.ReportMetric(float64(callsAfter-calls)/float64(n)*1000, "calls/1000")
	if answers.failed > 0 {
		b.Logf("%d of %d failed, the last with %v", answers.failed, n, answers.last)
	}
}

// form is one person's registration as a browser posts it.
func (d *demonstration) form(slug string, n int) []byte {
	body := strings.NewReplacer(anyKey, string(turnout.NewKey(time.Now())), anyPerson, fmt.Sprintf("person-%d", n)).Replace(d.filled[slug])
	return fmt.Appendf(nil, "POST /events/%s/register HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Sec-Fetch-Site: same-origin\r\nContent-Length: %d\r\n\r\n%s", slug, strings.TrimPrefix(d.public, "http://"), len(body), body)
}

// answers are how long those took who got a place, in milliseconds, and how many did not.
type answers struct {
	mu     sync.Mutex
	took   latencies
	failed int
	last   error
}

func (a *answers) add(took time.Duration, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.failed, a.last = a.failed+1, err
		return
	}
	a.took = append(a.took, float64(took.Microseconds())/1000)
}

// connection is a kept connection with little between it and the socket: the
// generator has the same processors as what it measures.
type connection struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
}

// post sends a request and reads its answer, which must lead to a registration.
func (c *connection) post(request []byte) (err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.address); err != nil {
			c.conn = nil
			return err
		}
		c.reader = bufio.NewReader(c.conn)
	}
	defer func() {
		if err != nil {
			_ = c.conn.Close()
			c.conn = nil
		}
	}()
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), "/registrations/")) {
		err = fmt.Errorf("status %d, to %q: %s", resp.StatusCode, resp.Header.Get("Location"), body)
	}
	return err
}

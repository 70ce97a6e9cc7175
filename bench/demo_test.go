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
// floor of BenchmarkAccept does in the same run. It waits until everybody who was told
// that they have a place is in Salesforce, and counts who is not.
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
	anyKey    = "the-key-of-somebody"
	anyPerson = "the-name-of-somebody"
)

func demonstrate(b *testing.B, dir string) *demonstration {
	b.Helper()
	d := &demonstration{deployment: deploy(b, dir), filled: map[string]string{}}
	d.start("demo", "demo", "--pictures=false", "--dir", filepath.Join(dir, "demo"), "--public", wiretest.FreeAddress(b), "--admin", wiretest.FreeAddress(b), "--simulator", wiretest.FreeAddress(b))
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
		d.within(2*time.Minute, "the form of "+e.Slug, func() bool {
			for range 20 { // by chance on either instance
				if !d.fill(e.Slug) {
					return false
				}
			}
			return true
		})
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

// arrived are the keys of the registrations that Salesforce has of events made for
// this run, and how often each is there; calls is how many upserts brought them.
func (d *demonstration) arrived() (keys map[string]int, calls int) {
	var stats struct {
		Calls map[string]int `json:"calls"`
	}
	d.json(http.MethodGet, d.simulator+"/_sim/stats", "", &stats)
	keys = map[string]int{}
	const page = 10_000
	for offset := 0; ; offset += page {
		var found []struct {
			Key string `json:"Idempotency_Key__c"`
		}
		d.json(http.MethodGet, fmt.Sprintf("%s/_sim/records/Turnout_Registration__c?limit=%d&offset=%d", d.simulator, page, offset), "", &found)
		for _, r := range found {
			keys[r.Key]++
		}
		if len(found) < page {
			return keys, stats.Calls["collections_upsert"]
		}
	}
}

// sustain registers people at a rate for a while and reports how that went. Latencies
// are of those who got a place, from when they were to come; at most -callers of them
// are on their way at once, the others wait for these, which is part of their latency.
func (d *demonstration) sustain(rate float64, during time.Duration) {
	b := d.b
	_, calls := d.arrived()
	used := map[string]time.Duration{}
	for _, p := range d.processes {
		used[p.kind] -= p.cpu(b)
	}
	n := int(rate * during.Seconds())
	due := make(chan time.Time, n)
	answers := answers{keys: map[string]bool{}}
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			c := &connection{address: strings.TrimPrefix(d.public, "http://")}
			for number := caller; ; number += callers {
				at, ok := <-due
				if !ok {
					return
				}
				key := string(turnout.NewKey(at))
				err := c.post(d.form(d.slugs[number%len(d.slugs)], key, number))
				answers.add(key, time.Since(at), err)
			}
		})
	}
	begin := time.Now()
	for i := range n {
		at := begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		if wait := time.Until(at); wait > 0 {
			<-time.After(wait)
		}
		due <- at
	}
	close(due)
	all.Wait()
	took := time.Since(begin)
	lost, twice, callsAfter := d.compare(answers.keys)
	accepted := float64(len(answers.took))
	for _, p := range d.processes {
		used[p.kind] += p.cpu(b)
	}
	for kind, cpu := range used {
		b.ReportMetric(float64(cpu.Microseconds())/accepted, kind+"-cpu-µs/registration")
	}
	slices.Sort(answers.took)
	b.ReportMetric(accepted/took.Seconds(), "registrations/s")
	b.ReportMetric(answers.took.quantile(0.5), "p50-ms")
	b.ReportMetric(answers.took.quantile(0.99), "p99-ms")
	b.ReportMetric(float64(answers.failed), "failed")
	b.ReportMetric(float64(lost), "lost")
	b.ReportMetric(float64(twice), "twice")
	b.ReportMetric(float64(callsAfter-calls)/accepted*1000, "upserts/1000")
	if answers.failed > 0 {
		b.Logf("%d of %d failed, the last with %v", answers.failed, n, answers.last)
	}
}

// compare waits until Salesforce has what was acknowledged, for two minutes at most,
// and counts what is not there and what is there twice.
func (d *demonstration) compare(acknowledged map[string]bool) (lost, twice, calls int) {
	tick, late := time.NewTicker(2*time.Second), time.After(2*time.Minute)
	defer tick.Stop()
	for {
		var arrived map[string]int
		arrived, calls = d.arrived()
		lost, twice = 0, 0
		for key := range acknowledged {
			switch arrived[key] {
			case 0:
				lost++
			case 1:
			default:
				twice++
			}
		}
		if lost == 0 {
			return lost, twice, calls
		}
		select {
		case <-late:
			return lost, twice, calls
		case <-tick.C:
		}
	}
}

// form is one person's registration as a browser posts it.
func (d *demonstration) form(slug, key string, n int) []byte {
	body := strings.NewReplacer(anyKey, key, anyPerson, fmt.Sprintf("person-%d", n)).Replace(d.filled[slug])
	return fmt.Appendf(nil, "POST /events/%s/register HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Sec-Fetch-Site: same-origin\r\nContent-Length: %d\r\n\r\n%s", slug, strings.TrimPrefix(d.public, "http://"), len(body), body)
}

// answers are how long those took who got a place, in milliseconds, their keys, and
// how many did not.
type answers struct {
	mu     sync.Mutex
	took   latencies
	keys   map[string]bool
	failed int
	last   error
}

func (a *answers) add(key string, took time.Duration, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.failed, a.last = a.failed+1, err
		return
	}
	a.took, a.keys[key] = append(a.took, float64(took.Microseconds())/1000), true
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
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
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

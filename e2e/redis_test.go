//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/redis/redistest"
)

// has reports whether the demo's metrics have a line.
func (d *demo) has(line string) bool {
	for _, l := range d.metrics() {
		if l == line {
			return true
		}
	}
	return false
}

var (
	formKey     = regexp.MustCompile(`name="key" value="([^"]+)"`)
	formVersion = regexp.MustCompile(`name="form" value="([^"]+)"`)
	formTicket  = regexp.MustCompile(`name="ticket" value="([^"]+)"`)
)

// P6: whoever opened their link is known on every instance. Redis is killed and
// comes back, and nobody notices: not on pages, not in forms, not by being logged out.
func TestP6RedisComesAndGoes(t *testing.T) {
	t.Parallel()
	r := redistest.New(t)
	d := startDemoWith(t, []string{"TURNOUT_SESSIONS=" + r.URL(), "TURNOUT_EDGE_LIMITS=" + r.URL(), "TURNOUT_STACK=demo"})
	slug := fmt.Sprintf("redis-%d", time.Now().UnixNano())
	event := d.event(slug, -1, nil)
	public, err := url.Parse(d.ready.Public)
	if err != nil {
		t.Fatal(err)
	}
	link := d.link(event, "redis-token-0001")
	opened := d.get(link)
	cookie := ""
	for _, c := range opened.header.Values("Set-Cookie") {
		if strings.HasPrefix(c, "turnout_visit=") {
			cookie, _, _ = strings.Cut(c, ";")
		}
	}
	known := func(when string) {
		t.Helper()
		for _, origin := range d.instances() {
			page, err := d.do(http.MethodGet, origin+"/events/"+slug, "", "", "Host", public.Host, "Cookie", cookie)
			if err != nil || page.status != http.StatusOK || !strings.Contains(page.body, `href="`+link+`"`) {
				t.Fatalf("%s, %s: %d %v, cookie %q\n%s", when, origin, page.status, err, cookie, page.body)
			}
			anybody, err := d.do(http.MethodGet, origin+"/events/"+slug, "", "", "Host", public.Host)
			if err != nil || anybody.header.Get("ETag") == "" || strings.Contains(anybody.body, link) {
				t.Fatalf("%s: everybody gets %v, %v", when, anybody.header, err)
			}
		}
	}
	known("with Redis")
	up := func(v int) func() bool {
		return func() bool { return d.has(fmt.Sprintf(`turnout_redis_up{use="sessions"} %d`, v)) }
	}
	d.within(20*time.Second, "the metric", up(1))
	r.Kill()
	for range 20 {
		known("without Redis")
	}
	form := d.get(link)
	if form.status != http.StatusOK {
		t.Fatalf("the form: %d", form.status)
	}
	fields := url.Values{
		"key": {formKey.FindStringSubmatch(form.body)[1]}, "form": {formVersion.FindStringSubmatch(form.body)[1]},
		"ticket": {formTicket.FindStringSubmatch(form.body)[1]}, "first_name": {"Test"}, "last_name": {"Person"}, "email": {"redis@example.com"},
	}
	sent, err := d.do(http.MethodPost, d.ready.Public+link, "application/x-www-form-urlencoded", fields.Encode(), "Cookie", cookie)
	if err != nil || sent.status != http.StatusSeeOther {
		t.Fatalf("a registration without Redis: %d %v\n%s", sent.status, err, sent.body)
	}
	d.within(20*time.Second, "the metric that says so", up(0))
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.within(20*time.Second, "Redis", up(1))
	known("with Redis again")

	command(t, filepath.Join(d.home, "data"), "org", "end-sessions", "--org", d.ready.Org)
	d.within(10*time.Second, "the end of all sessions", func() bool {
		over := true
		for _, origin := range d.instances() {
			page, err := d.do(http.MethodGet, origin+"/events/"+slug, "", "", "Host", public.Host, "Cookie", cookie)
			over = over && err == nil && page.status == http.StatusOK && !strings.Contains(page.body, link)
		}
		return over
	})
}

// P7: two edges give an org one allowance, not two; without Redis each gives it,
// and no request fails.
func TestP7TwoEdgesOneAllowance(t *testing.T) {
	r := redistest.New(t)
	up := named(t, "one")
	const perSecond = 200
	settings := []string{
		"KEY_FILE=" + filepath.Join(t.TempDir(), "edge.key"), "LIMITS=" + r.URL(),
		fmt.Sprintf("ORG_PER_SECOND=%d", perSecond), "ORG_BURST=40", "ORG_SHARE=1",
	}
	one, two := startEdge(t, routesOf(up), settings...), startEdge(t, routesOf(up), settings...)
	crowd := pressOn(t, one, two)
	share := func(for_ time.Duration) float64 {
		before, began := crowd.served.Load(), time.Now()
		pass(for_)
		return float64(crowd.served.Load()-before) / time.Since(began).Seconds() / perSecond
	}
	pass(3 * time.Second)
	if got := share(6 * time.Second); got < 0.9 || got > 1.1 {
		t.Errorf("P7: two edges give %.2f of an allowance", got)
	} else {
		t.Logf("two edges give %.3f of an allowance", got)
	}
	r.Kill()
	pass(3 * time.Second)
	if got := share(4 * time.Second); got < 1.8 || got > 2.2 {
		t.Errorf("without Redis they give %.2f of an allowance", got)
	}
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	pass(4 * time.Second)
	if got := share(6 * time.Second); got < 0.9 || got > 1.1 {
		t.Errorf("P7: with Redis again they give %.2f of an allowance", got)
	}
	if n := crowd.failed.Load(); n > 0 {
		t.Errorf("%d requests failed", n)
	}
}

// pressure asks edges for more than they may give.
type pressure struct {
	served, refused, failed atomic.Int64
}

// pressOn asks each edge 400 times a second until the test ends, come what may.
func pressOn(t *testing.T, edges ...*edgeProcess) *pressure {
	t.Helper()
	p := &pressure{}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for _, e := range edges {
		wg.Go(func() {
			tick := time.NewTicker(time.Second / 400)
			defer tick.Stop()
			for {
				select {
				case <-done:
					return
				case <-tick.C:
					wg.Go(func() { p.ask(client, e.url) })
				}
			}
		})
	}
	t.Cleanup(func() { close(done); wg.Wait() })
	return p
}

func (p *pressure) ask(client *http.Client, origin string) {
	req, err := http.NewRequest(http.MethodGet, origin+"/", nil)
	if err != nil {
		p.failed.Add(1)
		return
	}
	req.Host = "events.acme.example"
	resp, err := client.Do(req)
	if err != nil {
		p.failed.Add(1)
		return
	}
	resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		p.served.Add(1)
	case http.StatusTooManyRequests:
		p.refused.Add(1)
	default:
		p.failed.Add(1)
	}
}

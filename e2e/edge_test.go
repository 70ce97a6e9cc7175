//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// crowd is visitors who read a form, think, and submit it, each in a session.
type crowd struct {
	d    *demo
	slug string
	stop chan struct{}
	all  sync.WaitGroup
	// acknowledged are the keys of submissions that were told that they hold a place.
	acknowledged sync.Map
	reads, sent  atomic.Int64
	// lost are requests that were not answered as they should have been.
	lost atomic.Int64
	// longest is the longest wait for an answer, in nanoseconds.
	longest atomic.Int64
	mu      sync.Mutex
	faults  map[string]int
}

var formField = regexp.MustCompile(`name="form" value="([^"]+)"`)

var keyField = regexp.MustCompile(`name="key" value="([^"]+)"`)

// gather starts n visitors, each of whom does something about once in pause.
func (d *demo) crowd(slug string, n int, pause time.Duration) *crowd {
	c := &crowd{d: d, slug: slug, stop: make(chan struct{}), faults: map[string]int{}}
	for i := range n {
		c.all.Go(func() { c.visitor(i, pause) })
	}
	return c
}

// disperse waits until everybody has done what they began.
func (c *crowd) disperse() {
	close(c.stop)
	c.all.Wait()
	c.d.t.Logf("%d reads and %d submissions, %d lost %v; the longest wait was %v",
		c.reads.Load(), c.sent.Load(), c.lost.Load(), c.faults, time.Duration(c.longest.Load()))
}

func (c *crowd) visitor(n int, pause time.Duration) {
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	for round := 0; ; round++ {
		select {
		case <-c.stop:
			return
		case <-time.After(pause/2 + time.Duration(rng.Int64N(int64(pause)))):
		}
		page, ok := c.ask(client, http.MethodGet, "/events/"+c.slug+"/register", nil, http.StatusOK)
		c.reads.Add(1)
		key := keyField.FindStringSubmatch(page)
		form := formField.FindStringSubmatch(page)
		if !ok || key == nil || form == nil || round%2 == 1 {
			continue
		}
		fields := url.Values{
			"key": {key[1]}, "form": {form[1]}, "ticket": {"std"}, "first_name": {"Test"},
			"last_name": {fmt.Sprintf("Person-%d-%d", n, round)}, "email": {fmt.Sprintf("visitor-%d-%d@example.com", n, round)},
		}
		if _, ok := c.ask(client, http.MethodPost, "/events/"+c.slug+"/register", fields, http.StatusSeeOther); ok {
			c.acknowledged.Store(key[1], true)
		}
		c.sent.Add(1)
	}
}

// ask sends one request, once, as a browser does. Anything but the answer that
// is expected is a loss.
func (c *crowd) ask(client *http.Client, method, path string, fields url.Values, want int) (string, bool) {
	req, err := http.NewRequest(method, c.d.ready.Public+path, strings.NewReader(fields.Encode()))
	if err != nil {
		c.d.t.Error(err)
		return "", false
	}
	if fields != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	began := time.Now()
	resp, err := client.Do(req)
	var text []byte
	status := 0
	if err == nil {
		status = resp.StatusCode
		text, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	for took := int64(time.Since(began)); ; {
		old := c.longest.Load()
		if took <= old || c.longest.CompareAndSwap(old, took) {
			break
		}
	}
	if err == nil && status == want {
		return string(text), true
	}
	c.lost.Add(1)
	c.mu.Lock()
	c.faults[fmt.Sprintf("%s %d %v", method, status, err)]++
	c.mu.Unlock()
	return "", false
}

// victim is an instance's process that is alive.
func (d *demo) victim(rng *rand.Rand) int {
	d.t.Helper()
	d.reload()
	pids := d.ready.PIDs["instance"]
	for range 100 {
		if pid := pids[rng.IntN(len(pids))]; pid > 0 && syscall.Kill(pid, 0) == nil {
			return pid
		}
		pass(20 * time.Millisecond)
		d.reload()
		pids = d.ready.PIDs["instance"]
	}
	d.t.Fatal("no instance is alive")
	return 0
}

// up is how many instances the edge sends new sessions to. One dies while others are there:
// a machine that is slower to start an instance than a test is to kill one would have none
// left, and no edge helps then.
func (d *demo) up() int {
	d.t.Helper()
	return len(regexp.MustCompile(`(?m)^turnout_edge_upstream_up\{[^}]*\} 1$`).FindAllString(d.get(strings.TrimSuffix(d.ready.Console, "/console/")+"/metrics").body, -1))
}

// P6, P10: kill -9 of one of three instances, 20 times, under 300 sessions that
// read and submit: no request is lost, and each submission is stored once.
func TestP10NoRequestIsLostWhenAnInstanceDies(t *testing.T) {
	t.Parallel()
	d := startDemo(t, "--instances", "3")
	id := d.event("edge-kill", 30000, nil)
	c := d.crowd("edge-kill", 300, 3*time.Second)
	rng := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for range 20 {
		pass(time.Duration(800+rng.IntN(800)) * time.Millisecond)
		d.within(time.Minute, "two instances", func() bool { return d.up() >= 2 })
		if err := syscall.Kill(d.victim(rng), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	pass(2 * time.Second)
	c.disperse()
	if n := c.lost.Load(); n != 0 {
		t.Errorf("P10: %d requests were lost", n)
	}
	if c.sent.Load() < 100 {
		t.Errorf("only %d submissions were sent", c.sent.Load())
	}
	d.allArrive(id, "edge-kill", &c.acknowledged, 30000)
}

// P10: an instance that hangs is found out, and what it was asked is asked elsewhere.
func TestP10NoRequestIsLostWhenAnInstanceHangs(t *testing.T) {
	t.Parallel()
	d := startDemo(t, "--instances", "3")
	id := d.event("edge-stop", 30000, nil)
	c := d.crowd("edge-stop", 300, 3*time.Second)
	rng := rand.New(rand.NewPCG(2, uint64(time.Now().UnixNano())))
	for range 5 {
		pass(time.Second)
		pid := d.victim(rng)
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Second)
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	c.disperse()
	if n := c.lost.Load(); n != 0 {
		t.Errorf("P10: %d requests were lost", n)
	}
	d.allArrive(id, "edge-stop", &c.acknowledged, 30000)
}

// P10: each instance in turn is told to end, drains, ends and comes back, under
// visitors who read and submit: no request is lost.
func TestP10RollingRestart(t *testing.T) {
	t.Parallel()
	d := startDemoWith(t, []string{"TURNOUT_DRAIN=1s"}, "--instances", "3")
	id := d.event("edge-roll", 30000, nil)
	c := d.crowd("edge-roll", 100, 2*time.Second)
	for i := range 6 {
		pass(time.Second)
		d.reload()
		pid := d.ready.PIDs["instance"][i%3]
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		d.within(20*time.Second, "the next process", func() bool {
			d.reload()
			now := d.ready.PIDs["instance"][i%3]
			return now != pid && now > 0
		})
	}
	pass(time.Second)
	c.disperse()
	if n := c.lost.Load(); n != 0 {
		t.Errorf("P10: %d requests were lost", n)
	}
	d.allArrive(id, "edge-roll", &c.acknowledged, 30000)
}

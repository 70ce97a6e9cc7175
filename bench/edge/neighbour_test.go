package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// calm is an org that asks at a steady rate, whatever happens elsewhere. Its
// waits count from when each request was due.
type calm struct {
	mu      sync.Mutex
	waits   []time.Duration
	refused int
	lost    int
	// secure: it asks over TLS.
	secure bool
}

// victimRate is its requests a second: few enough to be nobody's load, many
// enough for a 99th percentile.
const victimRate = 200

func (c *calm) run(addr string, long time.Duration) {
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		MaxIdleConnsPerHost: 1024, DisableCompression: true, TLSClientConfig: tlsClient(victimDomain),
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}}
	defer client.CloseIdleConnections()
	var group sync.WaitGroup
	began := time.Now()
	for due := began; due.Sub(began) < long; due = due.Add(time.Second / victimRate) {
		pass(time.Until(due))
		group.Go(func() { c.ask(client, due) })
	}
	group.Wait()
}

func (c *calm) ask(client *http.Client, due time.Time) {
	site := "http://" + victimHost
	if c.secure {
		site = "https://" + victimDomain
	}
	resp, err := client.Get(site + "/events/congress/register")
	status := 0
	if err == nil {
		status = resp.StatusCode
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	wait := time.Since(due)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil || (status != http.StatusOK && status != http.StatusTooManyRequests):
		c.lost++
	case status == http.StatusTooManyRequests:
		c.refused++
	}
	c.waits = append(c.waits, wait)
}

// abuseOf is one way of being a bad neighbour.
type abuseOf struct {
	title string
	// allowed is the abuser's allowance in requests/s, share its part of what
	// the instances do at once, asked what it asks for, lines its connections.
	// Each of two instances does places requests at once.
	places  int
	allowed int
	share   float64
	asked   float64
	path    string
	lines   int
}

// slice is how long it is quiet, and then noisy.
const slice = 4 * time.Second

// BenchmarkNeighbour: what one org's visitors feel of another's abuser.
func BenchmarkNeighbour(b *testing.B) {
	for b.Loop() {
		compareNeighbours(b, abuseOf{
			title:  "A neighbour at 50 times its allowance of 100 requests/s; two instances that do 8 requests of 5 ms each at once",
			places: 8, allowed: 100, share: 0.5, asked: 5000, path: "/events/congress", lines: 256,
		}, nameEdge, nameHAProxy, nameNginx, nameReverse)
		compareNeighbours(b, abuseOf{
			title:  "A neighbour within its rate of 400 requests/s whose requests take 2 s; two instances that do 200 at once, the victim's take 5 ms",
			places: 200, allowed: 400, share: 0.5, asked: 320, path: "/events/congress?takes=2s", lines: 1000,
		}, nameEdge, nameHAProxy, nameNginx, nameReverse)
	}
}

func compareNeighbours(b *testing.B, a abuseOf, names ...string) {
	t := newTable(a.title, "", "victim's p50 quiet", "noisy", "ratio", "p99 quiet", "noisy", "ratio", "victim refused", "lost", "abuser asked", "served", "part of its allowance", "lost")
	for _, k := range peers(b, names...) {
		quiet, noisy, did := a.against(b, k)
		q50, n50, q99, n99 := median(quiet.waits), median(noisy.waits), part(quiet.waits, 0.99), part(noisy.waits, 0.99)
		allowed := float64(a.allowed) * slice.Seconds() * float64(neighbourRounds())
		t.row(k.name, q50, n50, float64(n50)/float64(q50), q99, n99, float64(n99)/float64(q99), noisy.refused, quiet.lost+noisy.lost,
			did.Sent, did.Served, fmt.Sprintf("%.0f %%", 100*float64(did.Served)/allowed), did.Lost)
	}
	t.report(b)
}

func neighbourRounds() int { return max(1, *rounds-2) }

// against has the victim ask alone and beside the abuser, in turn.
func (a abuseOf) against(b *testing.B, k peer) (quiet, noisy *calm, did abused) {
	h := newHouse(b, 2, instanceSettings{Service: 5 * time.Millisecond, Places: a.places})
	defer h.end()
	p := h.plan()
	p.rate, p.share, p.places = a.allowed, a.share, 2*a.places
	x := k.run(b, p)
	defer x.end()
	quiet, noisy = &calm{}, &calm{}
	(&calm{}).run(x.addr, time.Second) // everybody knows everybody
	for range neighbourRounds() {
		quiet.run(x.addr, slice)
		cmd := roleCommand(b, "abuser", abuserSettings{Addr: x.addr, Path: a.path, Rate: a.asked, Lines: a.lines, Long: slice})
		if _, err := cmd.StdinPipe(); err != nil {
			b.Fatal(err)
		}
		done := make(chan abused, 1)
		go func() {
			var one abused
			if text, err := cmd.Output(); err == nil {
				_ = json.Unmarshal(text, &one) // one that broke off counts for nothing
			}
			done <- one
		}()
		noisy.run(x.addr, slice)
		did.add(<-done)
	}
	return quiet, noisy, did
}

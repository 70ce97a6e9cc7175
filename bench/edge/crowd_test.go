package edge

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// journal is when each instance could not serve its sessions, so that those that
// left it then are told from those that need not have. Safe for concurrent use.
type journal struct {
	mu   sync.Mutex
	each map[string][]span
}

// span is a time; a zero end means that it lasts.
type span struct{ from, to time.Time }

// begin notes that an instance is to be left from now on.
func (j *journal) begin(who string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.each == nil {
		j.each = map[string][]span{}
	}
	j.each[who] = append(j.each[who], span{from: time.Now()})
}

// mend notes that it may be stayed at again, in a while: nobody can know at once.
func (j *journal) mend(who string, in time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if all := j.each[who]; len(all) > 0 {
		all[len(all)-1].to = time.Now().Add(in)
	}
}

// ill reports whether an instance was to be left at any time between two.
func (j *journal) ill(who string, from, to time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.each[who] {
		if s.from.Before(to) && (s.to.IsZero() || s.to.After(from)) {
			return true
		}
	}
	return false
}

// crowd is visitors who read a form, think, and submit it, each in a session and
// over a connection of their own.
type crowd struct {
	addr  string
	think time.Duration
	// lasts is for how long a session goes on before its visitor is another one; 0
	// for ever.
	lasts time.Duration
	ill   *journal
	stop  chan struct{}
	all   sync.WaitGroup

	reads, sent, lost, dials atomic.Int64
	// moved are sessions' changes of instance, needless those from an instance
	// that was well; most is the most of one session.
	moved, needless, most atomic.Int64
	longest               atomic.Int64 // wait for an answer, in nanoseconds, from when it was due

	mu     sync.Mutex
	faults map[string]int
	typed  map[string]string            // of acknowledged submissions, by key
	heard  func(who string, status int) // nil, or told of each answer
}

// gather starts n visitors, who do something about once in think.
func gather(addr string, n int, think time.Duration, ill *journal, heard func(string, int)) *crowd {
	return assemble(&crowd{addr: addr, think: think, ill: ill, heard: heard}, n)
}

// assemble starts n visitors of c.
func assemble(c *crowd, n int) *crowd {
	c.stop, c.faults, c.typed = make(chan struct{}), map[string]int{}, map[string]string{}
	for i := range n {
		c.all.Go(func() { c.visit(i) })
	}
	return c
}

// disperse waits until everybody has done what they began.
func (c *crowd) disperse() {
	close(c.stop)
	c.all.Wait()
}

// visitor is one of them.
type visitor struct {
	c      *crowd
	client *http.Client
	began  time.Time
	who    string // that answered last
	when   time.Time
	moves  int64
}

func (c *crowd) visit(n int) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	v := &visitor{c: c, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		MaxIdleConnsPerHost: 1, DisableCompression: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			c.dials.Add(1)
			return dialer.DialContext(ctx, network, c.addr)
		},
	}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	defer v.client.CloseIdleConnections()
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	v.arrive()
	for round := 0; ; round++ {
		if round%2 == 0 && c.lasts > 0 && time.Since(v.began) > c.lasts {
			v.arrive()
		}
		due := time.Now().Add(c.think/2 + time.Duration(rng.Int64N(int64(c.think))))
		select {
		case <-c.stop:
			return
		case <-time.After(time.Until(due)):
		}
		if round%2 == 0 {
			c.reads.Add(1)
			v.ask(due, http.MethodGet, nil, http.StatusOK)
			continue
		}
		key, note := fmt.Sprintf("key-%d-%d-%d", n, round, time.Now().UnixNano()), strings.Repeat(fmt.Sprintf("typed by %d in %d; ", n, round), 20)
		c.sent.Add(1)
		if v.ask(due, http.MethodPost, url.Values{"key": {key}, "note": {note}}, http.StatusSeeOther) {
			c.mu.Lock()
			c.typed[key] = note
			c.mu.Unlock()
		}
	}
}

// arrive makes them somebody whom nobody has seen.
func (v *visitor) arrive() {
	v.client.Jar, _ = cookiejar.New(nil) // never fails
	v.began, v.who, v.moves = time.Now(), "", 0
}

// ask sends one request, once, as a browser does, which was due at a time.
// Anything but the answer that is expected is a loss.
func (v *visitor) ask(due time.Time, method string, fields url.Values, want int) bool {
	c := v.c
	req, err := http.NewRequest(method, "http://"+victimHost+"/events/congress/register", strings.NewReader(fields.Encode()))
	if err != nil {
		return false
	}
	if fields != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.GetBody = nil // what was sent is not sent again by the client
	}
	resp, err := v.client.Do(req)
	status := 0
	if err == nil {
		status = resp.StatusCode
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if who := resp.Header.Get(whoHeader); who != "" {
			v.answered(who)
			if c.heard != nil {
				c.heard(who, status)
			}
		}
	}
	raise(&c.longest, int64(time.Since(due)))
	if err == nil && status == want {
		return true
	}
	c.lost.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[fmt.Sprintf("%s %d %v", method, status, cause(err))]++
	return false
}

// answered notes which instance serves the session now.
func (v *visitor) answered(who string) {
	now := time.Now()
	before, name := v.who, strings.SplitN(who, ".", 2)[0]
	if before != "" && !strings.HasPrefix(before, name+".") {
		v.c.moved.Add(1)
		v.moves++
		raise(&v.c.most, v.moves)
		if !v.c.ill.ill(before, v.when, now) {
			v.c.needless.Add(1)
		}
	}
	v.who, v.when = who, now
}

func raise(most *atomic.Int64, to int64) {
	for old := most.Load(); to > old && !most.CompareAndSwap(old, to); old = most.Load() {
	}
}

// cause is an error without the address it names.
func cause(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	return text[strings.LastIndex(text, ": ")+1:]
}

// unstored counts acknowledged submissions that are not stored as they were typed.
func (c *crowd) unstored(b *testing.B, keys string) int {
	b.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	wrong := 0
	for key, note := range c.typed {
		if text, err := os.ReadFile(filepath.Join(keys, key)); err != nil || string(text) != note {
			wrong++
		}
	}
	return wrong
}

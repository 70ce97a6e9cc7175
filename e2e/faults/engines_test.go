//go:build e2e

package faults

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// without is a way in which an engine is lost, and comes back.
type without struct {
	name string
	away func() error
	back func() error
}

// ways are those in which Redis and the cache are lost: the process is killed, or
// stopped; the network falls silent, or refuses, for every instance at once.
func (d *deployment) ways() []without {
	ctx := d.t.Context()
	network := func(target string, f wiretest.Fault) func() error {
		return func() error {
			for name, w := range d.wires {
				if strings.HasSuffix(name, "→"+target) {
					w.Set(f)
					if f.Refuse {
						w.Reset() // or connections of before go on
					}
				}
			}
			return nil
		}
	}
	var ways []without
	for _, target := range []string{"redis", "cache"} {
		ways = append(ways,
			without{target + " silent", network(target, wiretest.Fault{LoseUp: true, LoseDown: true}), network(target, wiretest.Fault{})},
			without{target + " refusing", network(target, wiretest.Fault{Refuse: true}), network(target, wiretest.Fault{})},
			without{target + " holding", network(target, wiretest.Fault{Hold: true}), network(target, wiretest.Fault{})})
	}
	return append(ways,
		without{"redis killed", func() error { d.redis.Kill(); return nil }, func() error { return d.redis.Restart(ctx) }},
		without{"redis stopped", d.redis.Pause, d.redis.Resume},
		without{"cache killed", d.cache.Kill, func() error { return d.cache.Restart(ctx) }},
		without{"cache stopped", d.cache.Pause, d.cache.Resume})
}

// P1, P3: whichever way Redis or the cache engine is lost, no page of a known event
// and no registration is: each is answered, at once, by every instance.
func TestP1P3LosingRedisOrTheCacheLosesNothing(t *testing.T) {
	d := deploy(t)
	c := d.opening(t)
	for _, w := range d.ways() {
		t.Run(w.name, func(t *testing.T) {
			if err := w.away(); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			var sent atomic.Int64
			end := time.Now().Add(2 * time.Second)
			for i := range 6 {
				o := d.offices[i%2]
				all.Go(func() {
					for time.Now().Before(end) {
						c.mustRegister(t, o)
						sent.Add(1)
					}
				})
			}
			all.Wait()
			t.Logf("%d registrations", sent.Load())
			if err := w.back(); err != nil {
				t.Fatal(err)
			}
		})
	}
	d.prove(c)
}

// mustRegister opens an event's page and its form, registers and looks at the
// registration, each of which has to be well, and none of which may take long.
func (c *crowd) mustRegister(t *testing.T, o *office) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	v := &visitor{crowd: c, stay: ctx}
	j := &journey{visitor: v, own: own{office: o, slug: "many", person: newPerson(o, int(c.people.Add(1)))}}
	j.browser, j.story = newBrowser(o, j.person, c.d.public(), &c.faults), c.history[o]["many"]
	defer j.close()
	began := time.Now()
	must := func(want int, p page) page {
		t.Helper()
		if p.status != want {
			t.Errorf("answered %d instead of %d after %v: %v %s", p.status, want, time.Since(began), p.err, heading(p))
		}
		return p
	}
	path := "/events/many/register"
	must(http.StatusOK, j.ask(ctx, http.MethodGet, "/events/many", nil))
	p := must(http.StatusOK, j.ask(ctx, http.MethodGet, path, nil))
	j.fill(p)
	if outcome := j.submit(path); outcome != "ok" {
		t.Errorf("a registration is answered %q", outcome)
		return
	}
	must(http.StatusOK, j.ask(ctx, http.MethodGet, j.path, nil))
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("two pages, a registration and its page took %v", took)
	}
}

// P10: an instance that is told to end does, whatever engine has fallen silent, and
// comes back.
func TestP10AnInstanceEndsWhateverIsSilent(t *testing.T) {
	d := deploy(t)
	c := d.opening(t)
	c.mustRegister(t, d.offices[0])
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i, target := range []string{"redis", "cache", "database"} {
		p := d.instances[i]
		w := d.wires[p.name+"→"+target]
		w.Set(wiretest.Fault{LoseUp: true, LoseDown: true})
		all.Go(func() {
			pass(time.Second) // what is asked all the time waits by now
			if !p.end(30 * time.Second) {
				t.Errorf("without %s, %s does not end: its log says what it does", target, p.name)
			}
			w.Set(wiretest.Fault{})
			if err := p.up(ctx, d.starter); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	c.mustRegister(t, d.offices[0])
}

//go:build e2e

package faults

import (
	"context"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// few is how many seats there are where there are too few.
const few = 12

// settings are the seed and how long it lasts; both can be given.
func settings(t *testing.T) (seed uint64, lasts time.Duration) {
	t.Helper()
	seed, lasts = uint64(time.Now().UnixNano()), 3*time.Minute
	var err error
	if s := os.Getenv("TURNOUT_FAULTS_SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("TURNOUT_FAULTS_SEED: %v", err)
		}
	}
	if s := os.Getenv("TURNOUT_FAULTS_DURATION"); s != "" {
		if lasts, err = time.ParseDuration(s); err != nil {
			t.Fatalf("TURNOUT_FAULTS_DURATION: %v", err)
		}
	}
	return seed, lasts
}

// P1, P2, P6, P10: three instances, an edge, their engines and two Salesforce orgs
// are killed, stopped, cut off and slowed down at random under visitors. In the end
// everything acknowledged is in Salesforce once and as it was left, seats are exact,
// nobody saw anything of anybody else, and every instance shows the same.
func TestP1P2P6P10EverythingFails(t *testing.T) {
	seed, lasts := settings(t)
	t.Logf("TURNOUT_FAULTS_SEED=%d TURNOUT_FAULTS_DURATION=%v repeats this", seed, lasts)
	began := time.Now()
	since := func() time.Duration { return time.Since(began).Round(100 * time.Millisecond) }
	d := deploy(t)
	c := d.opening(t)
	t.Logf("%v: everything serves", since())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	leave, gone := context.WithTimeout(ctx, lasts)
	defer gone()
	var all sync.WaitGroup
	for i := range 24 {
		v := &visitor{crowd: c, number: i, rng: rand.New(rand.NewPCG(seed, uint64(1000+i))), stay: ctx}
		all.Go(func() { v.visit(leave) })
	}
	o := &organisers{crowd: c, rng: rand.New(rand.NewPCG(seed, 500))}
	all.Go(func() { o.work(leave) })
	f := &forgetter{crowd: c, rng: rand.New(rand.NewPCG(seed, 501))}
	all.Go(func() { f.work(leave, ctx) })
	m := newMischief(d, seed)
	m.run(leave)
	t.Logf("%v: all is mended, and everybody finishes what they began", since())
	time.AfterFunc(40*time.Second, cancel)
	all.Wait()
	t.Logf("%v: everybody has left", since())
	d.recovered()
	o.finish(t)
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		t.Logf("%6d %s", c.counts[what], what)
	}
	d.prove(c)
	c.happened(t, m, lasts)
	t.Logf("%v: proven", since())
}

// happened makes sure that something was proven: that visitors came through, each
// way there is, while things went wrong.
func (c *crowd) happened(t *testing.T, m *mischief, lasts time.Duration) {
	t.Helper()
	tens := int(lasts / (10 * time.Second))
	if n := int(m.done.Load()); n < tens {
		t.Errorf("%d things went wrong in %v", n, lasts)
	}
	for what, least := range map[string]int{
		"registered: ok 303": 20 * tens, "edited: ok 303": 5 * tens, "cancelled: ok 303": 5 * tens, "read": 20 * tens,
		"registered: full 409": tens / 18, // in three minutes dozens; a short run may fill nothing
	} {
		if c.counts[what] < least {
			t.Errorf("%q happened %d times, and at least %d times prove anything", what, c.counts[what], least)
		}
	}
}

// opening publishes the events and waits until every instance shows them.
func (d *deployment) opening(t *testing.T) *crowd {
	t.Helper()
	for _, o := range d.offices {
		for slug, seats := range map[string]int{"few": few, "many": -1} {
			if err := o.publish(t.Context(), slug, seats); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := newCrowd(d)
	o := organisers{crowd: c}
	for _, at := range d.offices {
		for range 20 {
			if err := o.invite(t.Context(), at, "many"); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.within(30*time.Second, "the events on every instance", func() bool { return d.differences() == "" })
	return c
}

package modulation

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/turnout-events/turnout/internal/limit"
	server "github.com/turnout-events/turnout/internal/redis"
	"github.com/turnout-events/turnout/internal/redis/redistest"
)

const key = "the key that the edges of this test share"

// edges are several of one deployment under a clock of the test's: what happens in
// a second takes as long as the exchanges with Redis do.
type edges struct {
	*testing.T
	r     *redistest.Server
	all   []*edge
	now   time.Time
	rng   *rand.Rand
	ticks int
}

type edge struct {
	*Sharing
	meter *Meter
	share *Share
	// due are the requests that are still to come in this millisecond, in parts.
	due      float64
	accepted int
	refused  int
}

func newEdges(t *testing.T, n int) *edges {
	t.Helper()
	e := &edges{T: t, r: redistest.New(t), now: time.Unix(2e9, 0), rng: rand.New(rand.NewPCG(1, uint64(n)))}
	for range n {
		e.all = append(e.all, e.edge([]byte(key)))
	}
	for range 3 { // until all know of each other
		e.step()
	}
	return e
}

func (e *edges) edge(key []byte) *edge {
	e.Helper()
	// Two cores run all of this: a moment is not to be taken for an outage here.
	s, err := server.Open(e.Context(), server.Options{URL: e.r.URL(), Use: "limits", Patience: 5 * time.Second})
	if err != nil {
		e.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(e.Context()))
	go s.Run(ctx)
	e.Cleanup(func() { cancel(); s.Close() })
	sharing := New(Options{Server: s, Key: key})
	return &edge{Sharing: sharing, meter: sharing.Meter("acme"), share: sharing.Share("acme")}
}

func (e *edges) step() {
	for _, one := range e.all {
		one.step(e.Context(), e.now)
	}
}

// pass lets time go by in which each edge is asked so much a second, at random
// times; it counts anew.
func (e *edges) pass(d time.Duration, rate limit.Rate, asked ...float64) (accepted float64) {
	for _, one := range e.all {
		one.accepted, one.refused = 0, 0
	}
	for range d / time.Millisecond {
		e.now = e.now.Add(time.Millisecond)
		for i, one := range e.all {
			// Edges look at times of their own.
			if e.ticks%100 == 37*i%100 {
				one.step(e.Context(), e.now)
			}
			for one.due += asked[i] / 1000; one.due > 0; one.due -= e.rng.ExpFloat64() {
				if one.meter.Take(rate, e.now).OK {
					one.accepted++
				} else {
					one.refused++
				}
			}
		}
		e.ticks++
	}
	for _, one := range e.all {
		accepted += float64(one.accepted)
	}
	return accepted
}

// P7: edges together give an org its allowance and not twice, wherever it is asked
// for, and next to nothing is refused while less is asked for.
func TestP7EdgesShareAnAllowance(t *testing.T) {
	rate := limit.Rate{PerSecond: 500, Burst: 100}
	for name, c := range map[string]struct {
		asked []float64
		want  float64 // of the allowance
	}{
		"equal":           {[]float64{1500, 1500}, 1},
		"uneven":          {[]float64{3000, 100}, 1},
		"one alone":       {[]float64{1500, 0}, 1},
		"just too much":   {[]float64{350, 300}, 1},
		"three":           {[]float64{5000, 600, 20}, 1},
		"less":            {[]float64{200, 200}, 0.8},
		"less and uneven": {[]float64{400, 25}, 0.85},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdges(t, len(c.asked))
			e.pass(2*time.Second, rate, c.asked...) // the burst goes, and they learn
			got := e.pass(10*time.Second, rate, c.asked...) / 10 / rate.PerSecond
			t.Logf("%.1f %% of the allowance", 100*got)
			if got < 0.95*c.want || got > 1.05*c.want {
				t.Errorf("P7: %.3f of the allowance, want %.2f", got, c.want)
			}
			for i, one := range e.all { // by chance an edge is asked for more than it was a moment ago
				if most := c.asked[i] * 10 / 100; c.want < 1 && float64(one.refused) > most {
					t.Errorf("edge %d refused %d requests to an org within its allowance", i, one.refused)
				}
			}
		})
	}
}

// P7: what may be asked at once is shared, too.
func TestP7EdgesShareABurst(t *testing.T) {
	rate := limit.Rate{PerSecond: 500, Burst: 100}
	e := newEdges(t, 2)
	e.pass(3*time.Second, rate, 1, 1)
	got := 0
	for range 500 {
		for _, one := range e.all {
			if one.meter.Take(rate, e.now).OK {
				got++
			}
		}
	}
	if got < 95 || got > 105 {
		t.Errorf("P7: two edges give %d at once, want 100", got)
	}
}

// P7: traffic moves from one edge to the other and back, as DNS does it.
func TestP7TrafficMoves(t *testing.T) {
	rate := limit.Rate{PerSecond: 500, Burst: 100}
	e := newEdges(t, 2)
	e.pass(2*time.Second, rate, 1000, 0)
	all := 0.0
	for range 3 {
		all += e.pass(5*time.Second, rate, 0, 1000)
		all += e.pass(5*time.Second, rate, 1000, 0)
	}
	got := all / 30 / rate.PerSecond
	t.Logf("%.1f %% of the allowance", 100*got)
	if got < 0.95 || got > 1.05 {
		t.Errorf("P7: %.3f of the allowance", got)
	}
}

// Redis is killed in the middle: each edge limits by itself, none refuses
// everything or fails. It comes back, and they share again.
func TestRedisKilledInTheMiddle(t *testing.T) {
	rate := limit.Rate{PerSecond: 500, Burst: 100}
	e := newEdges(t, 2)
	e.pass(2*time.Second, rate, 1500, 1500)
	e.r.Kill()
	got := e.pass(time.Second, rate, 1500, 1500) / rate.PerSecond
	if got < 0.9 || got > 1.1 {
		t.Errorf("just after: %.2f of the allowance", got)
	}
	e.pass(time.Second, rate, 1500, 1500)
	e.pass(5*time.Second, rate, 1500, 1500)
	for i, one := range e.all {
		if got := float64(one.accepted) / 5 / rate.PerSecond; got < 0.95 || got > 1.05 || one.Edges() != 1 {
			t.Errorf("by itself, edge %d gives %.2f of the allowance and knows of %d", i, got, one.Edges())
		}
	}
	if err := e.r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for e.all[0].Edges() != 2 || e.all[1].Edges() != 2 { // Run brings it back
		e.pass(every, rate, 1500, 1500)
	}
	e.pass(2*time.Second, rate, 1500, 1500)
	if got := e.pass(5*time.Second, rate, 1500, 1500) / 5 / rate.PerSecond; got < 0.95 || got > 1.05 {
		t.Errorf("back again: %.2f of the allowance", got)
	}
}

// An edge that died leaves its part to the other, one that ended does so at once.
func TestEdgesComeAndGo(t *testing.T) {
	rate := limit.Rate{PerSecond: 500, Burst: 100}
	e := newEdges(t, 3)
	e.pass(time.Second, rate, 1500, 1500, 1500)
	if err := e.all[2].leave(t.Context()); err != nil {
		t.Error(err)
	}
	e.all = e.all[:2]
	e.pass(2*every, rate, 1500, 1500)
	if n := e.all[0].Edges(); n != 2 {
		t.Errorf("after one has ended, %d", n)
	}
	e.all = e.all[:1] // without a word
	for e.all[0].Edges() != 1 {
		e.pass(every, rate, 1500)
	}
	if got := e.pass(5*time.Second, rate, 1500) / 5 / rate.PerSecond; got < 0.95 || got > 1.05 {
		t.Errorf("alone it gives %.2f of the allowance", got)
	}
	names := int64(0)
	err := e.all[0].o.Server.Do(t.Context(), func(ctx context.Context, c rueidis.Client) (err error) {
		names, err = c.Do(ctx, c.B().Scard().Key(e.all[0].group+"edges").Build()).AsInt64()
		return err
	})
	if err != nil || names != 1 {
		t.Errorf("the list names %d, %v", names, err)
	}
}

// Deployments that share a server have nothing to do with each other, and nothing
// there names an org.
func TestOthersOnTheSameServer(t *testing.T) {
	rate := limit.Rate{PerSecond: 500, Burst: 100}
	e := newEdges(t, 1)
	e.all = append(e.all, e.edge([]byte("another deployment's key")))
	e.pass(2*time.Second, rate, 1500, 1500)
	got := e.pass(5*time.Second, rate, 1500, 1500) / 5 / rate.PerSecond
	if got < 1.9 || got > 2.1 {
		t.Errorf("two deployments give %.2f of an allowance", got)
	}
	err := e.all[0].o.Server.Do(t.Context(), func(ctx context.Context, c rueidis.Client) error {
		keys, err := c.Do(ctx, c.B().Keys().Pattern("*").Build()).AsStrSlice()
		if err != nil || len(keys) < 4 {
			t.Errorf("%v, %v", keys, err)
		}
		for _, k := range keys {
			raw, _ := c.Do(ctx, c.B().Dump().Key(k).Build()).ToString()
			if strings.Contains(k+raw, "acme") {
				t.Errorf("%q names the org", k+raw)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Requests never exchange anything: what they cost Redis depends on time alone.
func TestRequestsAskNobody(t *testing.T) {
	e := newEdges(t, 2)
	e.r.Kill()
	for range 10000 {
		e.all[0].meter.Take(limit.Rate{PerSecond: 10, Burst: 10}, e.now)
		e.all[0].share.Acquire(10, 0.5)
	}
	if e.all[0].o.Server.Away() {
		t.Error("a request noticed that Redis is gone")
	}
}

// P7: an org's places are shared like its rate.
func TestP7EdgesSharePlaces(t *testing.T) {
	const capacity, part = 100, 0.5
	e := newEdges(t, 2)
	take := func(one *edge, n int) (got int) {
		for range n {
			if one.share.Acquire(capacity, part) {
				got++
			}
		}
		return got
	}
	look := func() {
		for range 12 {
			e.now = e.now.Add(every)
			for _, one := range e.all { // both are asked for more than there is
				one.share.Acquire(capacity, 0)
				take(one, 30)
			}
			e.step()
		}
	}
	look()
	for _, one := range e.all {
		for one.share.InUse() > 0 {
			one.share.Release()
		}
	}
	if got := take(e.all[0], 200) + take(e.all[1], 200); got < 48 || got > 51 {
		t.Errorf("P7: together they have %d places, want 50", got)
	}
	for e.all[1].share.InUse() > 0 {
		e.all[1].share.Release()
	}
	for range 30 { // the second edge wants none any more
		take(e.all[0], 10)
		e.now = e.now.Add(every)
		e.step()
	}
	take(e.all[0], 200)
	if got := e.all[0].share.InUse(); got < 48 || got > 50 {
		t.Errorf("alone, the first has %d places", got)
	}
	if !e.all[1].share.Acquire(capacity, part) {
		t.Error("the first request at an idle edge is refused")
	}
}

func TestParts(t *testing.T) {
	for _, c := range []struct {
		limit float64
		wants []float64
		want  []float64
	}{
		{100, []float64{0}, []float64{100}},
		{100, []float64{500}, []float64{100}},
		{100, []float64{0, 0}, []float64{50, 50}},
		{100, []float64{40, 20}, []float64{60, 40}},
		{100, []float64{300, 300}, []float64{50, 50}},
		{100, []float64{300, 20}, []float64{80, 20}},
		{100, []float64{300, 0}, []float64{99, 1}}, // what is kept for the first to come
		{90, []float64{300, 200, 10}, []float64{40, 40, 10}},
	} {
		for i, want := range c.want {
			if got := part(c.limit, c.wants, i); math.Abs(got-want) > 1e-9 {
				t.Errorf("of %v, edge %d of those that want %v gets %v, want %v", c.limit, i, c.wants, got, want)
			}
		}
	}
}

// Whatever is wanted, the parts add up to the limit, none is nothing, and nobody
// gets more than others who want as much.
func TestPartsAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 20000 {
		wants := make([]float64, 1+rng.IntN(6))
		for i := range wants {
			wants[i] = math.Floor(rng.ExpFloat64()*200) * float64(rng.IntN(2))
		}
		limit, sum := 1+rng.Float64()*1000, 0.0
		for i := range wants {
			p := part(limit, wants, i)
			sum += p
			if p <= 0 || p > limit*(1+1e-9) {
				t.Fatalf("of %v, edge %d of %v gets %v", limit, i, wants, p)
			}
		}
		if math.Abs(sum-limit) > 1e-6*limit {
			t.Fatalf("the parts of %v for %v are %v", limit, wants, sum)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(map[id]float64{1: 2, 3: 4.5}))
	f.Add([]byte{1})
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x01\x7f\xc0\x00\x00")) // not a number
	f.Fuzz(func(t *testing.T, b []byte) {
		for holder, w := range decode(b) {
			if !(w >= 0) || w > mostWanted {
				t.Errorf("%v wants %v", holder, w)
			}
		}
	})
}

func BenchmarkTake(b *testing.B) {
	rate, now := limit.Rate{PerSecond: 1e7, Burst: 1e7}, time.Now()
	alone := &limit.Meter{}
	shared := &Meter{}
	shared.give(0.5)
	for name, take := range map[string]func() bool{"alone": func() bool { return alone.Take(rate, now).OK }, "shared": func() bool { return shared.Take(rate, now).OK }} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				take()
			}
		})
	}
}

// Orgs and hosts come and go, and what is known of them goes with them.
func TestHoldersThatAreGoneAreForgotten(t *testing.T) {
	s := New(Options{Key: []byte(key)})
	kept := s.Meter("kept")
	for range 100 {
		s.Meter("gone")
		s.Share("gone")
	}
	runtime.GC()
	if n := len(s.all()); n != 1 || len(s.holders) != 1 {
		t.Errorf("%d holders are there, %d known", n, len(s.holders))
	}
	runtime.KeepAlive(kept)
}

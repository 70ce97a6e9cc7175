package limit

import (
	"math"
	"math/big"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// bucketOf is the naive model: a bucket of tokens that fills at one in every
// interval, in exact fractions.
type bucketOf struct {
	burst    int64
	interval int64 // ns
	tokens   *big.Rat
	last     time.Time
}

func (b *bucketOf) take(now time.Time) bool {
	full := new(big.Rat).SetInt64(b.burst)
	if b.tokens == nil {
		b.tokens, b.last = new(big.Rat).Set(full), now
	}
	b.tokens.Add(b.tokens, big.NewRat(int64(now.Sub(b.last)), b.interval))
	b.last = now
	if b.tokens.Cmp(full) > 0 {
		b.tokens.Set(full)
	}
	one := big.NewRat(1, 1)
	if b.tokens.Cmp(one) < 0 {
		return false
	}
	b.tokens.Sub(b.tokens, one)
	return true
}

func (b *bucketOf) whole() int64 {
	return new(big.Int).Quo(b.tokens.Num(), b.tokens.Denom()).Int64()
}

func TestMeterIsTheExactModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		r := Rate{PerSecond: math.Exp(rng.Float64()*16 - 6), Burst: 1 + rng.IntN(40)}
		interval, _ := r.interval()
		var m Meter
		model := bucketOf{burst: int64(r.Burst), interval: interval}
		now := start
		for i := range 300 {
			now = now.Add(time.Duration(rng.ExpFloat64() * float64(interval) * rng.Float64() * 2))
			v, want := m.Take(r, now), model.take(now)
			if v.OK != want {
				t.Fatalf("round %d, %+v, arrival %d: %v, the model says %v", round, r, i, v.OK, want)
			}
			if left := model.whole(); int64(v.Remaining) != left {
				t.Fatalf("round %d, %+v, arrival %d: %d remain, the model says %d", round, r, i, v.Remaining, left)
			}
			if v.OK != (v.RetryAfter == 0) || v.Limit != r.Burst {
				t.Fatalf("round %d: %+v", round, v)
			}
		}
	}
}

// What the verdict promises is exact: not a nanosecond before RetryAfter, the
// whole burst and no more after Reset.
func TestVerdictKeepsItsWord(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		r := Rate{PerSecond: math.Exp(rng.Float64()*12 - 4), Burst: 1 + rng.IntN(20)}
		var m Meter
		v := m.Take(r, start)
		for v.OK {
			v = m.Take(r, start)
		}
		if m.Take(r, start.Add(v.RetryAfter-1)).OK {
			t.Fatalf("%+v: let through before RetryAfter", r)
		}
		if v = m.Take(r, start.Add(v.RetryAfter)); !v.OK {
			t.Fatalf("%+v: refused at RetryAfter", r)
		}
		full := start.Add(m.Take(r, start).Reset)
		n := 0
		for m.Take(r, full).OK {
			n++
		}
		if n != r.Burst {
			t.Fatalf("%+v: %d at Reset", r, n)
		}
	}
}

func TestNoWindowLetsThroughMore(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		r := Rate{PerSecond: 1 + rng.Float64()*100, Burst: 1 + rng.IntN(30)}
		var m Meter
		var let []time.Time
		now := start
		for range 2000 {
			now = now.Add(time.Duration(rng.ExpFloat64() * float64(time.Second) / r.PerSecond / 3))
			if m.Take(r, now).OK {
				let = append(let, now)
			}
		}
		for i := range let {
			for j := i; j < min(len(let), i+200); j++ {
				window := let[j].Sub(let[i]).Seconds()
				if most := float64(r.Burst) + r.PerSecond*window; float64(j-i+1) > most+1e-6 {
					t.Fatalf("%+v: %d within %.3f s", r, j-i+1, window)
				}
			}
		}
	}
}

func TestP7AbuserGetsItsAllowance(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	rates := []Rate{{10, 20}, {100, 100}, {0.5, 1}, {3, 5}, {5000, 500}}
	if testing.Short() {
		rates = rates[:4] // the last one is fifteen million takes in one goroutine, which races with nobody
	}
	for _, r := range rates {
		var m Meter
		let := 0
		for at := 0.0; at < 60; at += rng.ExpFloat64() / (50 * r.PerSecond) {
			if m.Take(r, start.Add(time.Duration(at*1e9))).OK {
				let++
			}
		}
		allowance := 60*r.PerSecond + float64(r.Burst)
		if got := float64(let) / allowance; got < 0.95 || got > 1 {
			t.Errorf("%+v: %.0f %% of its allowance", r, 100*got)
		}
	}
}

func TestConcurrentTakesNeverExceed(t *testing.T) {
	var m Meter
	var let, remaining atomic.Int64
	r := Rate{PerSecond: 1, Burst: 1000}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				if v := m.Take(r, start); v.OK {
					let.Add(1)
					remaining.Add(int64(v.Remaining))
				}
			}
		})
	}
	wg.Wait()
	if let.Load() != 1000 || remaining.Load() != 999*1000/2 {
		t.Errorf("%d let through, each told something else: %v", let.Load(), remaining.Load() == 999*1000/2)
	}
}

func TestOddRates(t *testing.T) {
	for name, c := range map[string]struct {
		rate Rate
		let  int // of 100 at once
	}{
		"no limit":         {Rate{}, 100},
		"below zero":       {Rate{PerSecond: -1, Burst: 3}, 100},
		"not a number":     {Rate{PerSecond: math.NaN(), Burst: 3}, 100},
		"no burst":         {Rate{PerSecond: 5}, 1},
		"once in an age":   {Rate{PerSecond: 1e-300, Burst: 7}, 7},
		"tiny, huge burst": {Rate{PerSecond: 1e-300, Burst: math.MaxInt}, 100},
		"huge":             {Rate{PerSecond: 1e300, Burst: 9}, 9},
	} {
		t.Run(name, func(t *testing.T) {
			var m Meter
			let := 0
			for range 100 {
				if m.Take(c.rate, start).OK {
					let++
				}
			}
			if let != c.let {
				t.Errorf("%d let through, want %d", let, c.let)
			}
		})
	}
}

// Rounding is to the safe side: where thirds of a nanosecond add up, a rate is
// not exceeded, and short of it by less than a millionth.
func TestRoundingIsUpward(t *testing.T) {
	for _, perSecond := range []float64{3, 7, 999, 0.7, 1e6 / 7} {
		interval, _ := Rate{PerSecond: perSecond}.interval()
		if real := float64(interval) * perSecond / 1e9; real < 1 || real > 1.001 || (perSecond < 1000 && real > 1+1e-6) {
			t.Errorf("%v a second: %d ns, %v of it", perSecond, interval, real)
		}
	}
}

// A debt made under a clock that was set back, or under a slower rate, is cut
// to a full one; one that is ahead by less than callers may differ is not.
func TestDebtThatCannotBe(t *testing.T) {
	r := Rate{PerSecond: 10, Burst: 5}
	var m Meter
	for range 5 {
		m.Take(r, start.Add(time.Hour))
	}
	if v := m.Take(r, start); v.OK || v.RetryAfter != 100*time.Millisecond {
		t.Errorf("after the clock was set back: %+v", v)
	}
	for range 5 {
		m.Take(Rate{PerSecond: 0.01, Burst: 5}, start.Add(time.Minute))
	}
	if v := m.Take(r, start.Add(time.Minute)); v.OK || v.RetryAfter != 100*time.Millisecond {
		t.Errorf("after the rate changed: %+v", v)
	}
	var late Meter
	for range 5 {
		late.Take(r, start)
	}
	if late.Take(r, start.Add(-900*time.Millisecond)).OK || late.Take(r, start).OK {
		t.Error("a caller with an older clock made room")
	}
}

func BenchmarkMeterTake(b *testing.B) {
	var m Meter
	r := Rate{PerSecond: 1e6, Burst: 100}
	b.ReportAllocs()
	now := start
	for b.Loop() {
		now = now.Add(time.Microsecond)
		m.Take(r, now)
	}
}

func BenchmarkMeterRefuse(b *testing.B) {
	var m Meter
	r := Rate{PerSecond: 0.001, Burst: 1}
	b.ReportAllocs()
	for b.Loop() {
		m.Take(r, start)
	}
}

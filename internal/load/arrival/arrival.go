// Package arrival draws when visitors come: Poisson arrivals at a rate that may
// change, decided beforehand by a seed. Nothing that a target does moves one of
// them (DESIGN.md, "Measuring": open loop).
package arrival

import (
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// A Shape is how the rate of arrivals goes.
type Shape string

// The shapes.
const (
	Even   Shape = "even"    // the same rate all the time
	Ramp   Shape = "ramp"    // from one rate to another, in a straight line
	Rush   Shape = "rush"    // most at first, half as many after each half-life
	AtOnce Shape = "at-once" // everybody at the beginning
)

// A Plan says when visitors come.
type Plan struct {
	Shape Shape
	// Rate is visitors a second, at the beginning; To is the rate at the end of a Ramp.
	Rate, To float64
	// HalfLife is for a Rush.
	HalfLife time.Duration
	// Over is for how long they come.
	Over time.Duration
	// Visitors is how many come, exactly; 0 means as many as the rate gives. With
	// a number the rate tells only how they are spread, and may be 0 for Even and Rush.
	Visitors int
}

// Times are the arrivals in order, since the beginning. The same plan and state of
// rng give the same ones; rng is used by nobody else until the sequence has ended.
func (p Plan) Times(rng *rand.Rand) iter.Seq[time.Duration] {
	switch {
	case p.Shape == AtOnce:
		return p.together()
	case p.Visitors > 0:
		return p.exactly(rng)
	}
	return p.poisson(rng)
}

func (p Plan) together() iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for range p.Visitors {
			if !yield(0) {
				return
			}
		}
	}
}

// poisson draws arrivals of rate 1 on a line and stretches it, so that the rate
// becomes that of the plan at each time.
func (p Plan) poisson(rng *rand.Rand) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		all := p.expected(p.Over.Seconds())
		for sum := rng.ExpFloat64(); sum < all; sum += rng.ExpFloat64() {
			if !yield(seconds(p.when(sum))) {
				return
			}
		}
	}
}

// exactly draws Visitors arrivals: a Poisson process of which one knows how many
// there were is that many drawn independently and put in order. They are drawn in
// order, so that a million need no memory.
func (p Plan) exactly(rng *rand.Rand) iter.Seq[time.Duration] {
	if p.Rate <= 0 && p.To <= 0 {
		p.Rate = 1 // only the shape counts
	}
	return func(yield func(time.Duration) bool) {
		all, at := p.expected(p.Over.Seconds()), 0.0
		for left := p.Visitors; left > 0; left-- {
			at += (1 - at) * (1 - math.Pow(1-rng.Float64(), 1/float64(left)))
			if !yield(seconds(p.when(at * all))) {
				return
			}
		}
	}
}

// expected is how many come in the first t seconds on average.
func (p Plan) expected(t float64) float64 {
	switch p.Shape {
	case Ramp:
		return p.Rate*t + (p.To-p.Rate)*t*t/(2*p.Over.Seconds())
	case Rush:
		h := p.HalfLife.Seconds() / math.Ln2
		return p.Rate * h * -math.Expm1(-t/h)
	}
	return p.Rate * t
}

// when turns expected around: the second by which n have come on average.
func (p Plan) when(n float64) float64 {
	switch p.Shape {
	case Ramp:
		bend := (p.To - p.Rate) / p.Over.Seconds()
		// The root of the parabola that does not divide by a bend of 0.
		return 2 * n / (p.Rate + math.Sqrt(math.Max(0, p.Rate*p.Rate+2*bend*n)))
	case Rush:
		h := p.HalfLife.Seconds() / math.Ln2
		return -h * math.Log1p(-n/(p.Rate*h))
	}
	return n / p.Rate
}

func seconds(s float64) time.Duration {
	return time.Duration(math.Min(math.Max(s, 0), 1e9) * float64(time.Second))
}

// Peak is the most visitors a second that come on average at any time.
func (p Plan) Peak() float64 {
	peak := math.Max(p.Rate, p.To)
	if p.Visitors > 0 && p.Shape != AtOnce {
		if p.Rate <= 0 && p.To <= 0 {
			p.Rate, peak = 1, 1
		}
		peak *= float64(p.Visitors) / p.expected(p.Over.Seconds())
	}
	return peak
}

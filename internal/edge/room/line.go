package room

import (
	"math"
	"math/bits"
	"time"
)

// line is what is known of those who wait, as of the last step.
type line struct {
	counts  []int32 // people present in the blocks before this one, from the watermark on
	waiting int     // here, newcomers since the last step included
	scale   float64 // people on all edges for each one here
	rate    average // people a second let in from the line
	leaving average // share of those who wait that leaves, a second
}

func newLine() line { return line{counts: make([]int32, few+1), scale: 1} }

// ahead is how many blocks were counted.
func (l *line) ahead() uint64 { return uint64(len(l.counts) - 1) }

// count takes stock after the watermark has moved.
func (l *line) count(g *ring, served uint64, everywhere int) {
	if l.ahead() != g.reach() {
		l.counts = make([]int32, g.reach()+1)
	}
	front, sum := served/perBlock, 0
	for i := range l.ahead() {
		l.counts[i] = int32(sum)
		b := &g.blocks[(front+i)%uint64(len(g.blocks))]
		if b.id == front+i+1 {
			sum += bits.OnesCount16(b.present() &^ upTo(front+i, served))
		}
	}
	l.counts[l.ahead()] = int32(sum)
	l.waiting = sum
	l.scale = 1
	if sum > 0 && everywhere > sum {
		l.scale = float64(everywhere) / float64(sum)
	}
}

// position of a number beyond the watermark: 1 is next.
func (l *line) position(g *ring, number, served uint64) int {
	id, bit := split(number)
	i := id - served/perBlock
	if i < l.ahead() {
		n := float64(l.counts[i])
		if b := g.block(id, served); b != nil {
			n += float64(bits.OnesCount16(b.present() &^ upTo(id, served) & (bit - 1)))
		}
		return 1 + int(n*l.scale)
	}
	return 1 + int(float64(l.counts[l.ahead()])*l.scale+l.beyond(number, served))
}

// beyond guesses how many people have numbers out of the ring's reach, before
// number, on all edges: as large a share as within it.
func (l *line) beyond(number, served uint64) float64 {
	reach := (served/perBlock + l.ahead()) * perBlock
	if number <= reach {
		return 0
	}
	density := float64(l.counts[l.ahead()]) * l.scale / float64(l.ahead()*perBlock)
	return float64(number-reach) * max(0.1, density)
}

// wait is how long a position takes, 0 for not known yet: the time in which those
// ahead have been let in or have left, where a share of them leaves all the while.
func (l *line) wait(position int) time.Duration {
	rate := l.rate.value() * l.scale // we let in our share of those who wait
	if rate <= 0 {
		return 0
	}
	seconds := float64(position) / rate
	if leaving := l.leaving.value(); leaving > 1e-9 {
		seconds = math.Log1p(leaving*seconds) / leaving
	}
	return time.Duration(min(seconds, 7*24*3600) * 1e9)
}

// average is exponentially smoothed, without a bias to where it began.
type average struct{ sum, weight float64 }

// add takes a value that stands for span, where memory is the time constant in
// the same unit.
func (a *average) add(value, span, memory float64) {
	keep := math.Exp(-span / memory)
	a.sum = a.sum*keep + value*(1-keep)
	a.weight = a.weight*keep + (1 - keep)
}

func (a *average) value() float64 {
	if a.weight == 0 {
		return 0
	}
	return a.sum / a.weight
}

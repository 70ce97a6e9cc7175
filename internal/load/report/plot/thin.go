package plot

import "math"

// A Keep says what stands for several values where a line is thinned.
type Keep int

const (
	Largest Keep = iota // the greatest: a latency's peak must not vanish
	Mean                // their mean, with the least and the greatest beside it: for rates
)

// Thin makes at most n points of a line's, each of as many neighbours, so that
// hours are drawn in a few hundred points. A short line is returned as it is.
func Thin(points []Point, n int, keep Keep) []Point {
	per := PerPoint(len(points), n)
	if per == 1 {
		return points
	}
	thin := make([]Point, 0, n)
	for len(points) > 0 {
		k := min(per, len(points))
		thin = append(thin, join(points[:k], keep))
		points = points[k:]
	}
	return thin
}

// PerPoint is how many of so many points Thin makes one of.
func PerPoint(points, n int) int { return max(1, (points+n-1)/n) }

// join makes one point of some, at the place of the first. Gaps count for
// nothing unless all are.
func join(points []Point, keep Keep) Point {
	p := Point{X: points[0].X, Y: Gap(), Low: math.Inf(1), High: math.Inf(-1)}
	sum, n := 0.0, 0.0
	for _, q := range points {
		if finite(q.Y) {
			sum, n = sum+q.Y, n+1
			p.Low, p.High = math.Min(p.Low, q.Low), math.Max(p.High, q.High)
		}
	}
	switch {
	case n == 0:
		return At(p.X, p.Y)
	case keep == Largest:
		return At(p.X, p.High)
	}
	p.Y = sum / n
	return p
}

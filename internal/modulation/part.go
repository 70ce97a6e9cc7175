package modulation

import "slices"

// reserve is the part of an allowance that is kept for edges that nobody asks:
// the first request there is not to wait for the others to hear of it.
const reserve = 0.02

// part is what one edge has of a limit, when edges want so much each. The parts of
// all edges that know the same add up to the limit.
//
// Who wants less than an equal part gets what it wants, and the others divide the
// rest equally (max-min fairness): an edge that is flooded takes nothing from one
// that is not. What nobody wants is divided equally on top.
func part(limit float64, wants []float64, self int) float64 {
	n := float64(len(wants))
	least := limit * reserve / n
	all := 0.0
	for _, w := range wants {
		all += max(w, least)
	}
	own := max(wants[self], least)
	if all <= limit {
		return own + (limit-all)/n
	}
	return min(own, level(limit, wants, least))
}

// level is the most that anybody gets of a limit that is not enough for all.
func level(limit float64, wants []float64, least float64) float64 {
	sorted := slices.Clone(wants)
	slices.Sort(sorted)
	rest := limit
	for i, w := range sorted {
		equal := rest / float64(len(sorted)-i)
		if w = max(w, least); w >= equal {
			return equal
		}
		rest -= w
	}
	return limit
}

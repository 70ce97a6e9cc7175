package room

import "time"

// recent is the numbers that were let in last, for the other edges to hear of.
// Beyond its size within the time that is reported, 800 a second, another edge
// would take such a ticket for unused.
type recent struct {
	numbers [4096]struct {
		number uint64
		at     int64 // Unix nanoseconds
	}
	next int
}

func (r *recent) add(number uint64, now time.Time) {
	e := &r.numbers[r.next]
	e.number, e.at = number, now.UnixNano()
	r.next = (r.next + 1) % len(r.numbers)
}

// since lists the numbers let in after a time.
func (r *recent) since(t time.Time) (numbers []uint64) {
	for i := range r.numbers {
		e := &r.numbers[(r.next+len(r.numbers)-1-i)%len(r.numbers)]
		if e.number == 0 || e.at <= t.UnixNano() {
			break
		}
		numbers = append(numbers, e.number)
	}
	return numbers
}

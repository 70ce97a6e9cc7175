package room

import "time"

// recent is the numbers that were let in last, for the other edges to hear of.
// Beyond its size within the time that is reported, 800 a second once there is a
// line, another edge would take such a ticket for unused.
type recent struct {
	numbers []passing
	next    int
}

// passing is a number and when it was let in, in Unix nanoseconds.
type passing struct {
	number uint64
	at     int64
}

// mostRecent is its size when there is a line.
const mostRecent = 4096

func newRecent() recent { return recent{numbers: make([]passing, small)} }

// resize keeps the last ones that fit in a size.
func (r *recent) resize(size int) {
	old := append(r.numbers[r.next:len(r.numbers):len(r.numbers)], r.numbers[:r.next]...) // oldest first
	r.numbers = make([]passing, size)
	r.next = copy(r.numbers, old[max(0, len(old)-size):]) % size
}

func (r *recent) add(number uint64, now time.Time) {
	r.numbers[r.next] = passing{number, now.UnixNano()}
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

package room

import "math/bits"

// window is how many blocks a report covers: 2,048 numbers.
const window = 128

// Decide moves the watermark: a pure function of the reports of all edges, for
// every Ledger to use. The capacity is the lowest that is reported, sessions are
// added up. A report may be about an earlier watermark: whoever it sees of the
// numbers called since is on the way. Numbers that not every edge knows of may
// have been leased since its report, so they are not passed. Edges know of no
// watermark and no number that was not true once, so what they know is believed
// where it is beyond what the ledger remembers.
func Decide(at Mark, reports []Report) Mark {
	m := Mark{Served: at.Served, Issued: at.Issued, Edges: len(reports)}
	for _, r := range reports {
		m.Served, m.Issued = max(m.Served, r.Base), max(m.Issued, r.Issued)
	}
	known := m.Issued
	var seen [window]uint16
	for i, r := range reports {
		if i == 0 || r.Capacity < m.Free {
			m.Free = r.Capacity
		}
		called := r.read(m.Served, &seen)
		known = min(known, r.Issued, (r.Base/perBlock+window)*perBlock)
		m.Active += r.Active
		m.Waiting += max(0, r.Waiting-called)
		m.Used = append(m.Used, r.Used...)
	}
	for _, r := range reports {
		m.Free -= r.Active + r.Coming + r.read(m.Served, nil)
	}
	m.move(known, &seen)
	m.Free = max(0, m.Free)
	return m
}

// read adds those whom a report sees beyond the watermark to seen, if that is
// not nil, and counts those who were called since the report.
func (r *Report) read(served uint64, seen *[window]uint16) (called int) {
	front, first := served/perBlock, r.Base/perBlock
	for i := range min(window, len(r.Ahead)) {
		id, here := first+uint64(i), r.Ahead[i]
		called += bits.OnesCount16(here & upTo(id, served) &^ upTo(id, r.Base))
		if seen != nil && id >= front && id < front+window {
			seen[id-front] |= here &^ upTo(id, served)
		}
	}
	return called
}

// move calls numbers up to the last known until the free places are taken.
func (m *Mark) move(known uint64, seen *[window]uint16) {
	front := m.Served / perBlock
	for id := front; id < front+window && m.Served < known; id++ {
		last := min(known, (id+1)*perBlock)
		for ; m.Served < last; m.Served++ {
			here := seen[id-front]&(1<<(m.Served%perBlock)) != 0
			if here && m.Free <= 0 {
				return
			}
			if here {
				m.Free--
				m.Waiting = max(0, m.Waiting-1)
			}
		}
	}
}

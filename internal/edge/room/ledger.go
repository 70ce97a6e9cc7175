package room

import (
	"context"
	"sync"
	"time"
)

// Ledger is what the edges of one pool share of a room: a counter of numbers
// and the watermark.
type Ledger interface {
	// Lease gives n numbers to the caller alone and returns the first, from 1.
	Lease(ctx context.Context, room string, n int) (first uint64, err error)
	// Watermark takes an edge's report in place of its last one, moves the
	// watermark by Decide, and says where it is.
	Watermark(ctx context.Context, room string, report Report) (Mark, error)
}

// Report is what one edge sees of a room. It holds nothing of anybody: numbers
// are bits, sixteen to a block.
type Report struct {
	Edge string
	// At is when; a ledger between processes sets it by its own clock.
	At time.Time
	// Base is the watermark that the rest is about.
	Base uint64
	// Issued is the highest number that this edge knew of when it looked: what it
	// was leased since is not in Ahead yet.
	Issued uint64
	// Capacity is the pool's, Active this edge's sessions, Coming those expected
	// on this edge of the numbers called, Waiting those beyond.
	Capacity, Active, Coming, Waiting int
	// Ahead is the blocks from the watermark's on: numbers that are here, or may
	// be given here any moment.
	Ahead []uint16
	// Used is the numbers that were let in here in the last few seconds.
	Used []uint64
}

// Mark is where a room stands.
type Mark struct {
	Served uint64 // the watermark: numbers up to it have been called
	Issued uint64 // numbers up to it have been leased
	// Free is places that nobody was called to; Active sessions and Waiting people
	// on all edges; Edges those that are alive.
	Free, Active, Waiting, Edges int
	// Used is the numbers that any edge has let in lately.
	Used []uint64
}

const (
	// window is how many blocks a report covers: 2,048 numbers.
	window = 128
	// silence is after how long without a report an edge is not counted.
	silence = 5 * time.Second
)

// Decide moves the watermark: a pure function of the reports of all edges that
// are alive, for every Ledger to use. It moves only when all speak about where
// the watermark is, so that whom it called last is among those they expect.
// The capacity is the lowest that is reported, sessions are added up. Numbers
// that not every edge knows of may have been leased since its report, so they
// are not passed.
func Decide(at Mark, reports []Report) Mark {
	m := Mark{Served: at.Served, Issued: at.Issued, Edges: len(reports)}
	known, agreed := at.Issued, true
	var seen [window]uint16
	for i, r := range reports {
		if i == 0 || r.Capacity < m.Free {
			m.Free = r.Capacity
		}
		known, agreed = min(known, r.Issued), agreed && r.Base == at.Served
		m.Active += r.Active
		m.Waiting += r.Waiting
		m.Used = append(m.Used, r.Used...)
		for block := range min(window, len(r.Ahead)) {
			seen[block] |= r.Ahead[block]
		}
	}
	if !agreed {
		m.Free, m.Waiting = 0, max(1, m.Waiting)
		return m
	}
	for _, r := range reports {
		m.Free -= r.Active + r.Coming
	}
	m.move(known, &seen)
	m.Free = max(0, m.Free)
	return m
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

// MemoryLedger is the Ledger of a single process. Safe for concurrent use. When
// the process ends the line is lost, and those who waited begin at its end: that
// is what a shared ledger is for. Numbers begin above those of any ledger that
// was made before, so that an old ticket is nobody's and not somebody else's.
type MemoryLedger struct {
	first uint64
	mu    sync.Mutex
	rooms map[string]*account
}

type account struct {
	mark    Mark
	reports map[string]Report
}

// NewMemoryLedger makes an empty one.
func NewMemoryLedger() *MemoryLedger {
	// The machine's time, since it only has to be later than last time.
	return &MemoryLedger{first: uint64(time.Now().Unix()) << secondBits, rooms: map[string]*account{}}
}

// secondBits is how fast numbers would have to be leased to catch up with time:
// two to this a second.
const secondBits = 20

func (l *MemoryLedger) account(room string) *account {
	a := l.rooms[room]
	if a == nil {
		a = &account{mark: Mark{Served: l.first, Issued: l.first}, reports: map[string]Report{}}
		l.rooms[room] = a
	}
	return a
}

// Lease implements Ledger.
func (l *MemoryLedger) Lease(_ context.Context, room string, n int) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(room)
	first := a.mark.Issued + 1
	a.mark.Issued += uint64(n)
	return first, nil
}

// Watermark implements Ledger.
func (l *MemoryLedger) Watermark(_ context.Context, room string, report Report) (Mark, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(room)
	a.reports[report.Edge] = report
	var alive []Report
	for edge, r := range a.reports {
		if report.At.Sub(r.At) > silence {
			delete(a.reports, edge)
			continue
		}
		alive = append(alive, r)
	}
	a.mark = Decide(a.mark, alive)
	return a.mark, nil
}

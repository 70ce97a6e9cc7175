package room

import (
	"context"
	"sync"
	"time"
)

// Ledger is what the edges of one pool share of their rooms: counters of numbers,
// and where each line stands.
type Ledger interface {
	// Lease gives n numbers to the caller alone and returns the first: above any
	// that were given before, and above one that the caller knows of.
	Lease(ctx context.Context, room string, n int, above uint64) (first uint64, err error)
	// Watermarks takes an edge's report of each room in place of its last one,
	// moves the rooms' watermarks by Decide, and says where they are: all in one
	// step, however many rooms there are.
	Watermarks(ctx context.Context, reports map[string]Report) (map[string]Mark, error)
}

// Report is what one edge sees of a room. It holds nothing of anybody: numbers
// are bits, sixteen to a block.
type Report struct {
	Edge string
	// At is when; a ledger between processes sets it by its own clock.
	At time.Time
	// Base is the watermark that the rest is about, 0 before this edge has heard
	// of one.
	Base uint64
	// Issued is the highest number that this edge knew of when it looked: what it
	// was leased since is not in Ahead yet.
	Issued uint64
	// Capacity is the pool's, Active this edge's sessions, Coming those expected
	// on this edge of the numbers called, Waiting those beyond.
	Capacity, Active, Coming, Waiting int
	// Inside is Active by when it was seen, for whoever counts these sessions once
	// this edge is gone.
	Inside []Minute
	// Ahead is the blocks from the watermark's on: numbers that are here, or may
	// be given here any moment. What is missing at its end is nobody.
	Ahead []uint16
	// Used is the numbers that were let in here in the last few seconds.
	Used []uint64
}

// Minute is how many sessions were last seen in a minute.
type Minute struct {
	At int64 // minutes since 1970
	N  int
}

// Mark is where a room stands.
type Mark struct {
	Served uint64 // the watermark: numbers up to it have been called
	Issued uint64 // numbers up to it are known to be leased
	// Free is places that nobody was called to; Active sessions and Waiting people
	// on all edges; Edges those that are alive.
	Free, Active, Waiting, Edges int
	// Used is the numbers that any edge has let in lately.
	Used []uint64
	// Left is the sessions of edges that are gone: told once, and counted by whom
	// it was told from then on.
	Left []Minute
}

// silence is after how long without a report an edge is gone.
const silence = 5 * time.Second

// account is where a room stands and what each edge said of it last.
type account struct {
	mark    Mark
	reports map[string]Report
	heard   time.Time // when an edge last spoke of it
}

// hear takes an edge's report and moves the watermark by those of all edges.
// Which edge is gone shows while others speak: when nobody did, such as when the
// store was away, nobody was silent.
func (a *account) hear(report Report) Mark {
	late := report.At.Sub(a.heard)
	if late > silence || late < 0 { // an outage, or a clock that was set
		for edge, r := range a.reports {
			r.At = r.At.Add(late)
			a.reports[edge] = r
		}
	}
	a.heard = report.At
	delete(a.reports, report.Edge)
	var alive []Report
	var left []Minute
	for edge, r := range a.reports {
		if report.At.Sub(r.At) > silence {
			delete(a.reports, edge)
			left = append(left, r.Inside...)
			continue
		}
		alive = append(alive, r)
	}
	for _, m := range left {
		report.Active += m.N
	}
	a.reports[report.Edge] = report
	a.mark = Decide(a.mark, append(alive, report))
	told := a.mark
	told.Left = left
	return told
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
func (l *MemoryLedger) Lease(_ context.Context, room string, n int, above uint64) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(room)
	first := max(a.mark.Issued, above) + 1
	a.mark.Issued = first + uint64(n) - 1
	return first, nil
}

// Watermarks implements Ledger.
func (l *MemoryLedger) Watermarks(_ context.Context, reports map[string]Report) (map[string]Mark, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	marks := make(map[string]Mark, len(reports))
	for room, report := range reports {
		marks[room] = l.account(room).hear(report)
	}
	return marks, nil
}

package room

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Shelf is where a line rests that several edges share. It holds numbers and
// bits, nothing of anybody.
type Shelf interface {
	// ChangeFile replaces a file by what change makes of it, in one step that no
	// other comes between; old is nil for none, now is one clock's for all edges.
	// change may be called again.
	ChangeFile(ctx context.Context, name string, change func(old []byte, now time.Time) ([]byte, error)) error
}

// SharedLedger is the Ledger of all edges of a store. A line outlives the edges
// that it was made on. Safe for concurrent use.
type SharedLedger struct{ shelf Shelf }

// NewSharedLedger makes one on a shelf. It does no I/O.
func NewSharedLedger(shelf Shelf) *SharedLedger { return &SharedLedger{shelf} }

// shared is a room's file.
type shared struct {
	Mark    Mark              `json:"mark"`
	Reports map[string]Report `json:"reports"`
}

// change works on a room's line and writes it back.
func (l *SharedLedger) change(ctx context.Context, room string, work func(s *shared, now time.Time)) error {
	err := l.shelf.ChangeFile(ctx, "rooms/"+room, func(old []byte, now time.Time) ([]byte, error) {
		s := &shared{}
		if old != nil {
			if err := json.Unmarshal(old, s); err != nil {
				return nil, err
			}
		}
		if s.Mark.Issued == 0 { // above any line that was lost with its store
			first := uint64(now.Unix()) << secondBits
			s.Mark = Mark{Served: first, Issued: first}
		}
		if s.Reports == nil {
			s.Reports = map[string]Report{}
		}
		work(s, now)
		return json.Marshal(s)
	})
	if err != nil {
		return fmt.Errorf("change the line of %s: %w", room, err)
	}
	return nil
}

// Lease implements Ledger.
func (l *SharedLedger) Lease(ctx context.Context, room string, n int) (first uint64, err error) {
	err = l.change(ctx, room, func(s *shared, _ time.Time) {
		first = s.Mark.Issued + 1
		s.Mark.Issued += uint64(n)
	})
	return first, err
}

// Watermark implements Ledger.
func (l *SharedLedger) Watermark(ctx context.Context, room string, report Report) (mark Mark, err error) {
	err = l.change(ctx, room, func(s *shared, now time.Time) {
		report.At = now
		s.Reports[report.Edge] = report
		var alive []Report
		for edge, r := range s.Reports {
			if now.Sub(r.At) > silence {
				delete(s.Reports, edge)
				continue
			}
			alive = append(alive, r)
		}
		s.Mark = Decide(s.Mark, alive)
		mark = s.Mark
	})
	return mark, err
}

package room

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// Shelf is where lines rest that several edges share. It holds numbers and bits,
// nothing of anybody.
type Shelf interface {
	// ChangeFile replaces a file by what change makes of it, in one step that no
	// other comes between; old is nil for none, now is one clock's for all edges.
	// change may be called again.
	ChangeFile(ctx context.Context, name string, change func(old []byte, now time.Time) ([]byte, error)) error
}

// SharedLedger is the Ledger of all edges of a store. A line outlives the edges
// that it was made on. One that rests and cannot be read any more begins anew: who
// waited in it comes to its end, and the lines of other rooms are not concerned.
// Safe for concurrent use.
type SharedLedger struct {
	shelf Shelf
	log   *slog.Logger
}

// NewSharedLedger makes one on a shelf. The logger, nil for none, is told of lines
// that begin anew. It does no I/O.
func NewSharedLedger(shelf Shelf, logger *slog.Logger) *SharedLedger {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &SharedLedger{shelf, logger}
}

// All lines are in one file, so that an edge moves them all in one change. What
// numbers were leased is in a file for each room: that is written in the middle
// of a request, and has nothing to do with other rooms.
const (
	linesFile = "waiting/lines"
	leaseFile = "waiting/leased/"
)

// forgotten is after how long without a word a room is dropped: no ticket of it
// is good any more, and numbers begin above those that were given.
const forgotten = 12 * time.Hour

// Lease implements Ledger.
func (l *SharedLedger) Lease(ctx context.Context, room string, n int, above uint64) (first uint64, err error) {
	err = l.shelf.ChangeFile(ctx, leaseFile+room, func(old []byte, now time.Time) ([]byte, error) {
		last := origin(now)
		if old != nil {
			var err error
			if last, err = strconv.ParseUint(string(old), 10, 64); err != nil {
				return nil, err
			}
		}
		first = max(last, above) + 1
		return strconv.AppendUint(nil, first+uint64(n)-1, 10), nil
	})
	if err != nil {
		return 0, fmt.Errorf("lease numbers of %s: %w", room, err)
	}
	return first, nil
}

// origin is a number above those of any line that was lost with its store.
func origin(now time.Time) uint64 { return uint64(now.Unix()) << secondBits }

// Watermarks implements Ledger.
func (l *SharedLedger) Watermarks(ctx context.Context, reports map[string]Report) (marks map[string]Mark, err error) {
	var damage map[string]error // by room, "" for what stood where lines should
	err = l.shelf.ChangeFile(ctx, linesFile, func(old []byte, now time.Time) ([]byte, error) {
		all, odd := readLines(old, now)
		damage = map[string]error{"": odd}
		marks = make(map[string]Mark, len(reports))
		for name, report := range reports {
			a, odd := all.account(name, now)
			if odd != nil {
				damage[name] = odd
			}
			report.At = now
			marks[name] = a.hear(report)
			if err := all.rest(name, a); err != nil {
				return nil, err
			}
		}
		return json.Marshal(all)
	})
	if err != nil {
		return nil, fmt.Errorf("change the lines of waiting rooms: %w", err)
	}
	for name, odd := range damage {
		if odd != nil { // said once, since what rests now can be read
			l.log.Error("edge: lines that cannot be read begin anew", "room", name, "error", odd)
		}
	}
	return marks, nil
}

// Lines as they rest, by room. Names are short and what is nothing is left out,
// since a change writes all of them; those that it is not about stay text. Times
// are milliseconds since 1970.
type (
	restingLines map[string]restingLine
	restingLine  struct {
		Heard int64           `json:"h"`
		Line  json.RawMessage `json:"l"`
	}
	restingAccount struct {
		Served  uint64                   `json:"s"`
		Issued  uint64                   `json:"i"`
		Reports map[string]restingReport `json:"r"`
	}
	restingReport struct {
		At       int64    `json:"t"`
		Base     uint64   `json:"b"`
		Issued   uint64   `json:"i"`
		Capacity int      `json:"c"`
		Active   int      `json:"a,omitempty"`
		Coming   int      `json:"o,omitempty"`
		Waiting  int      `json:"w,omitempty"`
		Inside   []Minute `json:"m,omitempty"`
		Ahead    []byte   `json:"n,omitempty"` // two bytes a block
		Used     []int64  `json:"u,omitempty"` // from Base
	}
)

// readLines reads all lines but those that are forgotten. With an error, which
// says what stood where lines should, it has those that there are all the same.
func readLines(text []byte, now time.Time) (restingLines, error) {
	all := restingLines{}
	var err error
	if text != nil {
		err = json.Unmarshal(text, &all)
	}
	if all == nil { // null
		all = restingLines{}
	}
	for name, l := range all {
		if len(l.Line) == 0 || now.Sub(time.UnixMilli(l.Heard)) > forgotten {
			delete(all, name)
		}
	}
	return all, err
}

var errNoLine = errors.New("there is no watermark")

// account is a room's, made at first sight. With an error, which says what is
// wrong with the one that rests, it is a new one, too.
func (all restingLines) account(name string, now time.Time) (*account, error) {
	anew := &account{mark: Mark{Served: origin(now), Issued: origin(now)}, reports: map[string]Report{}}
	l, ok := all[name]
	if !ok {
		return anew, nil
	}
	var resting restingAccount
	if err := json.Unmarshal(l.Line, &resting); err != nil {
		return anew, err
	}
	if resting.Served == 0 {
		return anew, errNoLine
	}
	a := &account{
		mark:  Mark{Served: resting.Served, Issued: resting.Issued},
		heard: time.UnixMilli(l.Heard), reports: make(map[string]Report, len(resting.Reports)),
	}
	for edge, r := range resting.Reports {
		a.reports[edge] = r.read(edge)
	}
	return a, nil
}

// rest puts a room's back.
func (all restingLines) rest(name string, a *account) error {
	resting := restingAccount{Served: a.mark.Served, Issued: a.mark.Issued, Reports: make(map[string]restingReport, len(a.reports))}
	for edge, r := range a.reports {
		resting.Reports[edge] = rest(r)
	}
	text, err := json.Marshal(resting)
	all[name] = restingLine{a.heard.UnixMilli(), text}
	return err
}

func rest(r Report) restingReport {
	w := restingReport{
		At: r.At.UnixMilli(), Base: r.Base, Issued: r.Issued, Capacity: r.Capacity,
		Active: r.Active, Coming: r.Coming, Waiting: r.Waiting, Inside: r.Inside,
	}
	for _, block := range r.Ahead {
		w.Ahead = append(w.Ahead, byte(block>>8), byte(block))
	}
	for _, number := range r.Used {
		w.Used = append(w.Used, int64(number-r.Base))
	}
	return w
}

func (w *restingReport) read(edge string) Report {
	r := Report{
		Edge: edge, At: time.UnixMilli(w.At), Base: w.Base, Issued: w.Issued, Capacity: w.Capacity,
		Active: w.Active, Coming: w.Coming, Waiting: w.Waiting, Inside: w.Inside,
	}
	for i := 0; i+1 < len(w.Ahead); i += 2 {
		r.Ahead = append(r.Ahead, uint16(w.Ahead[i])<<8|uint16(w.Ahead[i+1]))
	}
	for _, from := range w.Used {
		r.Used = append(r.Used, w.Base+uint64(from))
	}
	return r
}

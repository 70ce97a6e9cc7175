package edge

import (
	"context"
	"errors"
	"math"
	"math/bits"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout/internal/edge/active"
	"github.com/turnout-events/turnout/internal/edge/room"
	"github.com/turnout-events/turnout/internal/limit"
)

// lobby is the way in to an org's forms, or to those of one of its events: it
// knows how many visitors are in, how many may be, and keeps the waiting room for
// those who may not yet (P11). Safe for concurrent use.
type lobby struct {
	// name is the org's, or the org's and the event's; event is that one's slug.
	name, event string
	// in counts who was let in and was seen lately.
	in active.Sessions
	// sessions is how many may be in; 0 means as many as the pool turns out to hold.
	sessions atomic.Int64
	// learnt is what the pool turned out to hold, 0 for more than ever came.
	learnt atomic.Int64
	// full says, a bit for each of the last seconds, when the org itself took so
	// much of the pool that nobody else was to be let in; busy that it was so in
	// most of them. A moment is no reason for a line.
	full uint8
	busy atomic.Bool
	// idle is for how many seconds nobody waited and the pool had places.
	idle int

	making sync.Mutex
	room   atomic.Pointer[room.Room]
}

// holds is how many may be in; a very large number for no limit.
func (l *lobby) holds() int {
	if n := l.sessions.Load(); n > 0 {
		return int(n)
	}
	if n := l.learnt.Load(); n > 0 {
		return int(n)
	}
	return math.MaxInt32
}

// learn notes that the pool has no more places for those who are in.
func (l *lobby) learn(now time.Time) {
	in := int64(l.in.Count(now))
	if r := l.room.Load(); r != nil {
		in = max(in, int64(r.Inside())) // at other edges, too
	}
	if l.sessions.Load() == 0 && (l.learnt.Load() == 0 || l.learnt.Load() > in) {
		l.learnt.Store(max(1, in))
	}
}

// Of five seconds three make a lasting one.
const (
	lastSeconds = 0b11111
	mostOf      = 3
)

// calm is for how long a room stays that nobody needs, in seconds. One whose
// visitors others may have to count stays until they have gone.
const calm = 600

// relax lets more in again, little by little, once a second while the pool has
// places, and closes a room that nobody waited in for a while.
func (l *lobby) relax(saturated bool, now time.Time) {
	l.full = l.full<<1 | map[bool]uint8{true: 1}[saturated]
	l.busy.Store(bits.OnesCount8(l.full&lastSeconds) >= mostOf)
	if l.busy.Load() {
		l.learn(now)
		l.idle = 0
		return
	}
	if n := l.learnt.Load(); n > 0 {
		l.learnt.Store(n + max(1, n/50))
	}
	r := l.room.Load()
	if r == nil {
		return
	}
	if !r.Open() || l.in.Count(now) > 0 {
		l.idle = 0
		return
	}
	if l.idle++; l.idle >= calm {
		l.room.Store(nil)
		l.learnt.Store(0)
		l.idle = 0
	}
}

// lines is what the edge keeps for all of its lobbies.
type lines struct {
	ledger room.Ledger
	// shared says that other edges know of the same lines, name tells this process
	// from all others that do, those that had its name before included.
	shared bool
	name   string
	// newcomers bounds who counts as let in for each address, counted who does so
	// again; places and linked who gets a place in line, without a personal link
	// and with one; stays who is kept waiting for their turn.
	newcomers, places, linked, stays *limit.Table
	counted                          active.Once
	links                            links
	// rooms is how many there are, staying how many visitors are kept, until ended.
	// unmade is how many came in the last second to rooms that could not be made.
	rooms, staying, unmade atomic.Int64
	ended                  chan struct{}
	// all are the rooms of the last second, stuck says that the last step failed.
	// Only the stepping goroutine has them.
	all   []*room.Room
	stuck bool
}

func newLines(o Options) *lines {
	l := &lines{
		ledger: o.Ledger, shared: o.Ledger != nil, name: o.Name + "-" + strconv.FormatInt(o.Now().UnixNano(), 36),
		newcomers: limit.NewTable(mostClients), places: limit.NewTable(mostClients), linked: limit.NewTable(mostClients),
		stays: limit.NewTable(mostStaying), ended: make(chan struct{}),
	}
	if !l.shared {
		l.ledger = room.NewMemoryLedger()
	}
	return l
}

// open is the lobby's waiting room, made at first need: it takes some memory,
// and most orgs never need one.
func (e *Edge) open(ctx context.Context, l *lobby, now time.Time) (*room.Room, error) {
	if r := l.room.Load(); r != nil {
		return r, nil
	}
	l.making.Lock()
	defer l.making.Unlock()
	if r := l.room.Load(); r != nil {
		return r, nil
	}
	if e.lines.rooms.Load() >= mostRooms {
		return nil, errRooms
	}
	r, err := room.New(room.Options{
		Name: l.name, Edge: e.lines.name, Ledger: e.lines.ledger, Keys: e.o.Tickets, Clients: e.lines.places, Linked: e.lines.linked,
		Capacity: l.holds, Active: func() int { return l.in.Count(e.now()) }, Admit: l.in.Add, Sessions: &l.in,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepWithin) // others enter it, too
	defer cancel()
	if err := r.Step(ctx, now); err != nil {
		e.log.Error("edge: a waiting room cannot see the line; visitors are asked to come back", "room", l.name, "error", err)
	}
	l.room.Store(r)
	e.lines.rooms.Add(1)
	e.log.Info("edge: a waiting room opens", "room", l.name)
	return r, nil
}

// mostRooms bounds what rooms take: 14 KB each while nobody waits, 1.8 MB with a
// line of any length, and 250 bytes for each edge in what edges write at a step.
const mostRooms = 1024

var errRooms = errors.New("there are as many waiting rooms as may be")

// stepWithin is how long a step waits for the ledger.
const stepWithin = 2 * time.Second

// stepRooms moves every line, once a second.
func (e *Edge) stepRooms(ctx context.Context, now time.Time) {
	done := map[*lobby]bool{}
	var rooms []*room.Room
	for _, s := range e.view.Load().sites {
		full := s.crowded(now)
		for _, l := range s.lobbies {
			if done[l] {
				continue
			}
			done[l] = true
			l.relax(full, now)
			if r := l.room.Load(); r != nil {
				rooms = append(rooms, r)
			}
		}
	}
	e.lines.all = rooms
	e.lines.rooms.Store(int64(len(rooms)))
	if n := e.lines.unmade.Swap(0); n > 0 {
		e.log.Error("edge: waiting rooms cannot be made", "visitors", n, "error", errRooms)
	}
	e.step(ctx, rooms, now)
}

// stepBusy moves the lines in which somebody waits, more often than that: the
// order holds up to what is called in one step.
func (e *Edge) stepBusy(ctx context.Context, now time.Time) {
	var rooms []*room.Room
	for _, r := range e.lines.all {
		if r.Busy() {
			rooms = append(rooms, r)
		}
	}
	e.step(ctx, rooms, now)
}

func (e *Edge) step(ctx context.Context, rooms []*room.Room, now time.Time) {
	if len(rooms) == 0 {
		return
	}
	within, cancel := context.WithTimeout(ctx, stepWithin)
	defer cancel()
	err := room.StepAll(within, now, e.lines.ledger, rooms)
	if err != nil && ctx.Err() == nil && !e.lines.stuck {
		e.log.Error("edge: waiting rooms do not move", "rooms", len(rooms), "error", err)
	}
	if err == nil && e.lines.stuck {
		e.log.Info("edge: waiting rooms move again")
	}
	e.lines.stuck = err != nil
}

// crowded reports whether nobody else is to be let in to the org's forms: its
// share is taken, or no place is free and it is the org that takes them. What
// others take is not its line, and where nobody is alive a line leads nowhere.
func (s *site) crowded(now time.Time) bool {
	for _, p := range s.courses[0].pools {
		if !p.Alive(now) {
			continue
		}
		in, part := s.tenant.share.InUse(), s.part()
		return in >= part || (p.Full(now) && 2*in >= part)
	}
	return false
}

// part is how many places the org may have at once.
func (s *site) part() int {
	share := s.allowance.Share
	if share == 0 {
		share = 1
	}
	return max(1, int(float64(s.courses[0].places())*share))
}

// Package room is the waiting room's mechanism (P11): who waits, who is next,
// how long it takes. It knows nothing of HTTP and remembers nobody.
//
// Whoever comes when the pool is full gets a number, sealed into a ticket that
// the browser keeps. The numbers up to the watermark have been called; a ticket
// with such a number lets its holder in, once. What is kept of a number is four
// bits, sixteen numbers to a block, in a ring around the watermark: seen in this
// heartbeat, seen in the one before, called, let in. The tickets themselves carry
// the rest, so a room has two sizes, with a line and without one, and no crowd
// makes it larger.
//
// Step moves the watermark past as many people as there are places free, less
// those called who are still on their way, of whom a learnt share won't come.
// Numbers without a sign of life for two heartbeats are passed over; who comes
// back late is let in with the next free place. People look in more often the
// nearer they are, and whose turn is near waits for it there (Place.Near), so
// that places are taken in order and at once.
//
// Several edges share a Ledger. They lease numbers, a quarter of a second's
// newcomers at a time, and report what they see; a step moves the watermark by
// the reports of all. So the order holds up to what is leased and called within
// one step: a block at 500 people a minute. A ticket that is used at
// two edges within a step lets in twice; a step later it is used at both.
package room

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/turnout-events/turnout/internal/limit"
)

// Options of a Room.
type Options struct {
	// Name is the org and the event, such as "acme/summit". Tickets of one name
	// are nothing under another.
	Name string
	// Edge tells this process from the others that share the ledger. Empty will
	// do where there is only one.
	Edge string
	// Capacity is how many sessions the pool holds now, over all edges. Active is
	// how many sessions that were let in are alive on this edge. These four are
	// called under the room's lock: they must be quick and must not call the room.
	Capacity, Active func() int
	// Admit counts somebody who is let in this moment, so that Active has one more
	// before anybody else is asked for. nil is for whoever does so themselves.
	Admit func(now time.Time)
	// Sessions are those that this edge counts, for another to count them when
	// this one is gone.
	Sessions Sessions
	Ledger   Ledger
	Keys     *Keys
	// Heartbeat is how often those who wait look in, at the most; 0 means 10 s.
	Heartbeat time.Duration
	// Grace is for how long a number that was called lets in; 0 means 10 minutes.
	// It is less where more than 32,000 numbers were called in that time.
	Grace time.Duration
	// Lifetime of a ticket since its holder last looked in; 0 means 6 hours.
	Lifetime time.Duration
	// Tickets is how many a client address gets without an identity; the zero
	// value means 20 at once, then one in 10 s. Identified is the same for those
	// with one, which may be made up; it means 100 at once, then one a second.
	Tickets, Identified limit.Rate
	// Identities is how many AttendeeLinks have their place kept at most, 24
	// bytes each; 0 means 65,536.
	Identities int
	// Clients and Linked count what an address got without an identity and with
	// one, over all rooms that have the same tables; nil makes the room's own.
	Clients, Linked *limit.Table
	// Random spreads refreshes, in [0,1); nil means math/rand.
	Random func() float64
}

// Sessions are counted by the minute in which they were last seen.
type Sessions interface {
	// Minutes lists them.
	Minutes(now time.Time) []Minute
	// Adopt counts those of an edge that is gone.
	Adopt(left []Minute, now time.Time)
}

func (o *Options) defaults() {
	def(&o.Heartbeat, 10*time.Second)
	def(&o.Grace, 10*time.Minute)
	def(&o.Lifetime, 6*time.Hour)
	def(&o.Tickets, limit.Rate{PerSecond: 0.1, Burst: 20})
	def(&o.Identified, limit.Rate{PerSecond: 1, Burst: 100})
	def(&o.Identities, 1<<16)
	if o.Clients == nil {
		o.Clients = limit.NewTable(1 << 16)
	}
	if o.Linked == nil {
		o.Linked = limit.NewTable(1 << 16)
	}
	if o.Admit == nil {
		o.Admit = func(time.Time) {}
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
}

func def[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Place is what Enter found for somebody.
type Place struct {
	// Admitted lets them in; the ticket is used up.
	Admitted bool
	// Ticket is to be kept by the browser, empty for none.
	Ticket string
	// Position is 1 for the next one. 0 says that the ledger could not be reached,
	// or not yet: come back.
	Position int
	// Wait is an estimate, 0 for not known yet.
	Wait time.Duration
	// Refresh is when to come back, spread so that not all come at once.
	Refresh time.Duration
	// Near says that their turn is so near that they had better wait for the next
	// step (Moved) and enter again with the ticket, for up to a heartbeat.
	Near bool
	// Refused says that this client has had too many tickets; RetryAfter when it
	// gets another.
	Refused    bool
	RetryAfter time.Duration
}

// Room is one waiting room on one edge. Safe for concurrent use.
type Room struct {
	o    Options
	seal sealer

	leasing sync.Mutex // held while a lease is fetched, before mu; no step waits for it

	mu         sync.Mutex
	moved      chan struct{} // closed by the next step
	ring       ring
	identities identities
	recent     recent
	mark       Mark
	started    time.Time // the first answer of the ledger; zero before
	unsure     time.Time // until when others may wait whom this edge has not seen
	first      uint64    // numbers up to it are nobody's who waits
	quiet      time.Time // since when nobody waits
	lease      lease
	line       line
	coming     float64 // called and expected
	others     int     // sessions on other edges
	passed     int     // let in without a ticket since the last step
	noShow     average // share of those called who don't come
	refused    int64
	rotated    time.Time
	stepped    time.Time
	admitted   int // with tickets, since the last step
}

// New makes a small room. It becomes larger with the first few hundred in line,
// once, and small again when nobody waits.
func New(o Options) (*Room, error) {
	if o.Name == "" || o.Capacity == nil || o.Active == nil || o.Ledger == nil || o.Keys == nil {
		return nil, errors.New("make waiting room: name, capacity, active, ledger and keys are needed")
	}
	o.defaults()
	return &Room{
		o: o, seal: o.Keys.forRoom(o.Name), moved: make(chan struct{}),
		ring: newRing(), recent: newRecent(), identities: newIdentities(o.Identities), line: newLine(),
	}, nil
}

// Open reports whether newcomers pass without a ticket: nobody waits, and there
// is room besides for those who were called.
func (r *Room) Open() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open()
}

func (r *Room) open() bool {
	if r.started.IsZero() || r.stepped.Before(r.unsure) || r.line.waiting > 0 || r.mark.Waiting > 0 || !r.free(r.coming) {
		return false
	}
	return r.mark.Edges <= 1 || r.passed < r.mark.Free/r.mark.Edges/2 // half, since the others counted at another moment
}

// free reports whether the sessions leave room for one more beside some. Those
// of other edges are a second old.
func (r *Room) free(beside float64) bool {
	return float64(r.o.Active()+r.others)+beside+1 <= float64(r.o.Capacity())
}

// Moved is closed by the next step, which may have called somebody.
func (r *Room) Moved() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moved
}

// Busy reports whether anybody waits or is on the way in, so that steps matter.
func (r *Room) Busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.busy()
}

func (r *Room) busy() bool { return r.line.waiting > 0 || r.mark.Waiting > 0 || r.coming > 0 }

// Inside is how many sessions are in, over all edges.
func (r *Room) Inside() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.o.Active() + r.others
}

// Status is what /edge/status shows of a room.
type Status struct {
	Name string
	// Waiting is over all edges, a guess beyond 32,768; the rest is this one's view.
	Waiting        int
	Served, Issued uint64
	PerMinute      float64       // people let in from the line
	Longest        time.Duration // wait of the first in line
	NoShow         float64       // share of those called who don't come
	Refused        int64         // for too many tickets, ever
	Displaced      int64         // identities whose place could not be kept, ever
	Open           bool
}

// Status is safe to show: there is nothing of anybody in it.
func (r *Room) Status(now time.Time) Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{
		Name: r.o.Name, Waiting: max(r.mark.Waiting, r.line.waiting),
		Served: r.mark.Served, Issued: r.mark.Issued,
		PerMinute: 60 * r.line.rate.value(), NoShow: r.noShow.value(),
		Refused: r.refused, Displaced: r.identities.displaced, Open: r.open(),
	}
	s.Waiting += int(r.line.beyond(s.Issued, s.Served))
	if since := r.ring.oldest(r.mark.Served); since > 0 {
		s.Longest = max(0, now.Sub(time.Unix(since, 0)))
	}
	return s
}

// ration counts a new ticket against the client that asks for it, in this room.
func (r *Room) ration(identity []byte, client netip.Addr, now time.Time) limit.Verdict {
	var room [128]byte
	key := limit.ClientPrefix(client).AppendTo(append(append(room[:0], r.o.Name...), 0))
	if len(identity) > 0 {
		return r.o.Linked.TakeBytes(key, r.o.Identified, now)
	}
	return r.o.Clients.TakeBytes(key, r.o.Tickets, now)
}

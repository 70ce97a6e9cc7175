// Package room is the waiting room's mechanism (P11): who waits, who is next,
// how long it takes. It knows nothing of HTTP and remembers nobody.
//
// Whoever comes when the pool is full gets a number, sealed into a ticket that
// the browser keeps. The numbers up to the watermark have been called; a ticket
// with such a number lets its holder in, once. What is kept of a number is four
// bits, sixteen numbers to a block, in a ring of fixed size around the
// watermark: seen in this heartbeat, seen in the one before, called, let in.
// The tickets themselves carry the rest, so memory is the same for any crowd.
//
// Step moves the watermark once a second past as many people as there are
// places free, less those called who are still on their way, of whom a learnt
// share won't come. Numbers without a sign of life for two heartbeats are passed
// over; who comes back late is let in with the next free place. People look in
// more often the nearer they are, so that no place waits long for its person.
//
// Several edges share a Ledger. They lease blocks of numbers, so the order
// holds up to a lease (16, or a quarter of a second's newcomers), and report
// what they see; the watermark moves when all that are alive speak of the same.
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
	// how many sessions that were let in are alive on this edge, one let in a
	// moment ago included. Both are called under the room's lock: they must be
	// quick and must not call the room.
	Capacity, Active func() int
	Ledger           Ledger
	Keys             *Keys
	// Heartbeat is how often those who wait look in, at the most; 0 means 10 s.
	Heartbeat time.Duration
	// Grace is for how long a number that was called lets in; 0 means 10 minutes.
	// It is less where more than 32,000 numbers were called in that time.
	Grace time.Duration
	// Lifetime of a ticket since its holder last looked in; 0 means 6 hours.
	Lifetime time.Duration
	// Tickets is how many a client address gets without an identity; the zero
	// value means 20 at once, then one in 10 s. Identified is the same for those
	// with one, which may be made up; it means 500 at once, then 5 a second.
	Tickets, Identified limit.Rate
	// Identities is how many AttendeeLinks have their place kept at once, 24
	// bytes each; 0 means 65,536. Clients is how many addresses are told apart;
	// 0 means 65,536.
	Identities, Clients int
	// Random spreads refreshes, in [0,1); nil means math/rand.
	Random func() float64
}

func (o *Options) defaults() {
	def(&o.Heartbeat, 10*time.Second)
	def(&o.Grace, 10*time.Minute)
	def(&o.Lifetime, 6*time.Hour)
	def(&o.Tickets, limit.Rate{PerSecond: 0.1, Burst: 20})
	def(&o.Identified, limit.Rate{PerSecond: 5, Burst: 500})
	def(&o.Identities, 1<<16)
	def(&o.Clients, 1<<16)
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
	// Refused says that this client has had too many tickets; RetryAfter when it
	// gets another.
	Refused    bool
	RetryAfter time.Duration
}

// Room is one waiting room on one edge. Safe for concurrent use.
type Room struct {
	o       Options
	seal    sealer
	clients *limit.Table // without an identity
	named   *limit.Table // with one

	leasing sync.Mutex // held while a lease is fetched, before mu

	mu         sync.Mutex
	ring       ring
	identities identities
	recent     recent
	mark       Mark
	started    time.Time // the first answer of the ledger; zero before
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

// lease is the numbers that this edge may give: next to last.
type lease struct {
	next, last uint64
	at         time.Time
	given      int // since the last step
	pace       int // in the step before
}

func (l *lease) left() bool { return l.next != 0 && l.next <= l.last }

// New makes a room. It allocates all the memory it will ever have.
func New(o Options) (*Room, error) {
	if o.Name == "" || o.Capacity == nil || o.Active == nil || o.Ledger == nil || o.Keys == nil {
		return nil, errors.New("make waiting room: name, capacity, active, ledger and keys are needed")
	}
	o.defaults()
	return &Room{
		o: o, seal: o.Keys.forRoom(o.Name),
		clients: limit.NewTable(o.Clients), named: limit.NewTable(o.Clients),
		ring: newRing(), identities: newIdentities(o.Identities), line: newLine(),
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
	if r.started.IsZero() || r.line.waiting > 0 || r.mark.Waiting > 0 || !r.free(r.coming) {
		return false
	}
	return r.mark.Edges <= 1 || r.passed < r.mark.Free/r.mark.Edges/2 // half, since the others counted at another moment
}

// free reports whether the sessions leave room for one more beside some. Those
// of other edges are a second old.
func (r *Room) free(beside float64) bool {
	return float64(r.o.Active()+r.others)+beside+1 <= float64(r.o.Capacity())
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
		Served: r.mark.Served, Issued: max(r.mark.Issued, r.lease.last),
		PerMinute: 60 * r.line.rate.value(), NoShow: r.noShow.value(),
		Refused: r.refused, Displaced: r.identities.displaced, Open: r.open(),
	}
	s.Waiting += int(r.line.beyond(s.Issued, s.Served))
	if since := r.ring.oldest(r.mark.Served); since > 0 {
		s.Longest = max(0, now.Sub(time.Unix(since, 0)))
	}
	return s
}

// ration counts a new ticket against the client that asks for it.
func (r *Room) ration(identity []byte, client netip.Addr, now time.Time) limit.Verdict {
	if len(identity) > 0 {
		return r.named.TakeAddr(client, r.o.Identified, now)
	}
	return r.clients.TakeAddr(client, r.o.Tickets, now)
}

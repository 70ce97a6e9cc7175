package room

import (
	"hash/maphash"
	"time"
)

// identities keeps the number of an AttendeeLink, so that a closed tab or
// another device finds its place again. Hashes fall into sets of eight. When a set
// is full, the table becomes as large as it may be, and then a newcomer takes the
// place of whoever looked in least recently. That one's browser still has the
// ticket and loses nothing; only coming back without the cookie would start at
// the end. How often it happened is counted. It is known to this edge only.
type identities struct {
	seed      maphash.Seed
	sets      [][ways]identity
	most      int // sets
	displaced int64
}

const ways = 8

type identity struct {
	hash   uint64 // 0 for nobody
	number uint64
	issued uint32 // Unix seconds
	looked uint32
}

// newIdentities makes a small table that may hold as many as capacity.
func newIdentities(capacity int) identities {
	most := 1
	for most*ways < capacity {
		most *= 2
	}
	return identities{seed: maphash.MakeSeed(), sets: make([][ways]identity, min(most, small/ways)), most: most}
}

// grow makes the table as large as it may be: what was in one set is in several,
// so it fits.
func (t *identities) grow() {
	old := t.sets
	if len(old) == t.most {
		return
	}
	t.sets = make([][ways]identity, t.most)
	for i := range old {
		for j, e := range old[i] {
			if e.hash != 0 {
				t.sets[(e.hash>>1)%uint64(len(t.sets))][j] = e
			}
		}
	}
}

func (t *identities) set(id []byte) (*[ways]identity, uint64) {
	hash := maphash.Bytes(t.seed, id) | 1
	return &t.sets[(hash>>1)%uint64(len(t.sets))], hash
}

// find gives the ticket kept for an identity, without its expiry.
func (t *identities) find(id []byte) (Ticket, bool) {
	set, hash := t.set(id)
	for i := range set {
		if set[i].hash == hash {
			return Ticket{Number: set[i].number, Issued: time.Unix(int64(set[i].issued), 0)}, true
		}
	}
	return Ticket{}, false
}

// put keeps a ticket for an identity. Whoever last looked in before stale has no
// valid ticket any more, and is not counted as displaced.
func (t *identities) put(id []byte, ticket Ticket, now, stale time.Time) {
	set, hash := t.set(id)
	victim := &set[0]
	for i := range set {
		e := &set[i]
		if e.hash == hash {
			victim = e
			break
		}
		if e.looked < victim.looked {
			victim = e
		}
	}
	if victim.hash != 0 && victim.hash != hash && int64(victim.looked) > stale.Unix() {
		if len(t.sets) < t.most {
			t.grow()
			t.put(id, ticket, now, stale)
			return
		}
		t.displaced++
	}
	*victim = identity{hash, ticket.Number, uint32(ticket.Issued.Unix()), uint32(now.Unix())}
}

// drop forgets an identity whose place is used up.
func (t *identities) drop(id []byte) {
	set, hash := t.set(id)
	for i := range set {
		if set[i].hash == hash {
			set[i] = identity{}
		}
	}
}

package limit

import (
	"hash/maphash"
	"math/bits"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Table keeps a Meter for each of many keys in memory that is allocated once.
//
// Keys are known by a 64-bit hash under a random seed of the table, so nobody
// can aim at collisions. Hashes fall into buckets of seven meters. A meter that
// is full again is free for the next newcomer, which costs its owner nothing.
// When all seven are busy, newcomers of that bucket share an eighth: together
// they get the allowance of one, so nobody is let through free, and those who
// have a meter don't feel it. What that means: under a flood of more busy keys
// than the table holds, an honest newcomer may be refused for what strangers
// did. Make the capacity a few times the number of keys expected to be busy at
// once; somebody who moves from the shared meter to one of their own starts
// with a full burst, once.
//
// Give one table one rate or similar ones: it is the sharers' rate that counts
// on a shared meter.
type Table struct {
	text, addr maphash.Seed
	buckets    []bucket
	shift      int
}

const perBucket = 7

// bucket fills two cache lines.
type bucket struct {
	owners [perBucket]atomic.Uint64 // hashes; 0 for nobody
	meters [perBucket]Meter
	shared Meter
	mu     sync.Mutex // held to change owners
}

// NewTable makes a table that holds at least capacity busy keys, if they spread
// evenly: 128 bytes for every seven, rounded up to a power of two.
func NewTable(capacity int) *Table {
	n := max(2, (capacity+perBucket-1)/perBucket)
	width := bits.Len(uint(n - 1))
	return &Table{
		text: maphash.MakeSeed(), addr: maphash.MakeSeed(),
		buckets: make([]bucket, 1<<width),
		shift:   64 - width,
	}
}

// Capacity is how many keys can have a meter of their own at once.
func (t *Table) Capacity() int { return len(t.buckets) * perBucket }

// Take is Meter.Take for the meter of key. It allocates nothing.
func (t *Table) Take(key string, r Rate, now time.Time) Verdict {
	return t.take(t.hash(key), r, now)
}

// TakeBytes is Take for a key in bytes, which are not kept.
func (t *Table) TakeBytes(key []byte, r Rate, now time.Time) Verdict {
	return t.take(maphash.Bytes(t.text, key)|1, r, now)
}

// TakeAddr is Take for a client address, by ClientPrefix. Addresses that are
// not valid share a meter.
func (t *Table) TakeAddr(a netip.Addr, r Rate, now time.Time) Verdict {
	return t.take(maphash.Comparable(t.addr, ClientPrefix(a))|1, r, now)
}

// hash is never 0, which is nobody's.
func (t *Table) hash(key string) uint64 { return maphash.String(t.text, key) | 1 }

func (t *Table) take(hash uint64, r Rate, now time.Time) Verdict {
	if interval, _ := r.interval(); interval == 0 {
		return Verdict{OK: true}
	}
	b := &t.buckets[hash>>t.shift]
	if i := b.find(hash); i >= 0 {
		v := b.meters[i].Take(r, now)
		// Between finding and taking, a meter that was idle may have become
		// somebody else's. That costs them one; it is not to be a gift.
		if b.owners[i].Load() == hash {
			return v
		}
	}
	return b.meter(hash, now).Take(r, now)
}

func (b *bucket) find(hash uint64) int {
	for i := range b.owners {
		if b.owners[i].Load() == hash {
			return i
		}
	}
	return -1
}

// meter finds the meter of hash, takes a free one for it, or gives the shared one.
func (b *bucket) meter(hash uint64, now time.Time) *Meter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.find(hash); i >= 0 {
		return &b.meters[i]
	}
	for i := range b.meters {
		if b.meters[i].idle(now) {
			b.owners[i].Store(hash)
			return &b.meters[i]
		}
	}
	return &b.shared
}

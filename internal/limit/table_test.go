package limit

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

var slow = Rate{PerSecond: 1, Burst: 5}

// takeAll takes until refused and returns how often it was let through.
func takeAll(t *Table, key string, r Rate, now time.Time) int {
	n := 0
	for t.Take(key, r, now).OK {
		n++
	}
	return n
}

func TestP7KeysDoNotFeelEachOther(t *testing.T) {
	table := NewTable(10_000)
	for range 1000 {
		table.Take("abuser", slow, start)
	}
	for i := range 500 {
		key := fmt.Sprint("org ", i)
		if n := takeAll(table, key, slow, start); n != 5 {
			t.Fatalf("%s was let through %d times", key, n)
		}
	}
	if v := table.TakeBytes([]byte("abuser"), slow, start); v.OK {
		t.Error("the same key as bytes is somebody else")
	}
}

// Memory is what NewTable made, whatever comes: no slice, map or pointer in it
// can grow, and half a million keys leave the buckets where they were.
func TestTableNeverGrows(t *testing.T) {
	table := NewTable(7000)
	if size := unsafe.Sizeof(bucket{}); size != 128 {
		t.Errorf("a bucket has %d bytes", size)
	}
	first, n := &table.buckets[0], len(table.buckets)
	key := make([]byte, 8)
	keys := uint64(500_000)
	if testing.Short() {
		keys = 50_000 // in one goroutine, which races with nobody
	}
	allocs := testing.AllocsPerRun(1, func() {
		for i := range keys { // twice: AllocsPerRun warms up
			binary.BigEndian.PutUint64(key, i)
			table.TakeBytes(key, slow, start)
		}
	})
	if allocs != 0 {
		t.Errorf("%.0f allocations", allocs)
	}
	if &table.buckets[0] != first || len(table.buckets) != n || cap(table.buckets) != n {
		t.Error("the buckets moved or grew")
	}
}

// When everything is busy newcomers share: not refused outright, never free,
// and those who are inside keep their own.
func TestNewcomersShareWhenFull(t *testing.T) {
	table := NewTable(1) // two buckets
	inside := map[string]bool{}
	for i := 0; len(inside) < table.Capacity(); i++ {
		key := fmt.Sprint("inside ", i)
		if table.own(key) || table.room(key) {
			table.Take(key, slow, start)
			inside[key] = true
		}
	}
	let := 0
	for i := range 1000 {
		let += takeAll(table, fmt.Sprint("newcomer ", i), slow, start)
	}
	if let != 2*slow.Burst {
		t.Errorf("newcomers were let through %d times, want a burst for each bucket", let)
	}
	for key := range inside {
		if n := takeAll(table, key, slow, start); n != slow.Burst-1 {
			t.Fatalf("%s got %d more", key, n)
		}
	}
	if n := takeAll(table, "newcomer 1", slow, start.Add(time.Minute)); n != slow.Burst {
		t.Errorf("when meters are idle again a newcomer gets %d", n)
	}
}

func (t *Table) at(key string) (*bucket, uint64) {
	hash := t.hash(key)
	return &t.buckets[hash>>t.shift], hash
}

func (t *Table) own(key string) bool {
	b, hash := t.at(key)
	return b.find(hash) >= 0
}

func (t *Table) room(key string) bool {
	b, _ := t.at(key)
	for i := range b.meters {
		if b.meters[i].idle(start) {
			return true
		}
	}
	return false
}

// Busy keys get their allowance and never more, while thousands of others come
// and go in the same two buckets.
func TestP7ConcurrentTableNeverExceeds(t *testing.T) {
	table := NewTable(1)
	const routines, rounds = 4, 1500
	r := Rate{PerSecond: 1000, Burst: 5}
	busy := []string{"busy 0", "busy 1", "busy 2"}
	var let [3]atomic.Int64
	for round := range rounds {
		now := start.Add(time.Duration(round) * time.Millisecond)
		var wg sync.WaitGroup
		for g := range routines {
			wg.Go(func() {
				for n := range 21 {
					if table.Take(busy[n%3], r, now).OK {
						let[n%3].Add(1)
					}
				}
				table.Take(fmt.Sprint(g, "passing ", round), r, now) // idle again by the next ms
			})
		}
		wg.Wait()
	}
	for i := range let {
		if n := let[i].Load(); n > rounds+5 || n < rounds {
			t.Errorf("busy %d was let through %d times, allowance %d", i, n, rounds+5)
		}
	}
}

func TestClientPrefix(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7":             "192.0.2.7/32",
		"::ffff:192.0.2.7":      "192.0.2.7/32",
		"2001:db8:1:2:3:4:5:6":  "2001:db8:1:2::/64",
		"2001:db8:1:2::":        "2001:db8:1:2::/64",
		"fe80::1%eth0":          "fe80::/64",
		"::ffff:192.0.2.7%eth0": "192.0.2.7/32",
	} {
		if got := ClientPrefix(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
	if ClientPrefix(netip.Addr{}).IsValid() {
		t.Error("no address has a prefix")
	}
}

func TestTakeAddrByPrefix(t *testing.T) {
	table := NewTable(1000)
	take := func(addr string) bool { return table.TakeAddr(netip.MustParseAddr(addr), Rate{1, 1}, start).OK }
	for _, c := range []struct {
		addr string
		ok   bool
	}{
		{"192.0.2.7", true}, {"::ffff:192.0.2.7", false}, {"192.0.2.8", true},
		{"2001:db8:1:2::1", true}, {"2001:db8:1:2:ffff::9", false}, {"2001:db8:1:3::1", true},
	} {
		if take(c.addr) != c.ok {
			t.Errorf("%s: want %v", c.addr, c.ok)
		}
	}
	if !table.TakeAddr(netip.Addr{}, Rate{1, 1}, start).OK || table.TakeAddr(netip.Addr{}, Rate{1, 1}, start).OK {
		t.Error("those without an address share one meter")
	}
}

func BenchmarkTableTake(b *testing.B) {
	table := NewTable(10_000)
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprintf("org-%d.example", i)
	}
	r := Rate{PerSecond: 1000, Burst: 100}
	b.ReportAllocs()
	now := start
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Microsecond)
		table.Take(keys[i%len(keys)], r, now)
	}
}

func BenchmarkTableTakeAddr(b *testing.B) {
	table := NewTable(10_000)
	addr := netip.MustParseAddr("2001:db8:1:2:3:4:5:6")
	r := Rate{PerSecond: 1e6, Burst: 100}
	b.ReportAllocs()
	now := start
	for b.Loop() {
		now = now.Add(time.Microsecond)
		table.TakeAddr(addr, r, now)
	}
}

// Strangers only: every one finds no meter and looks for a free one.
func BenchmarkTableTakeStrangers(b *testing.B) {
	table := NewTable(10_000)
	var ip [16]byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ip[0], ip[1], ip[2], ip[3] = byte(i), byte(i>>8), byte(i>>16), 0x20
		table.TakeAddr(netip.AddrFrom16(ip), slow, start)
	}
}

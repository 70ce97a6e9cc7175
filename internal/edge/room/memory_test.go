package room

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A room has two sizes, without a line and with one, and the second is the same
// for a thousand and for a hundred thousand clients: everything it holds is
// counted by its length. When the line is over it is small again.
func TestP11MemoryIsTheSameForAnyCrowd(t *testing.T) {
	sizes := map[int]int{}
	for _, people := range []int{1000, 100_000} {
		c := newCrowd(t, 1)
		c.capacity = 0
		c.run(3)
		r := c.rooms[0]
		small := reach(reflect.ValueOf(r))
		for i := range people {
			addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			id := fmt.Appendf(nil, "person %d", i)
			if p := r.Enter(context.Background(), c.time(), "", id[:i%2*len(id)], addr); p.Ticket == "" {
				t.Fatalf("%d: %+v", i, p)
			}
		}
		c.run(6)
		if s := r.Status(c.time()); math.Abs(float64(s.Waiting-people)) > 0.02*float64(people) {
			t.Errorf("%d people: %+v", people, s)
		}
		if n := r.line.position(&r.ring, r.mark.Served+uint64(people), r.mark.Served); math.Abs(float64(n-people)) > 0.02*float64(people) {
			t.Errorf("the last of %d is told %d", people, n)
		}
		if leaving := r.line.leaving.value(); leaving > 0.001 {
			t.Errorf("%d people: %v of them leave a second, though nobody did", people, leaving)
		}
		sizes[people] = reach(reflect.ValueOf(r))
		c.capacity = 10 * people
		c.run(200)
		if after := reach(reflect.ValueOf(r)); after != small || small > 20<<10 {
			t.Errorf("%d people: %d bytes before, %d when they are gone", people, small, after)
		}
	}
	if sizes[1000] != sizes[100_000] || sizes[1000] > 6<<20 {
		t.Errorf("bytes by crowd: %v", sizes)
	}
	t.Logf("%d bytes with a line", sizes[1000])
}

// Many rooms in which nobody waits are cheap, in memory and in what edges write
// of them each second.
func TestP11ManyIdleRoomsAreCheap(t *testing.T) {
	const many = 1024
	keys, err := NewKeys(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	shelf := &memory{files: map[string][]byte{}, now: start}
	edges := [2][]*Room{}
	all := 0
	for e := range edges {
		for i := range many {
			r, err := New(Options{
				Name: fmt.Sprint("org-", i, "/summit"), Edge: fmt.Sprint("edge-", e), Ledger: NewSharedLedger(shelf), Keys: keys,
				Capacity: func() int { return 1000 }, Active: func() int { return 10 },
			})
			if err != nil {
				t.Fatal(err)
			}
			edges[e] = append(edges[e], r)
		}
	}
	for second := range 3 {
		for _, rooms := range edges {
			before := shelf.changes
			if err := StepAll(t.Context(), start.Add(time.Duration(second)*time.Second), NewSharedLedger(shelf), rooms); err != nil {
				t.Fatal(err)
			}
			if n := shelf.changes - before; n > 2 || (second > 0 && n > 1) {
				t.Errorf("second %d: %d changes for all rooms", second, n)
			}
		}
	}
	for _, r := range edges[0] {
		if !r.Open() || r.Busy() {
			t.Fatalf("%+v", r.Status(start))
		}
		all += reach(reflect.ValueOf(r))
	}
	file := len(shelf.files[linesFile])
	t.Logf("%d bytes a room in which nobody waits, %d bytes of its line at rest", all/many, file/many)
	if all > many*20<<10 || file > many*512 {
		t.Errorf("%d rooms take %d bytes, and %d at rest", many, all, file)
	}
}

// reach adds up what is reachable from a value through pointers and slices. It
// does not look into interfaces, functions and maps; the room has maps nowhere.
func reach(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.Map:
		panic("a map can grow")
	case reflect.Pointer:
		if v.IsNil() || strings.HasPrefix(v.Type().Elem().PkgPath(), "time") {
			return 0
		}
		return int(v.Type().Elem().Size()) + reach(v.Elem())
	case reflect.Slice:
		n = v.Cap() * int(v.Type().Elem().Size())
		if v.Type().Elem().Kind() == reflect.Slice { // keys
			for i := range v.Len() {
				n += reach(v.Index(i))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Name != "Used" && f.Name != "Clients" && f.Name != "Linked" { // of the last seconds; all rooms share them
				n += reach(v.Field(i))
			}
		}
	}
	return n
}

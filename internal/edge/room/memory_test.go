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

// idle is two edges with as many rooms in which nobody waits, and the shelf that
// they share.
func idle(t testing.TB, rooms int) (edges [2][]*Room, shelf *memory) {
	keys, err := NewKeys(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	shelf = &memory{files: map[string][]byte{}, now: start}
	inside := &counter{minutes: []Minute{{31556520, 4}, {31556521, 6}}}
	for e := range edges {
		for i := range rooms {
			r, err := New(Options{
				Name: fmt.Sprint("org-", i, "/summit"), Edge: fmt.Sprint("edge-of-some-name-", e), Ledger: NewSharedLedger(shelf, nil), Keys: keys,
				Capacity: func() int { return 1000 }, Active: inside.total, Sessions: inside,
			})
			if err != nil {
				t.Fatal(err)
			}
			edges[e] = append(edges[e], r)
		}
	}
	return edges, shelf
}

// Many rooms in which nobody waits are cheap, in memory and in what edges write
// of them each second: one change, however many there are.
func TestP11ManyIdleRoomsAreCheap(t *testing.T) {
	const many = 1024
	edges, shelf := idle(t, many)
	for second := range 3 {
		for _, rooms := range edges {
			before := shelf.changes
			if err := StepAll(t.Context(), start.Add(time.Duration(second)*time.Second), NewSharedLedger(shelf, nil), rooms); err != nil {
				t.Fatal(err)
			}
			if n := shelf.changes - before; n > 2 || (second > 0 && n > 1) {
				t.Errorf("second %d: %d changes for all rooms", second, n)
			}
		}
	}
	all, file := 0, len(shelf.files[linesFile])
	for _, r := range edges[0] {
		if !r.Open() || r.Busy() {
			t.Fatalf("%+v", r.Status(start))
		}
		all += reach(reflect.ValueOf(r))
	}
	t.Logf("%d bytes a room in which nobody waits, %d bytes of its line at rest", all/many, file/many)
	if all > many*20<<10 || file > many*512 {
		t.Errorf("%d rooms take %d bytes, and %d at rest", many, all, file)
	}
}

// A step of as many rooms as an edge may have, and one of a single one among
// them, both without the store, where each change is worked out twice.
func BenchmarkStepOfManyRooms(b *testing.B) {
	edges, shelf := idle(b, 1024)
	ledger := NewSharedLedger(shelf, nil)
	for e := range edges {
		_ = StepAll(b.Context(), start, ledger, edges[e])
	}
	for name, of := range map[string]int{"all": 1024, "one": 1} {
		b.Run(name, func(b *testing.B) {
			for second := 0; b.Loop(); second++ {
				if err := StepAll(b.Context(), start.Add(time.Duration(second)*time.Second), ledger, edges[second%2][:of]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(shelf.files[linesFile])), "bytes/file")
		})
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

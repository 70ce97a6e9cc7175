package compact

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

func yes() bool { return true }
func no() bool  { return false }

// TestTableBesideMap: random operations give what Go's map gives.
func TestTableBesideMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var table table
	model := map[uint32]uint32{}
	rounds := 200_000
	if testing.Short() {
		rounds = 20_000 // in one goroutine, which races with nobody
	}
	for range rounds {
		tag := random.Uint32() & 0xfff << 20 >> (random.Uint32() % 3) // crowded, so that searches go over others
		switch random.IntN(3) {
		case 0:
			place, ok := table.remove(tag)
			if want, had := model[tag]; ok != had || ok && place != want {
				t.Fatalf("remove %x: %d, %v, want %d, %v", tag, place, ok, want, had)
			}
			delete(model, tag)
		default:
			place := random.Uint32() >> 1
			table.put(tag, place)
			model[tag] = place
		}
		if table.used != len(model) {
			t.Fatalf("holds %d of %d", table.used, len(model))
		}
	}
	for tag, want := range model {
		if place, ok := table.get(tag); !ok || place != want {
			t.Fatalf("get %x: %d, %v, want %d", tag, place, ok, want)
		}
	}
}

// hashOf spreads numbers over stripes and slots.
func hashOf(i int) uint64 { return uint64(i+1) * 0x9E3779B97F4A7C15 }

func valueOf(i, size int) []byte {
	return bytes.Repeat([]byte{byte(i), byte(i >> 8), 7}, size)[:size]
}

func TestMap(t *testing.T) {
	m := NewMap(65, 100_000)
	for i := range 10_000 {
		m.Put(hashOf(i), valueOf(i, 65), yes)
	}
	m.Put(hashOf(1), valueOf(1, 64), yes) // of another size
	m.Put(hashOf(2), valueOf(3, 65), no)
	for i := range 5_000 {
		m.Remove(hashOf(i * 2))
	}
	if m.Len() != 5_000 {
		t.Errorf("holds %d", m.Len())
	}
	for i := range 10_000 {
		got, ok := m.Get(nil, hashOf(i))
		if ok != (i%2 == 1) || ok && !bytes.Equal(got, valueOf(i, 65)) {
			t.Fatalf("%d: %x, %v", i, got, ok)
		}
	}
	m.Clear()
	if _, ok := m.Get(nil, hashOf(1)); ok || m.Len() != 0 {
		t.Error("something is left after Clear")
	}
}

// TestP8RemovedIsOverwritten: a key that was removed is not in memory any more.
func TestP8RemovedIsOverwritten(t *testing.T) {
	for name, remove := range map[string]func(*Map){
		"Remove": func(m *Map) { m.Remove(hashOf(1)) },
		"Clear":  func(m *Map) { m.Clear() },
	} {
		m := NewMap(8, 100)
		m.Put(hashOf(1), []byte("geheim!!"), yes)
		remove(m)
		for i := range m.parts {
			for _, slab := range m.parts[i].slabs {
				if bytes.Contains(slab, []byte("geheim")) {
					t.Errorf("%s leaves the value in memory", name)
				}
			}
		}
	}
}

func TestMapIsBounded(t *testing.T) {
	m := NewMap(8, 6400)
	for i := range 50_000 {
		m.Put(hashOf(i), valueOf(i, 8), yes)
		if got, ok := m.Get(nil, hashOf(i)); !ok || !bytes.Equal(got, valueOf(i, 8)) {
			t.Fatalf("the one that was just put: %x, %v", got, ok)
		}
	}
	if n := m.Len(); n > 6400 || n < 1000 {
		t.Errorf("holds %d", n)
	}
}

// TestSetForgetsNone however many there are.
func TestSetForgetsNone(t *testing.T) {
	var s Set
	for i := range 200_000 {
		s.Add(hashOf(i))
		s.Add(hashOf(i))
	}
	for i := range 200_000 {
		if !s.Has(hashOf(i)) {
			t.Fatalf("%d is not there", i)
		}
	}
	like := 0
	for i := range 100_000 {
		if s.Has(hashOf(1_000_000 + i)) {
			like++
		}
	}
	if like > 5 {
		t.Errorf("%d of 100,000 others count as added", like)
	}
}

// papers are both kinds.
func papers(t *testing.T) map[string]Paper {
	f, err := Unnamed(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return map[string]Paper{"file": f, "memory": NewMemory()}
}

func TestLog(t *testing.T) {
	for name, paper := range papers(t) {
		t.Run(name, func(t *testing.T) {
			l := NewLog(paper, 64<<20)
			var page []Entry
			for i := range 3_000 {
				page = append(page, Entry{hashOf(i), valueOf(i, i%900)})
			}
			page = append(page, Entry{hashOf(3_000), make([]byte, MaxValue+1)}, Entry{hashOf(3_001), valueOf(1, MaxValue)})
			for _, still := range []func() bool{no, yes} {
				if n, _ := l.Size(); n > 0 {
					t.Fatalf("%d values were kept, though they were not to be", n)
				}
				if err := l.Put(page, still); err != nil {
					t.Fatal(err)
				}
			}
			_ = l.Put([]Entry{{hashOf(5), []byte("anew")}}, yes)
			l.Remove(hashOf(6))
			for i := range 3_000 {
				want := page[i].Value
				if i == 5 {
					want = []byte("anew")
				}
				got, ok := l.Get([]byte("before "), hashOf(i))
				if ok != (i != 6) || ok && string(got) != "before "+string(want) {
					t.Fatalf("%d: %q, %v", i, got, ok)
				}
			}
			if _, ok := l.Get(nil, hashOf(3_000)); ok {
				t.Error("a value that is too long was kept")
			}
			if got, ok := l.Get(nil, hashOf(3_001)); !ok || len(got) != MaxValue {
				t.Error("the longest value was not kept")
			}
			l.Clear()
			if _, ok := l.Get(nil, hashOf(1)); ok {
				t.Error("something is left after Clear")
			}
		})
	}
}

// TestLogBeginsAnew when its paper is full, and what it says stays right.
func TestLogBeginsAnew(t *testing.T) {
	l := NewLog(NewMemory(), 100_000)
	for i := range 5_000 {
		_ = l.Put([]Entry{{hashOf(i), valueOf(i, 100+i%100)}}, yes)
		for _, j := range []int{i, i - 100, i / 2} {
			if got, ok := l.Get(nil, hashOf(j)); ok && !bytes.Equal(got, valueOf(j, 100+j%100)) || j == i && !ok {
				t.Fatalf("%d after %d: %x, %v", j, i, got, ok)
			}
		}
		if n, size := l.Size(); size > 100_000 || n > 1000 {
			t.Fatalf("%d values in %d bytes", n, size)
		}
	}
	if err := l.Put([]Entry{{hashOf(1), make([]byte, 60_000)}, {hashOf(2), make([]byte, 60_000)}}, yes); err != nil {
		t.Error(err)
	}
	if n, _ := l.Size(); n != 0 || l.Full() {
		t.Errorf("%d values, though nothing had room", n)
	}
}

// TestLogChecks: bytes that were changed on the paper are not what was put.
func TestLogChecks(t *testing.T) {
	paper := NewMemory()
	l := NewLog(paper, 1<<20)
	_ = l.Put([]Entry{{hashOf(1), []byte("a value")}}, yes)
	for i := range recordHead + len("a value") {
		was := make([]byte, 1)
		_, _ = paper.ReadAt(was, int64(i))
		_, _ = paper.WriteAt([]byte{was[0] ^ 1}, int64(i))
		if got, ok := l.Get(nil, hashOf(1)); ok {
			t.Errorf("byte %d was changed: %q", i, got)
		}
		_, _ = paper.WriteAt(was, int64(i))
	}
	if _, ok := l.Get(nil, hashOf(1)); !ok {
		t.Error("the value was not found in the end")
	}
}

type full struct{ Memory }

func (*full) WriteAt([]byte, int64) (int, error) { return 0, errors.New("no space") }

func TestLogOnAFullDisk(t *testing.T) {
	l := NewLog(&full{}, 1<<20)
	if err := l.Put([]Entry{{hashOf(1), []byte("a value")}}, yes); err == nil {
		t.Error("no error")
	}
	if _, ok := l.Get(nil, hashOf(1)); ok {
		t.Error("found what was not written")
	}
}

// TestUnnamed leaves nothing in its directory that anybody could open or forget.
func TestUnnamed(t *testing.T) {
	dir := t.TempDir()
	f, err := Unnamed(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if hidden, _ := os.ReadDir(dir); len(hidden) > 0 {
		t.Errorf("left %v", hidden)
	}
	if _, err := Unnamed(filepath.Join(dir, "missing")); err == nil {
		t.Error("a directory that is not there gives no error")
	}
}

// TestTogether: readers never see one value under another's hash, while writers
// put, remove and begin anew. Run it with -race.
func TestTogether(t *testing.T) {
	for name, paper := range papers(t) {
		t.Run(name, func(t *testing.T) {
			l, m := NewLog(paper, 300_000), NewMap(65, 1000)
			var all sync.WaitGroup
			for worker := range 4 {
				all.Go(func() {
					random := rand.New(rand.NewPCG(uint64(worker), 1))
					for range 20_000 {
						i := random.IntN(3000)
						switch random.IntN(6) {
						case 0:
							_ = l.Put([]Entry{{hashOf(i), valueOf(i, 200+i%7)}}, yes)
							m.Put(hashOf(i), valueOf(i, 65), yes)
						case 1:
							l.Remove(hashOf(i))
							m.Remove(hashOf(i))
						default:
							if got, ok := l.Get(nil, hashOf(i)); ok && !bytes.Equal(got, valueOf(i, 200+i%7)) {
								t.Errorf("log: %d is %x", i, got)
							}
							if got, ok := m.Get(nil, hashOf(i)); ok && !bytes.Equal(got, valueOf(i, 65)) {
								t.Errorf("map: %d is %x", i, got)
							}
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// FuzzLogReadsForeignBytes: whatever is on the paper, a value is what was put or
// nothing.
func FuzzLogReadsForeignBytes(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmn"), 0)
	f.Add(bytes.Repeat([]byte{0xff}, 600), 3)
	f.Add(binary.LittleEndian.AppendUint64(nil, hashOf(1)), 4)
	f.Fuzz(func(t *testing.T, foreign []byte, at int) {
		paper := NewMemory()
		l := NewLog(paper, 1<<20)
		_ = l.Put([]Entry{{hashOf(0), []byte("zero")}, {hashOf(1), valueOf(1, 500)}}, yes)
		_, _ = paper.WriteAt(foreign, int64(uint(at)%600))
		if got, ok := l.Get(nil, hashOf(1)); ok && !bytes.Equal(got, valueOf(1, 500)) {
			t.Errorf("got %x", got)
		}
		if got, ok := l.Get(nil, hashOf(0)); ok && string(got) != "zero" {
			t.Errorf("got %q", got)
		}
	})
}

// BenchmarkMemory says how many bytes of Go's heap a value costs; those of the
// values themselves are not on it.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				m := NewMap(65, 10*n)
				for i := range n {
					m.Put(hashOf(i), valueOf(i, 65), yes)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(m.Len()), "heap-B/value")
			}
		})
	}
}

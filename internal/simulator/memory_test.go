package simulator

import (
	"runtime"
	"testing"
)

// heap is what is live after a collection, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// seeded makes an org with n links and returns the bytes that each costs.
func seeded(t testing.TB, n int) (*Simulator, float64) {
	t.Helper()
	sim, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := heap()
	if _, err := sim.seeder().Make(10, n); err != nil {
		t.Fatal(err)
	}
	return sim, float64(heap()-before) / float64(n)
}

// A million links must fit in about 1 GB, so one may cost 1,000 bytes.
func TestALinkIsSmall(t *testing.T) {
	sim, perLink := seeded(t, 50_000)
	if perLink > 1000 {
		t.Errorf("a link takes %.0f bytes, more than 1,000", perLink)
	}
	runtime.KeepAlive(sim)
}

func BenchmarkSeedLinks(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		sim, perLink := seeded(b, n)
		b.ReportMetric(perLink, "bytes/link")
		runtime.KeepAlive(sim)
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N*n)*1e9, "ns/link")
}

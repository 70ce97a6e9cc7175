package postgres

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/pgtest"
	"github.com/turnout-events/turnout/internal/store/sqlite"
)

// BenchmarkAcceptBesideSQLite takes registrations from many callers at once on
// both engines. Rounds of the two alternate, so that a noisy machine disturbs
// both alike. It reports durable accepts/s of each, and the CPU time for an accept
// in microseconds: of this process, and of PostgreSQL's server, which runs on the
// same machine.
func BenchmarkAcceptBesideSQLite(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchBeside(b, callers) })
	}
}

func benchBeside(b *testing.B, callers int) {
	server := pgtest.New(b)
	pg := openStore(b, server.URL())
	defer pg.Close()
	lite, err := sqlite.Open(b.Context(), sqlite.Options{Path: filepath.Join(b.TempDir(), "turnout.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer lite.Close()
	prepare(b, pg, 1<<40)
	prepare(b, lite, 1<<40)
	all := make([]turnout.Acceptance, b.N)
	for n := range all {
		all[n] = submitted(n)
	}
	b.ResetTimer()
	const rounds = 10
	var onPG, onLite spent
	var atServer time.Duration
	for round := range rounds {
		part := all[b.N*round/rounds : b.N*(round+1)/rounds]
		before := server.CPU()
		onPG.add(b, pg, part, callers)
		atServer += server.CPU() - before
		onLite.add(b, lite, part, callers)
	}
	b.ReportMetric(float64(b.N)/onPG.wall.Seconds(), "postgres/s")
	b.ReportMetric(float64(b.N)/onLite.wall.Seconds(), "sqlite/s")
	b.ReportMetric(float64(onPG.cpu.Microseconds())/float64(b.N), "postgres-µs-cpu")
	b.ReportMetric(float64(atServer.Microseconds())/float64(b.N), "server-µs-cpu")
	b.ReportMetric(float64(onLite.cpu.Microseconds())/float64(b.N), "sqlite-µs-cpu")
	b.ReportMetric(0, "ns/op")
}

// spent is time on the wall and on this process's CPUs.
type spent struct{ wall, cpu time.Duration }

func (s *spent) add(b *testing.B, store preparer, part []turnout.Acceptance, callers int) {
	began, cpu := time.Now(), cpuTime(b)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(part); n = int(next.Add(1)) - 1 {
				if _, err := store.Accept(context.Background(), part[n]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	s.wall += time.Since(began)
	s.cpu += cpuTime(b) - cpu
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

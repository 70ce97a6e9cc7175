package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/groupcommit"
)

// BenchmarkAcceptBesideFloor takes registrations from many callers at once,
// beside the least that durable storage can cost here: the same writer, driver
// and settings inserting 600 random bytes into one table. Rounds of the two
// alternate, so that a noisy machine disturbs both alike. It reports
//
//	time/floor  wall clock of an accept over that of a floor insert
//	cpu/floor   the same in CPU time of the process
//	accepts/s   and floor/s, durable, on this machine and this disk
func BenchmarkAcceptBesideFloor(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchBeside(b, callers) })
	}
}

func benchBeside(b *testing.B, callers int) {
	s := openStore(b, filepath.Join(b.TempDir(), "turnout.db"))
	defer s.Close()
	prepare(b, s, 1<<40)
	f := openFloor(b, filepath.Join(b.TempDir(), "floor.db"))
	defer f.close()
	all := make([]turnout.Acceptance, b.N)
	for n := range all {
		all[n] = acceptance(n)
	}
	b.ResetTimer()
	const rounds = 10
	var accept, floor spent
	for round := range rounds {
		from, to := b.N*round/rounds, b.N*(round+1)/rounds
		accept.add(from, to, callers, func(n int) error {
			_, err := s.Accept(context.Background(), all[n])
			return err
		}, b)
		floor.add(from, to, callers, func(n int) error { return f.insert(all[n].Sealed) }, b)
	}
	b.ReportMetric(float64(accept.wall)/float64(floor.wall), "time/floor")
	b.ReportMetric(float64(accept.cpu)/float64(floor.cpu), "cpu/floor")
	b.ReportMetric(float64(b.N)/accept.wall.Seconds(), "accepts/s")
	b.ReportMetric(float64(b.N)/floor.wall.Seconds(), "floor/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAccept is Accept alone, for profiles.
func BenchmarkAccept(b *testing.B) {
	s := openStore(b, filepath.Join(b.TempDir(), "turnout.db"))
	defer s.Close()
	prepare(b, s, 1<<40)
	all := make([]turnout.Acceptance, b.N)
	for n := range all {
		all[n] = acceptance(n)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var took spent
	took.add(0, b.N, 256, func(n int) error {
		_, err := s.Accept(context.Background(), all[n])
		return err
	}, b)
}

// spent is time on the wall and on the CPUs.
type spent struct{ wall, cpu time.Duration }

func (s *spent) add(from, to, callers int, do func(n int) error, b *testing.B) {
	began, cpu := time.Now(), cpuTime(b)
	var next atomic.Int64
	next.Store(int64(from))
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < to; n = int(next.Add(1)) - 1 {
				if err := do(n); err != nil {
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

// floor is one table behind one writer.
type floor struct {
	db      *sql.DB
	session *session
	writer  *groupcommit.Writer[[]byte]
}

func openFloor(b *testing.B, path string) *floor {
	db, err := openDB(path, 1, false)
	if err != nil {
		b.Fatal(err)
	}
	session, err := openSession(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	f := &floor{db: db, session: session}
	if err := session.exec("CREATE TABLE floor (id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT"); err != nil {
		b.Fatal(err)
	}
	f.writer = groupcommit.New(f.commit, groupcommit.Options{})
	go f.writer.Run()
	return f
}

func (f *floor) commit(rows [][]byte) []error {
	errs := make([]error, len(rows))
	err := f.session.exec("BEGIN IMMEDIATE")
	for i := range rows {
		if err == nil {
			err = f.session.exec("INSERT INTO floor (content) VALUES (?)", rows[i])
		}
	}
	if err == nil {
		err = f.session.exec("COMMIT")
	}
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func (f *floor) insert(content []byte) error {
	return f.writer.Do(context.Background(), content)
}

func (f *floor) close() {
	f.writer.Close()
	_ = f.session.close()
	_ = f.db.Close()
}

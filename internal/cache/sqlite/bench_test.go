package sqlite

import (
	"crypto/rand"
	"encoding/binary"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

// benchLinks is how many links the benchmarks load; TURNOUT_BENCH_LINKS makes it fewer.
func benchLinks() int {
	if n, err := strconv.Atoi(os.Getenv("TURNOUT_BENCH_LINKS")); err == nil {
		return n
	}
	return 1_000_000
}

func benchID(n int) (id turnout.LinkID) {
	binary.BigEndian.PutUint64(id[:], (uint64(n)+1)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], (uint64(n)+7)*0xbf58476d1ce4e5b9)
	return id
}

// load fills c with n links whose Invite is of the usual size: 230 bytes, sealed 259.
func load(b *testing.B, c *Cache, n int) {
	b.Helper()
	chunk := make([]turnout.AttendeeLink, 0, chunkLinks)
	for i := range n {
		l := turnout.AttendeeLink{ID: benchID(i), Org: "acme", Event: "a0E5g000000AbCdEAK", Person: turnout.PersonID(benchID(i + n)),
			Sealed: make([]byte, 259), Changed: time.UnixMilli(1_800_000_000_000)}
		_, _ = rand.Read(l.Sealed)
		if chunk = append(chunk, l); len(chunk) == cap(chunk) || i == n-1 {
			if err := c.PutLinks(b.Context(), chunk); err != nil {
				b.Fatal(err)
			}
			chunk = chunk[:0]
		}
	}
}

func benchOpen(b *testing.B) *Cache {
	c, err := Open(b.Context(), Options{Path: filepath.Join(b.TempDir(), "cache.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}

// BenchmarkLoad reports links per second and bytes per link. Run it with
// -benchtime=1x: one round is a million links.
func BenchmarkLoad(b *testing.B) {
	n := benchLinks()
	for b.Loop() {
		c := benchOpen(b)
		start := time.Now()
		load(b, c, n)
		b.ReportMetric(float64(n)/time.Since(start).Seconds(), "links/s")
		if _, err := c.now.Load().write.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(c.path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/float64(n), "bytes/link")
	}
}

// BenchmarkLink reads random links out of a million.
func BenchmarkLink(b *testing.B) {
	n, c := benchLinks(), benchOpen(b)
	load(b, c, n)
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Link(b.Context(), "acme", benchID(mrand.IntN(n))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := c.Link(b.Context(), "acme", benchID(mrand.IntN(n))); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			if got, err := c.CountLinks(b.Context(), "acme"); err != nil || got != n {
				b.Fatal(got, err)
			}
		}
	})
}

package sqlite

import (
	"database/sql"
	"encoding/binary"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

func linkOf(n int) turnout.LinkID { return turnout.LinkID{byte(n), byte(n >> 8), 1} }

func acceptThrough(t testing.TB, s *Store, n int) {
	t.Helper()
	a := acceptance(n)
	a.Link = linkOf(n)
	if _, err := s.Accept(t.Context(), a); err != nil {
		t.Fatalf("accept %d: %v", n, err)
	}
}

func hasAnswer(t testing.TB, s *Store, n int) bool {
	t.Helper()
	r, ok, err := s.LinkRegistration(t.Context(), acme, linkOf(n))
	if err != nil {
		t.Fatal(err)
	}
	if ok && r.Key != acceptance(n).Key {
		t.Errorf("link %d has the registration %s", n, r.Key)
	}
	return ok
}

// certain reports whether it is known without a query that a link has no answer.
func certain(t testing.TB, s *Store, n int) bool {
	t.Helper()
	num, err := s.orgNumber(t.Context(), acme)
	if err != nil {
		t.Fatal(err)
	}
	return !s.mayBeAnswered(t.Context(), num, linkOf(n))
}

// twoStores are as two instances have them.
func twoStores(t testing.TB) (one, two *Store) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "turnout.db")
	one, two = openStore(t, path), openStore(t, path)
	t.Cleanup(func() { one.Close(); two.Close() })
	prepare(t, one, turnout.Unlimited)
	return one, two
}

// TestAnsweredSeesOtherProcesses: what another one accepted is seen by the next
// read, though the last one needed no query.
func TestAnsweredSeesOtherProcesses(t *testing.T) {
	one, two := twoStores(t)
	for n := range 200 {
		for _, s := range []*Store{one, two} {
			if hasAnswer(t, s, n) {
				t.Fatalf("link %d has an answer before there is one", n)
			}
			if !certain(t, s, n) {
				t.Fatalf("link %d needs a query, though nothing was written", n)
			}
		}
		acceptThrough(t, one, n)
		for _, s := range []*Store{two, one} {
			if !hasAnswer(t, s, n) || certain(t, s, n) {
				t.Fatalf("link %d was answered and is not seen", n)
			}
		}
	}
}

// TestAnsweredWhileManyAccept: whoever was told that they are accepted is seen at
// once by all, whoever else writes meanwhile.
func TestAnsweredWhileManyAccept(t *testing.T) {
	one, two := twoStores(t)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			writer, reader := one, two
			if worker%2 == 1 {
				writer, reader = two, one
			}
			for i := range 60 {
				n := worker*1000 + i
				if hasAnswer(t, reader, n) || hasAnswer(t, writer, n) {
					t.Errorf("link %d has an answer before there is one", n)
				}
				a := acceptance(n)
				a.Link = linkOf(n)
				if _, err := writer.Accept(t.Context(), a); err != nil {
					t.Errorf("accept %d: %v", n, err)
				}
				if !hasAnswer(t, reader, n) || !hasAnswer(t, writer, n) {
					t.Errorf("link %d was answered and is not seen", n)
				}
			}
		})
	}
	all.Wait()
}

// TestAnsweredBegins in a store that has many, page by page, and is right at
// every moment.
func TestAnsweredBegins(t *testing.T) {
	const n = 2*answeredPage + 10
	path := filepath.Join(t.TempDir(), "turnout.db")
	one := openStore(t, path)
	prepare(t, one, turnout.Unlimited)
	var all sync.WaitGroup
	for part := range 8 {
		all.Go(func() {
			for i := part; i < n; i += 8 {
				a := acceptance(i)
				if i%2 == 0 {
					a.Link = linkOf(i)
				}
				if _, err := one.Accept(t.Context(), a); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	two := openStore(t, path)
	defer two.Close()
	queries := 0
	for i := range n {
		if !certain(t, two, i) {
			queries++
		}
		if got := hasAnswer(t, two, i); got != (i%2 == 0) {
			t.Fatalf("link %d: %v", i, got)
		}
	}
	if queries < n/2 || queries > n/2+5 {
		t.Errorf("%d of %d links needed a query", queries, n)
	}
	if _, err := two.Forget(t.Context(), acme, dataKey(0).Person, start); err != nil {
		t.Fatal(err)
	}
	if hasAnswer(t, two, 0) {
		t.Error("the registration of somebody who was forgotten is found")
	}
}

// TestAnsweredAfterClose: a closed store says so, and knows nothing.
func TestAnsweredAfterClose(t *testing.T) {
	one, _ := twoStores(t)
	if hasAnswer(t, one, 1) {
		t.Error("an answer")
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := one.LinkRegistration(t.Context(), acme, linkOf(1)); turnout.CodeOf(err) != turnout.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}

// TestAnsweredWithoutSharedMemory asks each time.
func TestAnsweredWithoutSharedMemory(t *testing.T) {
	one, _ := twoStores(t)
	one.hot.answered.shm = -1
	acceptThrough(t, one, 1)
	if certain(t, one, 2) || hasAnswer(t, one, 2) || !hasAnswer(t, one, 1) {
		t.Error("it is wrong without the shared memory")
	}
}

// FuzzAnsweredHeader: a header that is not SQLite's, or is being written, is not
// believed.
func FuzzAnsweredHeader(f *testing.F) {
	f.Add(make([]byte, 96))
	f.Add([]byte{})
	torn := binary.NativeEndian.AppendUint32(nil, walVersion)
	torn = append(torn, 0, 0, 0, 0, 0, 0, 0, 0, 1) // isInit in the first copy alone
	f.Add(append(torn, make([]byte, 96)...))
	f.Fuzz(func(t *testing.T, foreign []byte) {
		if h, ok := soundHeader(foreign); ok && (len(foreign) < len(h) || string(h[:48]) != string(foreign[48:96]) || h[12] != 1) {
			t.Errorf("%x is taken for a header", foreign)
		}
	})
}

func BenchmarkUnansweredLink(b *testing.B) {
	one, _ := twoStores(b)
	for i := range 1000 {
		acceptThrough(b, one, i)
	}
	for name, shm := range map[string]int{"known": one.hot.answered.shm, "asked": -1} {
		b.Run(name, func(b *testing.B) {
			one.hot.answered.shm = shm
			for i := 0; b.Loop(); i++ {
				if hasAnswer(b, one, 1000+i%10_000) {
					b.Fatal("an answer")
				}
			}
		})
	}
}

// TestAnsweredWaitsForNobody: while one visitor's read does not come back, others are
// answered by the query.
func TestAnsweredWaitsForNobody(t *testing.T) {
	one, _ := twoStores(t)
	if hasAnswer(t, one, 1) || !certain(t, one, 1) {
		t.Fatal("link 1 has an answer before there is one")
	}
	num, err := one.orgNumber(t.Context(), acme)
	if err != nil {
		t.Fatal(err)
	}
	acceptThrough(t, one, 2)
	var taken []*sql.Conn
	for range readers {
		c, err := one.reads.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, c)
	}
	waits := one.reads.Stats().WaitCount
	stuck, others := make(chan bool, 1), make(chan bool, 1)
	go func() { stuck <- one.mayBeAnswered(t.Context(), num, linkOf(1)) }()
	for one.reads.Stats().WaitCount == waits {
		runtime.Gosched()
	}
	go func() { others <- one.mayBeAnswered(t.Context(), num, linkOf(1)) }()
	select {
	case may := <-others:
		if !may {
			t.Error("what was not read yet is taken for read")
		}
	case <-time.After(10 * time.Second):
		t.Error("a visitor waits for another one's read")
	}
	for _, c := range taken {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if <-stuck {
		t.Error("link 1 may be answered, though everything was read")
	}
	if !certain(t, one, 1) || certain(t, one, 2) {
		t.Error("what was accepted is not known afterwards")
	}
}

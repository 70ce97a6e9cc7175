package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/store/pgtest"
)

// crowd registers through several stores. Whoever is told that the outcome is
// unknown, or to try again, sends the same key until there is an answer.
type crowd struct {
	t      *testing.T
	stores []*Store
	stop   chan struct{}
	all    sync.WaitGroup

	next, acknowledged, unknown, away atomic.Int64
}

// gather lets n clients a store register until disperse.
func gather(t *testing.T, n int, stores ...*Store) *crowd {
	t.Helper()
	c := &crowd{t: t, stores: stores, stop: make(chan struct{})}
	for i := range n * len(stores) {
		c.all.Go(func() { c.client(stores[i%len(stores)]) })
	}
	return c
}

func (c *crowd) client(s *Store) {
	for {
		select {
		case <-c.stop:
			return
		default:
		}
		a := submitted(int(c.next.Add(1)))
		for !c.register(s, a) {
			<-time.After(20 * time.Millisecond)
		}
	}
}

// register hands a submission in once, and tells whether it was answered.
func (c *crowd) register(s *Store, a turnout.Acceptance) bool {
	_, err := s.Accept(context.Background(), a)
	switch turnout.CodeOf(err) {
	case "":
		c.acknowledged.Add(1)
		return true
	case turnout.CodeUnknown:
		c.unknown.Add(1)
	case turnout.CodeUnavailable:
		c.away.Add(1)
	default:
		c.t.Errorf("%s: %v", a.Key, err)
		return true
	}
	return false
}

// until waits for a count to grow by n.
func (c *crowd) until(count *atomic.Int64, n int64, what string) {
	c.t.Helper()
	late := time.After(time.Minute)
	for from := count.Load(); count.Load() < from+n; {
		select {
		case <-late:
			c.t.Fatalf("%d %s were not seen within a minute", n, what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// disperse ends the crowd and holds the store to what it answered: every
// submission is there once (P1), and so is every seat (P2).
func (c *crowd) disperse() {
	c.t.Helper()
	close(c.stop)
	c.all.Wait()
	s := c.stores[0]
	c.t.Logf("%d acknowledged, %d told that it is unknown, %d told to try again", c.acknowledged.Load(), c.unknown.Load(), c.away.Load())
	want := int(c.next.Load())
	if got := int(c.acknowledged.Load()); got != want {
		c.t.Errorf("%d of %d were acknowledged", got, want)
	}
	if n := count(c.t, s, "SELECT count(*) FROM registrations"); n != want {
		c.t.Errorf("P1: %d registrations are there, %d were acknowledged", n, want)
	}
	if n := count(c.t, s, "SELECT taken FROM seats WHERE pool = 'event'"); n != want {
		c.t.Errorf("P2: %d seats are taken by %d registrations", n, want)
	}
}

// pair is a server and its synchronous standby, until the test ends.
func pair(t *testing.T) (primary, standby *pgtest.Cluster) {
	t.Helper()
	primary = pgtest.New(t)
	standby, err := primary.Standby(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = standby.Stop(context.Background()) })
	return primary, standby
}

// openAll opens n handles on a store, as n instances do.
func openAll(t *testing.T, url string, n int) (all []*Store) {
	t.Helper()
	for range n {
		s := openStore(t, url)
		t.Cleanup(func() { s.Close() })
		all = append(all, s)
	}
	prepare(t, all[0], 1<<30)
	return all
}

// kill -9 of PostgreSQL under load, twice: what was acknowledged is there (P1),
// seats are exact (P2), everybody is answered, and the stores go on by themselves.
func TestP1KilledServerLosesNothing(t *testing.T) {
	c := pgtest.New(t)
	load := gather(t, 25, openAll(t, c.URL(), 2)...)
	for range 2 {
		load.until(&load.acknowledged, 500, "acknowledgements")
		if err := c.Kill(); err != nil {
			t.Fatal(err)
		}
		load.until(&load.away, 20, "refusals while it is away")
		if err := c.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	load.until(&load.acknowledged, 500, "acknowledgements")
	load.disperse()
}

// Fail over to a synchronous standby under load: the primary is killed, the
// standby promoted, and nobody's URL changes.
func TestP1FailoverLosesNothing(t *testing.T) {
	primary, standby := pair(t)
	load := gather(t, 25, openAll(t, pgtest.URL(primary, standby), 2)...)
	load.until(&load.acknowledged, 500, "acknowledgements")
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	load.until(&load.away, 20, "refusals while there is no primary")
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	load.until(&load.acknowledged, 500, "acknowledgements by the new primary")
	load.disperse()
}

// Under a synchronous standby a commit is answered once the standby has it: with
// the standby stopped nobody is told yes, and nobody waits for ever.
func TestP1NobodyIsToldYesWithoutTheStandby(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for as long as the store does")
	}
	t.Parallel()
	primary, standby := pair(t)
	s := openAll(t, pgtest.URL(primary, standby), 1)[0]
	if err := standby.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(t.Context(), submitted(1)); turnout.CodeOf(err) != turnout.CodeUnknown {
		t.Errorf("got %v, want an unknown outcome", err)
	}
	if err := standby.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(t.Context(), submitted(1)); err != nil {
		t.Errorf("the same key, with the standby back: %v", err)
	}
}

// A primary of before the failover that comes back, first in everybody's URL, is
// not taken for the store by those who have seen the new one.
func TestP1OldPrimaryIsNotGoneBackTo(t *testing.T) {
	primary, standby := pair(t)
	s := openAll(t, pgtest.URL(primary, standby), 1)[0]
	if _, err := s.Accept(t.Context(), submitted(1)); err != nil {
		t.Fatal(err)
	}
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	load := gather(t, 1, s)
	load.until(&load.acknowledged, 10, "acknowledgements by the new primary")
	close(load.stop)
	load.all.Wait()
	if err := primary.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"} {
		if err := primary.SQL(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	// Everybody has to connect anew.
	if err := standby.SQL(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'turnout'"); err != nil {
		t.Fatal(err)
	}
	const n = 1_000_000
	for again := true; again; {
		_, err := s.Accept(t.Context(), submitted(n))
		again = turnout.CodeOf(err) == turnout.CodeUnknown
		if err != nil && !again {
			t.Fatal(err)
		}
	}
	there := func(c *pgtest.Cluster) int {
		var n int
		if err := dial(t, c.URL()).QueryRow(t.Context(), "SELECT count(*) FROM registrations WHERE key = $1", string(submitted(1_000_000).Key)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if there(standby) != 1 || there(primary) != 0 {
		t.Errorf("P1: %d are on the new primary, %d on the old one", there(standby), there(primary))
	}
}

// A server that is stopped, and does not even refuse, keeps nobody for ever; when
// it goes on, so does the store, and the same key is one registration.
func TestSilentServerIsGivenUp(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for as long as the store does")
	}
	t.Parallel()
	c := pgtest.New(t)
	s := openAll(t, c.URL(), 1)[0]
	if _, err := s.Accept(t.Context(), submitted(1)); err != nil {
		t.Fatal(err)
	}
	if err := c.Pause(); err != nil {
		t.Fatal(err)
	}
	answers := make(chan error, 2)
	go func() {
		_, err := s.Accept(context.Background(), submitted(2))
		answers <- err
	}()
	go func() {
		_, err := s.Registration(context.Background(), acme, submitted(1).Key)
		answers <- err
	}()
	for range 2 {
		if err := <-answers; turnout.CodeOf(err) != turnout.CodeUnavailable && turnout.CodeOf(err) != turnout.CodeUnknown {
			t.Errorf("got %v", err)
		}
	}
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	load := &crowd{t: t, stores: []*Store{s}}
	for !load.register(s, submitted(2)) {
		<-time.After(50 * time.Millisecond)
	}
	if n := count(t, s, "SELECT count(*) FROM registrations"); n != 2 {
		t.Errorf("%d registrations, want 2", n)
	}
}

package postgres

import (
	"context"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/store/pgtest"
	"github.com/turnout-events/turnout/internal/wiretest"
)

// wired is the URL of a store on a socket of this machine, by a wire of its own.
func wired(t *testing.T, at string) (string, *wiretest.Wire) {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	w, err := wiretest.Listen(t.Context(), "127.0.0.1:0", "unix", filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return rerouted(t, at, w.Address()), w
}

// rerouted is the URL of the store at another address of this machine.
func rerouted(t *testing.T, at, address string) string {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Del("host")
	q.Set("sslmode", "disable")
	u.Host, u.RawQuery = address, q.Encode()
	return u.String()
}

// Readers whose idle connections have all fallen silent find that out at once, and
// all together: whoever waits for an answer waits once, and not for each of them.
// Nor does the store's end wait for them.
func TestSilentConnectionsAreFoundOut(t *testing.T) {
	t.Parallel()
	at, w := wired(t, pgtest.New(t).URL())
	s := openStore(t, at)
	prepare(t, s, 100)
	var all sync.WaitGroup
	for range asides {
		all.Go(func() { count(t, s, "SELECT count(*) FROM pg_sleep(0.1)") })
	}
	all.Wait()
	if n := s.pool.Stat().IdleConns(); n != asides {
		t.Fatalf("%d idle connections", n)
	}
	<-time.After(idle + 100*time.Millisecond)
	w.Cut()
	ctx, cancel := context.WithTimeout(t.Context(), 2*goodFor)
	defer cancel()
	if _, err := s.Orgs(ctx); err != nil {
		t.Errorf("a reader after the silence: %v", err)
	}
	w.Cut()
	over := make(chan struct{})
	go func() { s.Close(); close(over) }()
	select {
	case <-over:
	case <-time.After(30 * time.Second):
		t.Error("the store does not end")
	}
}

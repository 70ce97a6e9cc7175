//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/store/pgtest"
)

// mover is people who register while their store moves: each again and again, by
// the same key, until the answer is clear.
type mover struct {
	d               *demo
	acknowledged    sync.Map
	accepted, again atomic.Int64
}

func (m *mover) register(key string) {
	for range 600 {
		r, err := m.d.register("moving", key, nil)
		switch {
		case err == nil && r.status < 300:
			m.acknowledged.Store(key, true)
			m.accepted.Add(1)
			return
		case err == nil && r.status != http.StatusServiceUnavailable:
			m.d.t.Errorf("%s: %d %s", key, r.status, r.body)
			return
		}
		m.again.Add(1)
		pass(100 * time.Millisecond)
	}
	m.d.t.Errorf("%s: no clear answer in a minute", key)
}

// more waits until a count has become greater by n.
func (m *mover) more(what string, count *atomic.Int64, n int64) {
	m.d.t.Helper()
	least := count.Load() + n
	m.d.within(time.Minute, what, func() bool { return count.Load() >= least })
}

// P1: outgrowing one machine. The store is copied to PostgreSQL while people
// register, and moved: pages go on, whoever registers in between is told to try
// again, and does; in the end Salesforce has everybody once. Then it is copied back.
func TestP1StoreMovesUnderLoad(t *testing.T) {
	server, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	f := startFilling(t, 10)
	f.serve()
	id := f.publish("moving", -1, nil)
	f.within(time.Minute, "the event, by a poll", func() bool { return f.get("/events/moving").status == http.StatusOK })
	m, stop := &mover{d: f.demo}, make(chan struct{})
	var clients sync.WaitGroup
	for c := range 6 {
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					m.register(fmt.Sprintf("moving-%d-%d", c, i))
					pass(5 * time.Millisecond)
				}
			}
		})
	}
	data := filepath.Join(f.dir, "data")
	embedded := filepath.Join(data, "store.db")
	equal := func(from, to string, more ...string) {
		t.Helper()
		out := command(t, data, append([]string{"store", "copy", "--from", from, "--to", to}, more...)...)
		if !strings.Contains(out, "SHA-256 OF BOTH") {
			t.Errorf("the copy to %s does not end equal:\n%s", to, out)
		}
	}
	m.more("registrations before", &m.accepted, 100)
	equal(embedded, server.URL())
	m.more("registrations beside a copy", &m.accepted, 50)
	equal(embedded, server.URL(), "--finish")
	m.more("people who are told to try again", &m.again, 6)
	if r := f.get("/events/moving"); r.status != http.StatusOK {
		t.Errorf("a page while the store moves: %d", r.status)
	}
	if err := f.instance.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = f.instance.Wait()
	t.Setenv("TURNOUT_STORE", server.URL())
	f.serve()
	m.more("registrations after", &m.accepted, 100)
	close(stop)
	clients.Wait()
	t.Logf("%d acknowledged, %d times somebody was told to try again", m.accepted.Load(), m.again.Load())
	f.allArrive(id, "moving", &m.acknowledged, math.MaxInt)
	equal(server.URL(), filepath.Join(f.dir, "back", "store.db"))
}

//go:build e2e

package e2e

import (
	"context"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/store/pgtest"
)

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
	m, stop := &shoppers{t: t, slug: "moving", send: func(slug, key string) (reply, error) { return f.register(slug, key, nil) }}, make(chan struct{})
	clients := m.comeUntil(stop, 3)
	data := filepath.Join(f.dir, "data")
	embedded := filepath.Join(data, "store.db")
	equal := func(from, to string, more ...string) {
		t.Helper()
		out := command(t, data, append([]string{"store", "copy", "--from", from, "--to", to}, more...)...)
		if !strings.Contains(out, "SHA-256 OF BOTH") {
			t.Errorf("the copy to %s does not end equal:\n%s", to, out)
		}
	}
	grow(f.demo, &m.accepted, 100)
	equal(embedded, server.URL())
	grow(f.demo, &m.accepted, 50)
	equal(embedded, server.URL(), "--finish")
	grow(f.demo, &m.again, 6)
	if r := f.get("/events/moving"); r.status != http.StatusOK {
		t.Errorf("a page while the store moves: %d", r.status)
	}
	if err := f.instance.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = f.instance.Wait()
	t.Setenv("TURNOUT_STORE", server.URL())
	f.serve()
	grow(f.demo, &m.accepted, 100)
	close(stop)
	clients.Wait()
	t.Logf("%d acknowledged, %d times somebody was told to try again", m.accepted.Load(), m.again.Load())
	f.allArrive(id, "moving", &m.acknowledged, math.MaxInt)
	equal(server.URL(), filepath.Join(f.dir, "back", "store.db"))
}

package domains

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func by(c *clock) func(*Options) { return func(o *Options) { o.now = c.now } }

func refusing(problem error) func(context.Context, *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	return func(context.Context, *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
		return nil, fmt.Errorf("order: %w", problem)
	}
}

var unreachable = acme.Problem{Type: acme.ProblemTypeConnection, Status: 400, Detail: "nobody listens there"}

func TestAFailedOrderRestsItsHost(t *testing.T) {
	storage, ca, c := newMemory(t), newAuthority(t), newClock()
	d := ca.with(t, storage, everybody, by(c))
	other := ca.with(t, storage, everybody, by(c)) // another edge
	ca.answer = refusing(unreachable)
	want := int64(0)
	for _, pause := range []time.Duration{5 * time.Minute, 15 * time.Minute, 45 * time.Minute, time.Hour, time.Hour} {
		want++
		for i := range 10 {
			edge := []*Domains{d, other}[i%2]
			if _, err := shake(t, edge, to("broken.example", ca.roots())); err == nil {
				t.Fatal("a certificate came from nowhere")
			}
		}
		c.pass(pause - time.Second)
		for _, edge := range []*Domains{d, other} {
			_, _ = shake(t, edge, to("broken.example", ca.roots()))
		}
		if n := ca.orders.Load(); n != want {
			t.Fatalf("%d orders before %v are over, want %d", n, pause, want)
		}
		c.pass(time.Second)
	}
	ca.answer = nil
	expect(t, other, "broken.example", ca.roots())
	expect(t, d, "broken.example", ca.roots())
	if n := ca.orders.Load(); n != want+1 {
		t.Errorf("%d orders, want %d", n, want+1)
	}
	if _, err := storage.Storage.Load(t.Context(), restFile("broken.example")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the rest is not forgotten: %v", err)
	}
}

func TestARestOutlivesARestartAndIsReadOnce(t *testing.T) {
	storage, ca, c := newMemory(t), newAuthority(t), newClock()
	ca.answer = refusing(unreachable)
	first := ca.with(t, storage, everybody, by(c))
	_, _ = shake(t, first, to("broken.example", ca.roots()))
	again := ca.with(t, storage, everybody, by(c))
	for i := range 3 {
		before := storage.calls.Load()
		if _, err := shake(t, again, to("broken.example", ca.roots())); err == nil {
			t.Fatal("a certificate came from nowhere")
		}
		if i == 2 && storage.calls.Load() != before {
			t.Errorf("%d calls to the storage for a host that is known to rest", storage.calls.Load()-before)
		}
	}
	if n := ca.orders.Load(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

func TestHowLongAHostRests(t *testing.T) {
	now := newClock().now()
	limited := acme.Problem{Type: acme.ProblemTypeRateLimited, Status: 429}
	for _, c := range []struct {
		name    string
		before  int
		err     error
		pause   time.Duration
		refused int
	}{
		{"first refusal", 0, unreachable, 5 * time.Minute, 1},
		{"wrapped", 0, fmt.Errorf("x: %w", unreachable), 5 * time.Minute, 1},
		{"second", 1, unreachable, 15 * time.Minute, 2},
		{"third", 2, unreachable, 45 * time.Minute, 3},
		{"fourth", 3, unreachable, time.Hour, 4},
		{"thousandth", 999, unreachable, time.Hour, 1000},
		{"rate limited", 0, limited, time.Hour, 1},
		{"the CA is away", 0, errors.New("connection refused"), time.Minute, 0},
		{"the CA is away after refusals", 3, context.DeadlineExceeded, time.Minute, 3},
	} {
		got := rest{Refused: c.before}.after(c.err, now)
		if got.Until != now.Add(c.pause) || got.Refused != c.refused {
			t.Errorf("%s: %v, %d refused; want %v, %d", c.name, got.Until.Sub(now), got.Refused, c.pause, c.refused)
		}
	}
}

func TestRestsInMemoryAreBounded(t *testing.T) {
	c := newClock()
	r := newRests(newMemory(t), c.now)
	for i := range remembered {
		r.meet(fmt.Sprint("early", i), rest{Until: c.now().Add(time.Minute)})
	}
	c.pass(time.Minute)
	for i := range remembered + 100 {
		r.meet(fmt.Sprint("late", i), rest{Until: c.now().Add(time.Minute)})
		if len(r.near) > remembered {
			t.Fatalf("%d rests in memory", len(r.near))
		}
	}
	if _, ok := r.met(fmt.Sprint("late", remembered+99)); !ok {
		t.Error("the last one is not in memory")
	}
	if _, ok := r.met("early0"); ok {
		t.Error("one that is over is met")
	}
}

// A renewal that fails keeps the certificate that is still good in use, and
// handshakes meanwhile ask neither CA nor storage.
func TestAFailedRenewalServesWhatIsGood(t *testing.T) {
	storage, ca, c := newMemory(t), newAuthority(t), newClock()
	d := ca.with(t, storage, everybody, by(c))
	ca.answer = func(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
		if ca.orders.Load() > 1 {
			return nil, unreachable
		}
		return ca.sign(csr, time.Now().Add(-leafLife), time.Now().Add(24*time.Hour)) // due for renewal
	}
	old := expect(t, d, "old.example", ca.roots())
	expect(t, d, "old.example", ca.roots())
	for !d.resting("old.example") { // certmagic renews beside the handshake
		<-time.After(time.Millisecond)
	}
	again := ca.with(t, storage, everybody, by(c))
	again.orders.rests.meet("old.example", rest{Until: c.now().Add(time.Hour)})
	for _, edge := range []*Domains{d, again} {
		expect(t, edge, "old.example", ca.roots())
		calls := storage.calls.Load()
		for range 5 {
			if got := expect(t, edge, "old.example", ca.roots()); !got.Equal(old) {
				t.Fatal("another certificate")
			}
		}
		if n := storage.calls.Load() - calls; edge == again && n != 0 {
			t.Errorf("%d calls to the storage while the host rests", n)
		}
	}
	if n := ca.orders.Load(); n != 2 {
		t.Errorf("%d orders, want the first and one renewal", n)
	}
}

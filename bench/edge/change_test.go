package edge

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"
)

// upheaval changes what a proxy stands before while its visitors read and submit.
type upheaval struct {
	name string
	do   func(b *testing.B, h *house, x *proxy)
	// lasts is for how long a session goes on, 0 for ever.
	lasts time.Duration
}

func upheavals() []upheaval {
	return []upheaval{
		{"the addition of an instance", grow, 0},
		{fmt.Sprintf("%d changes of the configuration", *changes), retouch, 0},
		{"a restart of each instance under its drain of 3 s", roll, 0},
		{"the same with sessions that last 2 s", roll, 2 * time.Second},
	}
}

// grow adds an instance.
func grow(_ *testing.B, h *house, x *proxy) {
	h.add(h.all[0].like())
	x.change(h.plan())
	pass(4 * time.Second)
}

// like are settings for another one of the kind.
func (m *member) like() instanceSettings {
	s := m.instanceSettings
	s.Generation = 0
	return s
}

// retouch changes a limit that nobody reaches, again and again. The edge looks
// at its file four times a second.
func retouch(_ *testing.B, h *house, x *proxy) {
	p := h.plan()
	for range *changes {
		p.serial++
		x.change(p)
		pass(300 * time.Millisecond)
	}
	pass(time.Second)
}

// roll restarts one instance after the other, each as soon as the one before is back.
func roll(_ *testing.B, h *house, _ *proxy) {
	for _, m := range h.all {
		h.ill.begin(m.who())
		m.signal(syscall.SIGTERM)
		m.within(m.Drain + 10*time.Second)
		pass(200 * time.Millisecond)
		h.start(m)
		pass(1500 * time.Millisecond)
	}
}

// BenchmarkChange: what visitors notice of changes that operators make.
func BenchmarkChange(b *testing.B) {
	for b.Loop() {
		for _, u := range upheavals() {
			compareChange(b, u)
		}
	}
}

func compareChange(b *testing.B, u upheaval) {
	const visitors = 200
	t := newTable(fmt.Sprintf("During %s, %d sessions", u.name, visitors), "", "requests", "lost", "longest wait", "sessions moved", "needlessly", "most of one session", "connections", "opened again")
	for _, k := range peers(b, nameEdge, nameHAProxy, nameNginx) {
		func() {
			like := usual()
			like.Drain = 3 * time.Second
			h := newHouse(b, 3, like)
			defer h.end()
			x := k.run(b, h.plan())
			defer x.end()
			c := assemble(&crowd{addr: x.addr, think: thinking, lasts: u.lasts, ill: h.ill}, visitors)
			pass(2 * time.Second)
			lost := int64(0)
			_, _ = c.mark(&lost)
			opened, asked := c.dials.Load(), c.reads.Load()+c.sent.Load()
			u.do(b, h, x)
			c.disperse()
			gone, longest := c.mark(&lost)
			t.row(k.name, c.reads.Load()+c.sent.Load()-asked, gone, longest, c.moved.Load(), c.needless.Load(), c.most.Load(), opened, c.dials.Load()-opened)
			for f, n := range c.faults {
				b.Logf("%s: %d × %s", k.name, n, f)
			}
		}()
	}
	t.report(b)
}

// BenchmarkStart: how long an edge takes from exec to the first answer over TLS,
// certificate made on demand included, and to refuse a name that it does not know.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		t := newTable("An edge starts", "hosts", "first answer over TLS, median", "worst", "unknown name refused, median", "p99")
		for _, n := range []int{1, 10_000} {
			var first, refused []time.Duration
			for range *rounds {
				f, r := start(b, n)
				first, refused = append(first, f), append(refused, r...)
			}
			t.row(n, median(first), slices.Max(first), median(refused), part(refused, 0.99))
		}
		t.report(b)
	}
}

// start starts an edge with n hosts and asks for the last of them until it answers.
func start(b *testing.B, n int) (first time.Duration, refused []time.Duration) {
	h := newHouse(b, 1, instanceSettings{})
	defer h.end()
	p := h.plan()
	p.secure, p.hosts = true, n
	began := time.Now()
	x := startEdge(b, b.TempDir(), p)
	defer x.end()
	host := fmt.Sprintf("h%d.example", n-1)
	for time.Since(began) < time.Minute && !answers(x.addr, host) {
		pass(5 * time.Millisecond)
	}
	first = time.Since(began)
	for range 200 {
		asked := time.Now()
		c, err := tls.Dial("tcp", x.addr, tlsClient("nobody.example"))
		if err == nil {
			c.Close()
			b.Fatal("a name that nobody knows got a certificate")
		}
		refused = append(refused, time.Since(asked))
	}
	return first, refused
}

func answers(addr, host string) bool {
	c, err := tls.Dial("tcp", addr, tlsClient(host))
	if err != nil {
		return false
	}
	l := &line{head: "GET / HTTP/1.1\r\nHost: " + host + "\r\n", dial: func() (net.Conn, error) { return c, nil }}
	defer l.close()
	status, err := l.ask()
	return err == nil && status == 200
}

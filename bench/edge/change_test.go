package edge

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// upheaval changes what a proxy stands before while its visitors read and submit.
type upheaval struct {
	name string
	do   func(b *testing.B, h *house, x *proxy)
}

func upheavals() []upheaval {
	return []upheaval{
		{"the addition of an instance", grow},
		{fmt.Sprintf("%d changes of the configuration", *changes), retouch},
		{"a restart of each instance under its drain", roll},
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
			c := gather(x.addr, visitors, thinking, h.ill, nil)
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

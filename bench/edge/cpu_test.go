package edge

import (
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// BenchmarkCPU: the CPU time that a request costs each proxy and how many it
// serves, on each kind of connection, in front of a server that costs as little as
// can be, with sessions kept, limits on and never reached, and an access log.
func BenchmarkCPU(b *testing.B) {
	for _, w := range wires() {
		b.Run(w.short, func(b *testing.B) {
			for b.Loop() {
				measureCPU(b, w)
			}
		})
	}
}

// spent are a peer's rounds.
type spent struct{ rate, cpu []float64 } // requests/s, CPU µs a request

func measureCPU(b *testing.B, w wire) {
	addresses := []string{wiretest.FreeAddress(b), wiretest.FreeAddress(b), wiretest.FreeAddress(b)}
	p := plan{secure: w.secure}
	for i, addr := range addresses {
		p.upstreams = append(p.upstreams, upstream{name: "f" + string(rune('1'+i)), addr: addr})
	}
	behind := launchRole(b, "floor", addresses)
	defer behind.end()
	for _, addr := range addresses {
		awaitListener(b, addr)
	}
	all := peers(b, nameEdge, nameHAProxy, nameNginx, nameReverse)
	var run []*proxy
	for _, k := range all {
		x := k.run(b, p)
		defer x.end()
		w.run(x.addr, *clients, time.Second) // everybody knows everybody
		run = append(run, x)
	}
	figures := make([]spent, len(all))
	for range *rounds {
		for i, x := range run {
			before, began := x.cpu(b), time.Now()
			n, faults := w.run(x.addr, *clients, time.Duration(*seconds*float64(time.Second)))
			if faults > 0 {
				b.Errorf("%s: %d requests failed", all[i].name, faults)
			}
			f := &figures[i]
			f.rate = append(f.rate, float64(n)/time.Since(began).Seconds())
			f.cpu = append(f.cpu, float64((x.cpu(b)-before).Microseconds())/float64(max(1, n)))
		}
	}
	reportCPU(b, w, all, figures)
}

func reportCPU(b *testing.B, w wire, all []peer, figures []spent) {
	t := newTable(w.name+", medians of interleaved rounds; ratios are medians of each round's", "", "CPU a request, µs", "beside HAProxy", "requests/s", "beside HAProxy")
	beside := figures[0]
	for i, k := range all {
		if k.name == nameHAProxy {
			beside = figures[i]
		}
	}
	for i, k := range all {
		f := figures[i]
		t.row(k.name, median(f.cpu), against(f.cpu, beside.cpu), median(f.rate), against(f.rate, beside.rate))
	}
	t.report(b)
}

package domains

import (
	"crypto/tls"
	"fmt"
	"runtime"
	"testing"
)

// hello is a real client's, for a host.
func hello(b *testing.B, d *Domains, host string) *tls.ClientHelloInfo {
	b.Helper()
	got := make(chan *tls.ClientHelloInfo, 1)
	spy := &Domains{tls: d.tls.Clone()}
	spy.tls.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		got <- h
		return nil, nil
	}
	_, _ = shake(b, spy, &tls.Config{ServerName: host, InsecureSkipVerify: true})
	return <-got
}

// What a handshake costs beside its cryptography.
func BenchmarkCertificate(b *testing.B) {
	known := func(host string) bool { return host == "a.example" }
	d := newAuthority(b).with(b, newMemory(b), known)
	for _, host := range []string{"a.example", "nobody.example"} {
		h := hello(b, d, host)
		b.Run(host, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = d.certificate(h)
			}
		})
	}
}

func BenchmarkHandshake(b *testing.B) {
	ca := newAuthority(b)
	d := ca.with(b, newMemory(b), everybody)
	leaf, err := d.certificate(hello(b, d, "a.example"))
	if err != nil {
		b.Fatal(err)
	}
	plain := &Domains{tls: &tls.Config{Certificates: []tls.Certificate{*leaf}}}
	for name, d := range map[string]*Domains{"domains": d, "one certificate": plain} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := shake(b, d, to("a.example", ca.roots())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What a certificate takes of memory, and its first handshake of time.
func BenchmarkNewHosts(b *testing.B) {
	const hosts = 1000
	ca := newAuthority(b)
	for b.Loop() {
		d := ca.with(b, newMemory(b), everybody)
		h := hello(b, d, "a.example")
		before := heap()
		for i := range hosts {
			h.ServerName = fmt.Sprintf("n%d.example", i)
			if _, err := d.certificate(h); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(heap()-before)/hosts, "B/host")
		runtime.KeepAlive(d)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

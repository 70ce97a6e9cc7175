package edge

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// visitor is a request's client address, and whether it came by HTTPS. Proxies
// that are trusted are believed, the last word first: what stands before the
// first address that is not theirs anybody may have written.
func (e *Edge) visitor(r *http.Request) (client netip.Addr, https bool) {
	client, https = peer(r.RemoteAddr), r.TLS != nil
	if !e.trusted(client) {
		return client, https
	}
	if !https {
		https = r.Header.Get("X-Forwarded-Proto") == "https"
	}
	said := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	for said != "" {
		last := said
		said = ""
		if i := strings.LastIndexByte(last, ','); i >= 0 {
			said, last = last[:i], last[i+1:]
		}
		a, ok := forwarded(strings.TrimSpace(last))
		if !ok {
			break
		}
		client = a
		if !e.trusted(client) {
			break
		}
	}
	return client, https
}

// forwarded is an address as proxies write it: some add the port.
func forwarded(text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Unmap(), true
	}
	ap, err := netip.ParseAddrPort(text)
	return ap.Addr().Unmap(), err == nil
}

func peer(remote string) netip.Addr {
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().Unmap()
	}
	host, _, _ := net.SplitHostPort(remote)
	a, _ := netip.ParseAddr(host)
	return a.Unmap()
}

func (e *Edge) trusted(a netip.Addr) bool {
	for _, p := range e.o.Trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Package client tells who asks (Proxies), and bounds what an address may have of
// connections (Guard). Nobody whom the operator does not trust can say which address
// they are taken for. What is too much costs no handshake, and nothing of others.
package client

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are those before the edge, whose X-Forwarded-For and X-Forwarded-Proto
// are believed; nil means none.
type Proxies []netip.Prefix

// Of is a request's client address, and whether it came by HTTPS. Proxies
// that are trusted are believed, the last word first: what stands before the
// first address that is not theirs anybody may have written.
func (p Proxies) Of(r *http.Request) (client netip.Addr, https bool) {
	client, https = peer(r.RemoteAddr), r.TLS != nil
	if !p.trust(client) {
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
		if !p.trust(client) {
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

func (p Proxies) trust(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(of netip.Prefix) bool { return of.Contains(a) })
}

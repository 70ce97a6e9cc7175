// Package browse is what a generator of load sends requests with: sites that may
// be loaded, and browsers of visitors on them, which keep cookies, follow no
// redirect by themselves and read every answer whole.
package browse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
)

// A Guard decides which hosts may be sent load: those of this machine, and those
// that the operator has named a second time. It is asked before the run, and its
// Dial looks at every address that is connected to. The zero value allows this
// machine alone. Safe for concurrent use.
type Guard struct {
	// Owned are hosts that the operator says are their own, without ports.
	Owned []string
	// Resolver looks names up; nil means the system's.
	Resolver *net.Resolver
}

// ErrNotOwned is wrapped by errors about a host that may not be loaded.
var ErrNotOwned = errors.New("only this machine is loaded without being named twice")

// Check reads a URL and refuses one whose host may not be loaded. It may ask DNS.
func (g Guard) Check(ctx context.Context, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return nil, fmt.Errorf("%q: give a URL such as http://127.0.0.1:8080", raw)
	}
	host := hostOf(u)
	if g.owns(host) || isHere(host) {
		return u, nil
	}
	addresses, err := g.resolver().LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	if slices.ContainsFunc(addresses, func(a netip.Addr) bool { return !a.Unmap().IsLoopback() }) {
		return nil, fmt.Errorf("%s is not this machine: %w; if it is yours, add --i-own-this-host %s", host, ErrNotOwned, host)
	}
	return u, nil
}

func (g Guard) resolver() *net.Resolver {
	if g.Resolver == nil {
		return net.DefaultResolver
	}
	return g.Resolver
}

func (g Guard) owns(host string) bool {
	return slices.ContainsFunc(g.Owned, func(o string) bool { return strings.EqualFold(o, host) })
}

// Dial connects to addr, host:port, unless it is an address that may not be loaded:
// a name that pointed here before may point elsewhere now.
func (g Guard) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Resolver: g.Resolver}
	if !g.owns(host) {
		d.Control = onlyHere
	}
	if isLocalName(host) { // whatever DNS says of it (RFC 6761)
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	return d.DialContext(ctx, network, addr)
}

// onlyHere refuses addresses of other machines, just before connecting.
func onlyHere(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return ErrNotOwned
	}
	return nil
}

// isHere reports whether a host is this machine by its very name.
func isHere(host string) bool {
	a, err := netip.ParseAddr(host)
	return isLocalName(host) || err == nil && a.Unmap().IsLoopback()
}

func isLocalName(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func hostOf(u *url.URL) string { return strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) }

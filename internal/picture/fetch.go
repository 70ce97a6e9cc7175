// Package picture fetches pictures from addresses that somebody else chose, and makes
// them ready for pages: upright, in a few widths, as JPEG without anything else that was
// in the file.
package picture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Limits of what is fetched.
const (
	maxBytes = 20 << 20
	patience = 20 * time.Second
	hops     = 5
)

// Options of a Fetcher.
type Options struct {
	// Private allows addresses that are not public, and plain HTTP: for development, where
	// the picture's server is on this machine.
	Private bool
}

// Fetcher fetches pictures. Safe for concurrent use. An address that is not a public one
// is never connected to, whatever name leads there: whoever may name a picture is not to
// reach the operator's own network by it.
type Fetcher struct {
	o      Options
	client *http.Client
}

// NewFetcher makes a fetcher. It does no I/O.
func NewFetcher(o Options) *Fetcher {
	f := &Fetcher{o: o}
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: f.allow}
	f.client = &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConns: 4, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: f.follow,
	}
	return f
}

// allow refuses to connect to an address that is not public.
func (f *Fetcher) allow(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errors.New("its address cannot be read")
	}
	if !f.o.Private && !public(at.Addr()) {
		return errNotPublic
	}
	return nil
}

var errNotPublic = errors.New("its address is not a public one")

// shared is carriers' own address space (RFC 6598), benchmarks (RFC 2544), and what maps
// IPv4 into IPv6 (RFC 6052, RFC 3056), behind which any address may be.
var shared = []netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
}

// public reports whether an address is one that anybody on the Internet may have.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() {
		return false
	}
	for _, p := range shared {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

func (f *Fetcher) follow(r *http.Request, via []*http.Request) error {
	if len(via) >= hops {
		return errors.New("it is redirected too often")
	}
	return f.named(r.URL)
}

// named refuses an address that says more than where a picture is.
func (f *Fetcher) named(u *url.URL) error {
	if u.Scheme != "https" && (u.Scheme != "http" || !f.o.Private) || u.Host == "" {
		return errors.New("use an address that begins with https://")
	}
	if u.User != nil {
		return errors.New("use an address without a name and a password")
	}
	return nil
}

// Fetch reads the file at an address. Its errors say what is wrong in words for whoever
// named it, without the address, which may be somebody's secret.
func (f *Fetcher) Fetch(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("its address cannot be read")
	}
	if err := f.named(u); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("its address cannot be read")
	}
	r.Header.Set("Accept", "image/webp,image/png,image/jpeg,image/gif")
	r.Header.Set("User-Agent", "Turnout")
	resp, err := f.client.Do(r)
	if err != nil {
		return nil, said(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("its server answers %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBytes+1))
	switch {
	case err != nil:
		return nil, said(err)
	case len(body) > maxBytes:
		return nil, fmt.Errorf("it is larger than %d MB", maxBytes>>20)
	}
	return body, nil
}

// said is an error without the address that net/http puts into it.
func said(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		if u.Timeout() {
			return errors.New("its server does not answer in time")
		}
		err = u.Err
	}
	if errors.Is(err, errNotPublic) {
		return errNotPublic
	}
	if o := (*net.OpError)(nil); errors.As(err, &o) {
		return errors.New("its server cannot be reached")
	}
	if d := (*net.DNSError)(nil); errors.As(err, &d) {
		return errors.New("its server cannot be found")
	}
	return err
}

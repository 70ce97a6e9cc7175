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
	"slices"
	"syscall"
	"time"
)

// Limits of what is fetched.
const (
	maxBytes = 8 << 20
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
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true},
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

// special are addresses that are nobody's on the Internet, from the registries of IANA, and
// one at which Azure's machines find what is theirs. Of IPv6 only 2000::/3 is anybody's.
func special() []netip.Prefix {
	var all []netip.Prefix
	for _, p := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"240.0.0.0/4", "168.63.129.16/32", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

// public reports whether an address is one that anybody on the Internet may have.
func public(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !netip.MustParsePrefix("2000::/3").Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special(), func(p netip.Prefix) bool { return p.Contains(a) })
}

func (f *Fetcher) follow(r *http.Request, via []*http.Request) error {
	if len(via) >= hops {
		return errTooOften
	}
	r.Header.Del("Referer") // the address before may hold a secret
	return f.named(r.URL)
}

// named refuses an address that says more than where a picture is.
func (f *Fetcher) named(u *url.URL) error {
	if u.Scheme != "https" && (u.Scheme != "http" || !f.o.Private) || u.Host == "" {
		return errScheme
	}
	if port := u.Port(); port != "" && port != "443" && !f.o.Private {
		return errPort
	}
	if u.User != nil {
		return errUser
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

// said is what went wrong, without the address that net/http puts into its errors.
func said(err error) error {
	var timeout interface{ Timeout() bool }
	var dns *net.DNSError
	switch {
	case errors.Is(err, errNotPublic):
		return errNotPublic
	case errors.As(err, &dns) && dns.IsNotFound:
		return errors.New("its server cannot be found")
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("its server does not answer in time")
	}
	for _, ours := range []error{errTooOften, errScheme, errPort, errUser} {
		if errors.Is(err, ours) {
			return ours
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it breaks off")
	}
	return errors.New("its server cannot be reached")
}

// What is wrong with an address, or one that it leads to.
var (
	errTooOften = errors.New("it is redirected too often")
	errScheme   = errors.New("use an address that begins with https://")
	errPort     = errors.New("use an address without a port")
	errUser     = errors.New("use an address without a name and a password")
)

package domains

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
)

var (
	errUnknown = errors.New("no host of the org table")
	errCrowded = errors.New("too many wait for certificates")
)

// suites of TLS 1.2: forward secrecy and AEAD. Those of TLS 1.3 are all so.
func suites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// TLSConfig is for the TLS listener, the same at each call. It must not be changed.
func (d *Domains) TLSConfig() *tls.Config { return d.tls }

func (d *Domains) tlsConfig() *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, CipherSuites: suites(), GetCertificate: d.certificate,
		NextProtos: []string{"h2", "http/1.1", acmez.ACMETLS1Protocol},
	}
	// A ticket of an earlier session would get round GetCertificate. Without
	// tickets the handshake is a full one, and is refused there.
	strict := c.Clone()
	strict.SessionTicketsDisabled = true
	lax := c.Clone()
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if d.serves(hello) {
			return taking(hello, lax)
		}
		return taking(hello, strict)
	}
	return c
}

// serves tells whether a handshake is for a host of ours.
func (d *Domains) serves(hello *tls.ClientHelloInfo) bool {
	host := strings.ToLower(hello.ServerName)
	if d.local != nil && loopback(hello, host) {
		return true
	}
	if _, err := netip.ParseAddr(host); host == "" || err == nil {
		return false
	}
	return d.o.Known(host)
}

// certificate is tls.Config's GetCertificate. Neither certificate nor error
// becomes the alert "unrecognized name".
func (d *Domains) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host := strings.ToLower(hello.ServerName)
	switch {
	case !d.serves(hello):
		return nil, nil
	case d.local != nil && loopback(hello, host):
		return d.local.ofLoopback(host)
	case challenges(hello):
		patient(hello)
		return d.magic.GetCertificate(hello)
	case d.resting(host):
		patient(hello)
		return d.meanwhile(hello.Context(), host)
	}
	defer d.inside.Add(-1)
	inside, atHand := d.inside.Add(1), d.atHand(host)
	if inside > crowd && !atHand {
		return nil, errCrowded
	}
	if !atHand {
		patient(hello)
	}
	// Whoever came first may hang up: the order goes on for the others.
	cert, err := d.magic.GetCertificateWithContext(context.WithoutCancel(hello.Context()), hello)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", host, err)
	}
	return cert, nil
}

// atHand tells whether a certificate of host is in memory and good, so that nothing
// is waited for.
func (d *Domains) atHand(host string) bool {
	for _, c := range d.cache.AllMatchingCertificates(host) {
		if !c.Expired() {
			return true
		}
	}
	return false
}

func challenges(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acmez.ACMETLS1Protocol
}

func (d *Domains) resting(host string) bool {
	if d.orders == nil {
		return false
	}
	_, resting := d.orders.rests.met(host)
	return resting
}

// meanwhile serves a host that rests with the certificate that it has, if that
// is still good. Certmagic would try to renew it at each handshake.
func (d *Domains) meanwhile(ctx context.Context, host string) (*tls.Certificate, error) {
	for _, c := range d.cache.AllMatchingCertificates(host) {
		if !c.Expired() {
			return &c.Certificate, nil
		}
	}
	found, resting := d.orders.rests.met(host)
	if !resting || found.bare {
		return nil, errResting
	}
	c, err := d.magic.CacheManagedCertificate(context.WithoutCancel(ctx), host)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && c.Expired()) {
		found.bare = true // so that the next handshake need not look
		d.orders.rests.meet(host, found)
		err = errResting
	}
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", host, err)
	}
	return &c.Certificate, nil
}

// hostOf is a request's host in lower case, without its port.
func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return strings.ToLower(host)
}

// loopback tells whether a handshake is for a name that only ever means this
// machine, or names nobody and came to a loopback address.
func loopback(hello *tls.ClientHelloInfo, host string) bool {
	if host != "" {
		return host == "localhost" || strings.HasSuffix(host, ".localhost")
	}
	if hello.Conn == nil {
		return false
	}
	at, err := netip.ParseAddrPort(hello.Conn.LocalAddr().String())
	return err == nil && at.Addr().Unmap().IsLoopback()
}

var _ certmagic.Issuer = (*orders)(nil)

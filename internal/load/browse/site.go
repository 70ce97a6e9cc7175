package browse

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/turnout-events/turnout/internal/exchange"
)

// A Site is one host that is loaded, with the connections to it, which all its
// browsers share. Safe for concurrent use.
type Site struct {
	// URL is its origin, without path.
	URL *url.URL
	// Agent is the User-Agent of its browsers.
	Agent string
	// Via sends requests.
	Via    http.RoundTripper
	dialer Guard
}

// NewSite makes the site at u, which the guard has let pass. It does no I/O.
func NewSite(u *url.URL, g Guard, agent string) *Site {
	o := exchange.Options{
		Addr: Address(u), DialTimeout: 5 * time.Second,
		MaxIdle: 1 << 16, // as many as were in use at once: a connection is not made twice
		Dial:    g.Dial,
	}
	if u.Scheme == "https" {
		o.TLS = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	return &Site{URL: &url.URL{Scheme: u.Scheme, Host: u.Host}, Agent: agent, Via: exchange.New(o), dialer: g}
}

// Address is the host:port of a URL.
func Address(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Close drops the connections that are idle.
func (s *Site) Close() {
	if c, ok := s.Via.(*exchange.Client); ok {
		_ = c.Close()
	}
}

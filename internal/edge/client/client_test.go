package client

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClientsBehindProxies(t *testing.T) {
	trusted := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, c := range []struct{ remote, forwarded, proto, want string }{
		{"192.0.2.1:5", "", "", "192.0.2.1 false"},
		{"192.0.2.1:5", "198.51.100.9", "https", "192.0.2.1 false"}, // not believed
		{"10.1.1.1:5", "198.51.100.9", "https", "198.51.100.9 true"},
		{"10.1.1.1:5", "6.6.6.6, 198.51.100.9, 10.2.2.2", "", "198.51.100.9 false"},
		{"10.1.1.1:5", "rubbish, 10.2.2.2", "", "10.2.2.2 false"},
		{"10.1.1.1:5", "203.0.113.9:4711", "", "203.0.113.9 false"},
		{"10.1.1.1:5", "[2001:db9::1]:99", "", "2001:db9::1 false"},
		{"10.1.1.1:5", "", "", "10.1.1.1 false"},
		{"[2001:db8::1]:5", "::ffff:198.51.100.9", "", "198.51.100.9 false"},
		{"[::ffff:192.0.2.1]:5", "", "", "192.0.2.1 false"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if c.proto != "" {
			r.Header.Set("X-Forwarded-Proto", c.proto)
		}
		a, https := trusted.Of(r)
		if got := fmt.Sprint(a, " ", https); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

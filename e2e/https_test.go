//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// P6, P8: an edge serves its hosts by HTTPS and HTTP/2, keeps sessions in cookies
// that nothing else can set, sends everybody there, and knows no other name.
func TestP8EdgeServesHTTPS(t *testing.T) {
	t.Parallel()
	secure := wiretest.FreeAddress(t)
	e := startEdge(t, routesOf(named(t, "one"), named(t, "two")), "TLS_LISTEN="+secure, "CERTIFICATES_FROM=internal")
	dial := func(ctx context.Context, _, addr string) (net.Conn, error) {
		to := e.plain
		if strings.HasSuffix(addr, ":"+port(secure)) {
			to = secure
		}
		return new(net.Dialer).DialContext(ctx, "tcp", to)
	}
	client := &http.Client{
		Transport:     &http.Transport{DialContext: dial, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://events.acme.example/events/x?a=b")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	to := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusPermanentRedirect || to != "https://events.acme.example:"+port(secure)+"/events/x?a=b" {
		t.Fatalf("plain HTTP is answered %d, %s", resp.StatusCode, to)
	}
	resp, err = client.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	cookies := resp.Cookies()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("%s %d %q %v", resp.Proto, resp.StatusCode, body, resp.Header)
	}
	if len(cookies) != 1 || cookies[0].Name != "__Host-turnout_session" || !cookies[0].Secure || !cookies[0].HttpOnly {
		t.Errorf("cookies are %v", cookies)
	}
	for range 10 {
		req, _ := http.NewRequest("GET", to, nil)
		req.AddCookie(cookies[0])
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(again) != string(body) {
			t.Errorf("the session went from %s to %s", body, again)
		}
	}
	if _, err := tls.Dial("tcp", secure, &tls.Config{ServerName: "other.example", InsecureSkipVerify: true}); err == nil {
		t.Error("a name that is nobody's was served")
	}
	if _, err := tls.Dial("tcp", secure, &tls.Config{ServerName: "events.acme.example", InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was served")
	}
	if resp, err := client.Get("http://other.example/"); err != nil || resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another host is answered %v, %v", resp, err)
	}
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

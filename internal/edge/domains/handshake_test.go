package domains

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestP8OnlyNewTLSAndAEAD(t *testing.T) {
	ca := newAuthority(t)
	d := ca.with(t, newMemory(t), everybody)
	expect(t, d, "a.example", ca.roots())
	offer := func(change func(*tls.Config)) error {
		client := to("a.example", ca.roots())
		change(client)
		_, err := shake(t, d, client)
		return err
	}
	for _, old := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if err := offer(func(c *tls.Config) { c.MinVersion, c.MaxVersion = old, old }); err == nil {
			t.Errorf("%s is taken", tls.VersionName(old))
		}
	}
	all := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	for _, suite := range all {
		if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
			continue
		}
		err := offer(func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{suite.ID} })
		// The CA's certificates here are ECDSA, so suites for RSA find no partner.
		want := slices.Contains(suites(), suite.ID) && suite.Name[:18] == "TLS_ECDHE_ECDSA_WI"
		if (err == nil) != want {
			t.Errorf("%s: %v, want it taken: %v", suite.Name, err, want)
		}
	}
	if err := offer(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }); err != nil {
		t.Errorf("TLS 1.3: %v", err)
	}
}

func TestProtocols(t *testing.T) {
	ca := newAuthority(t)
	d := ca.with(t, newMemory(t), everybody)
	for offered, want := range map[string]string{"h2": "h2", "http/1.1": "http/1.1"} {
		client := to("a.example", ca.roots())
		client.NextProtos = []string{offered}
		if state, err := shake(t, d, client); err != nil || state.NegotiatedProtocol != want {
			t.Errorf("%s: %q, %v", offered, state.NegotiatedProtocol, err)
		}
	}
	if !slices.Contains(d.TLSConfig().NextProtos, "acme-tls/1") {
		t.Error("TLS-ALPN-01 challenges are not spoken")
	}
	client := to("a.example", ca.roots())
	client.NextProtos = []string{"acme-tls/1"}
	if _, err := shake(t, d, client); err == nil {
		t.Error("a challenge that nobody made is answered")
	}
}

func TestChallengesGoPastTheHandler(t *testing.T) {
	storage := newMemory(t)
	var known table
	known.set("a.example", true)
	d := newAuthority(t).with(t, storage, known.known)
	h := d.ChallengeHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, c := range []struct {
		method, url string
		reads       bool
	}{
		{http.MethodGet, "http://nobody.example/.well-known/acme-challenge/token", false},
		{http.MethodGet, "http://a.example/", false},
		{http.MethodPost, "http://a.example/.well-known/acme-challenge/token", false},
		{http.MethodGet, "http://A.example:8080/.well-known/acme-challenge/token", true},
	} {
		before := storage.calls.Load()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.url, nil))
		if w.Code != http.StatusTeapot {
			t.Errorf("%s: %d", c.url, w.Code)
		}
		if read := storage.calls.Load() > before; read != c.reads {
			t.Errorf("%s: reads the storage: %v, want %v", c.url, read, c.reads)
		}
	}
}

// FuzzServerName: whatever a stranger names, it is no host of ours, and
// nothing is read for it.
func FuzzServerName(f *testing.F) {
	for _, s := range []string{"a.example", "", ".", "*", "\x00", "xn--", "127.0.0.1", "[::1]", "a..example", "../../etc", "LOCALHOST"} {
		f.Add(s, "h2")
		f.Add(s, "acme-tls/1")
	}
	storage := newMemory(f)
	d := newAuthority(f).with(f, storage, func(host string) bool { return host == "a.example" })
	f.Fuzz(func(t *testing.T, name, proto string) {
		if strings.EqualFold(name, "a.example") {
			return
		}
		hello := &tls.ClientHelloInfo{ServerName: name, SupportedProtos: []string{proto}}
		if d.serves(hello) {
			t.Fatalf("%q is served", name)
		}
		if c, err := d.certificate(hello); c != nil || err != nil {
			t.Errorf("%q: %v, %v", name, c, err)
		}
		if n := storage.calls.Load(); n != 0 {
			t.Errorf("%q: %d calls to the storage", name, n)
		}
	})
}

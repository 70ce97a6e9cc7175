package redis

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/turnout-events/turnout/internal/redis/redistest"
)

func TestURLs(t *testing.T) {
	for _, c := range []struct{ url, wrong string }{
		{"redis://127.0.0.1:6379", ""},
		{"redis://localhost", ""},
		{"redis://[::1]:6379/3", ""},
		{"rediss://turnout:secret@redis.example.org:6380/0", ""},
		{"redis://:secret@redis.example.org", "would be reached without TLS"},
		{"redis://10.0.0.7:6379", "would be reached without TLS"},
		{"redis://", "give Redis as"},
		{"http://127.0.0.1", "give Redis as"},
		{"127.0.0.1:6379", "give Redis as"},
		{"redis://127.0.0.1/first", "number of a database"},
		{"rediss://redis.example.org?skip_verify=true", "takes no"},
		{"rediss://redis.example.org?ca_file=/nowhere", "ca_file"},
		{"redis://user:secret@127.0.0.1:port", "give Redis as"},
	} {
		err := Check(c.url)
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", c.url, err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%s: %v, want %q", c.url, err, c.wrong)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: the password is in %q", c.url, err)
		}
	}
}

func get(s *Server) (string, error) {
	var value string
	err := s.Ask(context.Background(), func(ctx context.Context, c rueidis.Client) (err error) {
		value, err = c.Do(ctx, c.B().Get().Key("k").Build()).ToString()
		return err
	})
	return value, err
}

func open(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A server is killed and comes back: callers hear that it is away, once in the
// log, and are served again when it is there.
func TestAwayAndBack(t *testing.T) {
	r := redistest.New(t)
	var log bytes.Buffer
	s := open(t, Options{URL: r.URL(), Use: "tests", Without: "the test goes on", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if _, err := get(s); !rueidis.IsRedisNil(err) {
		t.Fatalf("there is no such key: %v", err)
	}
	r.Kill()
	for range 50 {
		if _, err := get(s); !errors.Is(err, ErrAway) {
			t.Fatalf("killed: %v", err)
		}
	}
	if !s.Away() {
		t.Error("it is not away")
	}
	s.step(t.Context())
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.step(t.Context())
	if _, err := get(s); !rueidis.IsRedisNil(err) {
		t.Errorf("it is back: %v", err)
	}
	if said := strings.Count(log.String(), "the test goes on"); said != 1 {
		t.Errorf("it was said %d times that it is away:\n%s", said, log.String())
	}
	if !strings.Contains(log.String(), "answers again") {
		t.Errorf("nobody says that it is back:\n%s", log.String())
	}
}

// Only Run connects: a request that finds the connection gone does not wait for a
// new one, whether the server is there or not.
func TestNoRequestConnects(t *testing.T) {
	r := redistest.New(t)
	s := open(t, Options{URL: r.URL()})
	r.Kill()
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err := get(s); !errors.Is(err, ErrAway) {
			t.Fatalf("it was connected to: %v", err)
		}
	}
}

// A server that hangs is waited for once, by those who asked before it was known.
func TestHanging(t *testing.T) {
	r := redistest.New(t)
	s := open(t, Options{URL: r.URL()})
	if err := r.Pause(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := get(s); !errors.Is(err, ErrAway) {
				t.Errorf("it hangs: %v", err)
			}
		})
	}
	wg.Wait()
	if !s.Away() {
		t.Fatal("the circuit is closed")
	}
	asked := false
	if err := s.Ask(t.Context(), func(context.Context, rueidis.Client) error { asked = true; return nil }); !errors.Is(err, ErrAway) || asked {
		t.Errorf("with the circuit open: %v, asked %v", err, asked)
	}
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	s.step(t.Context())
	if s.Away() {
		t.Error("it is still away")
	}
}

func TestWhoLeftDoesNotOpenTheCircuit(t *testing.T) {
	s := open(t, Options{URL: redistest.New(t).URL()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Ask(ctx, func(ctx context.Context, c rueidis.Client) error { return c.Do(ctx, c.B().Ping().Build()).Error() })
	if err != nil || s.Away() {
		t.Errorf("%v, away %v", err, s.Away())
	}
}

// What waiting does not heal keeps a process from starting; a server that is not
// there yet does not.
func TestOpening(t *testing.T) {
	locked := redistest.New(t, "--requirepass", "open-sesame")
	secret := strings.Replace(locked.URL(), "redis://", "redis://:open-sesame@", 1)
	open(t, Options{URL: secret})
	for _, url := range []string{locked.URL(), strings.Replace(secret, "sesame", "barley", 1), secret + "/99"} {
		_, err := Open(t.Context(), Options{URL: url, Use: "sessions"})
		if err == nil || !strings.Contains(err.Error(), "connect to Redis for sessions at") || strings.Contains(err.Error(), "barley") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", url, err)
		}
	}
	user := "--user guest on >pw ~turnout:* "
	for rights, may := range map[string]bool{"+@read +@write +@connection": false, "+@read +@write +@scripting +@connection +multi +exec +time": true} { // docs/operations.md
		guarded := redistest.New(t, strings.Fields(user+rights)...)
		_, err := Open(t.Context(), Options{URL: strings.Replace(guarded.URL(), "redis://", "redis://guest:pw@", 1)})
		if (err == nil) != may {
			t.Errorf("with %s: %v", rights, err)
		}
	}
	locked.Kill()
	if s := open(t, Options{URL: secret}); !s.Away() {
		t.Error("it is there")
	}
}

// P8: TLS with a certificate that is checked.
func TestP8TLS(t *testing.T) {
	certFile, keyFile := pair(t)
	r := redistest.New(t, "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-auth-clients", "no")
	url := strings.Replace(r.URL(), "redis:", "rediss:", 1)
	s := open(t, Options{URL: url + "?ca_file=" + certFile})
	if _, err := get(s); !rueidis.IsRedisNil(err) {
		t.Errorf("over TLS: %v", err)
	}
	if _, err := Open(t.Context(), Options{URL: url}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown CA: %v", err)
	}
}

// pair is a certificate for 127.0.0.1 that signs itself.
func pair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, certErr := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	raw, keyErr := x509.MarshalECPrivateKey(key)
	if err := errors.Join(certErr, keyErr); err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	write := func(name, kind string, bytes []byte) {
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(certFile, "CERTIFICATE", cert)
	write(keyFile, "EC PRIVATE KEY", raw)
	return certFile, keyFile
}

func FuzzParse(f *testing.F) {
	f.Add("rediss://u:p@h:1/0?ca_file=x")
	f.Fuzz(func(t *testing.T, url string) {
		if o, err := parse(url); err == nil && o.TLSConfig == nil && !strings.HasPrefix(url, "redis://") {
			t.Errorf("%q is without TLS", url)
		}
	})
}

package wire

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout/internal/store/pgtest"
)

const host = "db.example" // outside of this machine, as far as the store can tell

func encrypted(t *testing.T) *pgtest.Encrypted {
	t.Helper()
	c, err := pgtest.StartEncrypted(t.Context(), host)
	pgtest.Need(t, err)
	t.Cleanup(func() { _ = c.Stop(context.Background()) })
	if err := c.SQL(t.Context(), "CREATE ROLE guest LOGIN PASSWORD 'right-one'"); err != nil {
		t.Fatal(err)
	}
	return c
}

// reach connects to 127.0.0.1, whatever host the URL names.
func reach(t *testing.T, url string) (*pgx.Conn, error) {
	t.Helper()
	cfg, err := Parse(url)
	if err != nil {
		return nil, err
	}
	cfg.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	conn, err := Connect(t.Context(), cfg)
	if err == nil {
		t.Cleanup(func() { conn.Close(context.Background()) })
	}
	return conn, err
}

// What leaves this machine goes to the server that the URL means, by TLS 1.2 or
// newer, and whoever cannot be reached is told why in one line without secrets.
func TestP8HandshakeWithARealServer(t *testing.T) {
	c := encrypted(t)
	base := func(user, at, database, query string) string {
		return fmt.Sprintf("postgres://%s@%s:%d/%s?%s", user, at, c.Port, database, query)
	}
	full := "sslmode=verify-full&sslrootcert=" + c.Authority
	for name, one := range map[string]struct{ url, words string }{
		"verified":       {base("guest:right-one", host, "postgres", full), ""},
		"unverified":     {base("guest:right-one", host, "postgres", "sslmode=require"), ""},
		"another CA":     {base("guest:right-one", host, "postgres", "sslmode=verify-full&sslrootcert="+c.Stranger), "is not trusted"},
		"no CA":          {base("guest:right-one", host, "postgres", "sslmode=verify-full"), "is not trusted"},
		"another name":   {base("guest:right-one", "other.example", "postgres", full), "is not trusted"},
		"wrong password": {base("guest:wrong-one", host, "postgres", full), "mend user and password"},
		"unknown user":   {base("nobody:wrong-one", host, "postgres", full), "mend user and password"},
		"no database":    {base("guest:right-one", host, "nowhere", full), "there is no database nowhere"},
		"in the clear":   {base("guest:right-one", "127.0.0.1", "postgres", "sslmode=disable"), "mend user and password"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := reach(t, one.url)
			if one.words != "" {
				if err == nil || !strings.Contains(err.Error(), one.words) || strings.Contains(err.Error(), "-one") || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want %q", err, one.words)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var version string
			if err := conn.QueryRow(t.Context(), "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl").Scan(&version); err != nil || version < "TLSv1.2" {
				t.Errorf("spoken: %q, %v", version, err)
			}
		})
	}
}

// A server that offers nothing newer than TLS 1.1 hears no password.
func TestP8OldTLSIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for newest, taken := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true} {
		shaken := make(chan error, 1)
		go func() { shaken <- serveOnce(l, newest) }()
		_, err := reach(t, fmt.Sprintf("postgres://u:p@%s:%d/t?sslmode=require", host, l.Addr().(*net.TCPAddr).Port))
		if err == nil {
			t.Fatal("connected to what is no database")
		}
		if got := <-shaken; (got == nil) != taken {
			t.Errorf("%s: %v", tls.VersionName(newest), got)
		}
	}
}

// serveOnce agrees to TLS as PostgreSQL does, and tells how the handshake went.
func serveOnce(l net.Listener, newest uint16) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("S")); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	return tls.Server(c, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: newest, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}).Handshake()
}

// Nobody answers, and a server that is none of ours.
func TestUnreachableIsToldInOneLine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	for _, url := range []string{
		fmt.Sprintf("postgres://u:secret@127.0.0.1:%d/t?sslmode=disable", port),
		fmt.Sprintf("postgres://u:secret@127.0.0.1:%d,127.0.0.1:1/t?sslmode=disable", port),
		"postgres://u:secret@/t?host=/nowhere/at/all",
	} {
		_, err := reach(t, url)
		if err == nil || !strings.Contains(err.Error(), "no PostgreSQL answers at") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}

package wire

import (
	"crypto/tls"
	"strings"
	"testing"
)

// Outside of this machine nothing goes without TLS, whatever the URL's default
// would fall back to; and a password is in no error.
func TestP8WireIsEncryptedOutsideOfThisMachine(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	for url, words := range map[string]string{
		"postgres://u:secret@db.example/t?sslmode=disable":                             "without TLS",
		"postgres://u:secret@db.example/t?sslmode=prefer":                              "without TLS",
		"postgres://u:secret@db.example/t":                                             "without TLS",
		"postgres://u:secret@127.0.0.1,db.example/t?sslmode=disable":                   "without TLS",
		"postgres://u:secret@db.example/t?sslmode=require":                             "",
		"postgres://u:secret@db.example,other.example/t?sslmode=verify-full":           "",
		"postgres://u:secret@127.0.0.1:5433/t?sslmode=disable":                         "",
		"postgres://u:secret@[::1]/t?sslmode=disable":                                  "",
		"postgres:///t?host=/var/run/postgresql":                                       "",
		"postgres://u:secret@db.example:port/t?sslmode=require":                        "cannot be read",
		"postgres://u:secret@db.example/t?sslmode=require&sslrootcert=/secret/nowhere": "cannot be read",
		"mysql://u:secret@db.example/t":                                                "postgres://",
		"":                                                                             "postgres://",
	} {
		err := Check(url)
		switch {
		case words == "" && err != nil:
			t.Errorf("%s: %v", url, err)
		case words != "" && (err == nil || !strings.Contains(err.Error(), words) || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: %v, want %q", url, err, words)
		}
	}
	cfg, err := Parse("postgres://u@db.example,other.example/t?sslmode=require")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.TLSConfig.MinVersion < tls.VersionTLS12 || cfg.Fallbacks[0].TLSConfig.MinVersion < tls.VersionTLS12 {
		t.Error("TLS older than 1.2 is taken")
	}
}

// FuzzCheck holds that no URL makes a connection that leaves this machine in the clear.
func FuzzCheck(f *testing.F) {
	f.Add("postgres://u@db.example/t?sslmode=disable")
	f.Add("postgres://u@localhost,db.example/t?sslmode=allow")
	f.Fuzz(func(t *testing.T, url string) {
		cfg, err := Parse(url)
		if err != nil {
			return
		}
		if cfg.TLSConfig == nil && secure(cfg.Host, nil) != nil {
			t.Errorf("%q goes to %s without TLS", url, cfg.Host)
		}
	})
}

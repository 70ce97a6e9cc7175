package app

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/config"
)

// Whoever is to trust the internal CA gets its root from the edge: certificates
// that the edge shows are good by it. Where there is no such CA a line says so.
func TestRootCertificateOfTheEdge(t *testing.T) {
	const line = "this edge has no CA of its own: that takes edge.tls_listen, and edge.certificates.from internal\n"
	for _, c := range []struct {
		name, listen, from string
		host               string
		status             int
		body               string
	}{
		{"internal", "127.0.0.1:0", "internal", "localhost:9091", http.StatusOK, ""},
		{"of a CA", "127.0.0.1:0", "acme", "localhost:9091", http.StatusNotFound, line},
		{"without HTTPS", "", "internal", "localhost:9091", http.StatusNotFound, line},
		{"by another host", "127.0.0.1:0", "internal", "evil.example", http.StatusMisdirectedRequest, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config.Default()
			cfg.Data = t.TempDir()
			cfg.Edge.Routes, cfg.Edge.Orgs, cfg.Edge.KeyFile = filepath.Join(cfg.Data, "routes.yaml"), "routes", filepath.Join(cfg.Data, "edge.key")
			cfg.Edge.TLSListen, cfg.Edge.Certificates.From = c.listen, c.from
			text := "stacks: [{name: blue, pools: [{region: here, upstreams: [{name: one, url: \"http://127.0.0.1:9\"}]}]}]\norgs: [{id: acme}]\n"
			if err := os.WriteFile(cfg.Edge.Routes, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			log := slog.New(slog.DiscardHandler)
			courses, err := openCourses(t.Context(), cfg, log)
			if err != nil {
				t.Fatal(err)
			}
			e, _, err := newEdge(t.Context(), cfg, courses, nil, log)
			if err != nil {
				t.Fatal(err)
			}
			certs, err := certificates(t.Context(), cfg, courses, e, log)
			if err != nil {
				t.Fatal(err)
			}
			if certs != nil {
				t.Cleanup(func() { _ = certs.Close() })
			}
			admin, err := edgeAdmin(cfg, e, certs)
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			admin.ServeHTTP(w, httptest.NewRequest("GET", "http://"+c.host+"/edge/root.crt", nil))
			if w.Code != c.status || (c.body != "" && w.Body.String() != c.body) {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if c.status != http.StatusOK {
				return
			}
			if got := w.Header().Get("Content-Type"); got != "application/x-pem-file" {
				t.Errorf("Content-Type is %s", got)
			}
			if strings.Contains(w.Body.String(), "PRIVATE") {
				t.Error("the CA's key was given away")
			}
			trusted := x509.NewCertPool()
			trusted.AppendCertsFromPEM(w.Body.Bytes())
			secure := httptest.NewUnstartedServer(e)
			secure.TLS = certs.TLSConfig()
			secure.StartTLS()
			defer secure.Close()
			conn, err := tls.Dial("tcp", secure.Listener.Addr().String(), &tls.Config{ServerName: "acme.localhost", RootCAs: trusted, NextProtos: []string{"http/1.1"}})
			if err != nil {
				t.Fatalf("its certificate is not good by it: %v", err)
			}
			_ = conn.Close()
		})
	}
}

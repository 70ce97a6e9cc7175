package app

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/edge"
	"github.com/turnout-events/turnout/internal/edge/client"
	"github.com/turnout-events/turnout/internal/edge/domains"
	"github.com/turnout-events/turnout/internal/limit"
	"github.com/turnout-events/turnout/internal/run"
	"github.com/turnout-events/turnout/internal/seal"
)

// edgeScope is whose keys seal what edges share. It is no org's id.
const edgeScope = "edge files"

// certificates makes an edge's, for the hosts that it serves: in the store,
// sealed, where there is one, so that all its edges share them. They are nil for an
// edge without HTTPS.
func certificates(ctx context.Context, cfg config.Config, c *courses, e *edge.Edge, log *slog.Logger) (*domains.Domains, error) {
	if cfg.Edge.TLSListen == "" {
		return nil, nil
	}
	o := domains.Options{
		Known: e.Knows, Dir: filepath.Join(cfg.Data, "certificates"), CA: cfg.Edge.Certificates.Directory,
		Email: cfg.Edge.Certificates.Email, Internal: cfg.Edge.Certificates.Internal(), Logger: log,
	}
	var err error
	if o.CARoots, err = trustedRoots(cfg.Edge.Certificates.RootsFile); err != nil {
		return nil, err
	}
	if c.engines != nil {
		ring, err := c.engines.Keyring.Ring(ctx, edgeScope)
		if err != nil {
			return nil, err
		}
		o.Storage = domains.NewStorage(c.engines.Store, edgeSealer{ring}, cfg.Instance)
	}
	return domains.New(o)
}

// rootPage gives the root certificate of an edge's own CA, for a browser to trust:
// with a store it rests sealed, and nobody finds it in a file.
func rootPage(certs *domains.Domains) http.HandlerFunc {
	var root []byte
	if certs != nil {
		root = certs.RootPEM()
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		if root == nil {
			http.Error(w, "this edge has no CA of its own: that takes edge.tls_listen, and edge.certificates.from internal", http.StatusNotFound)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/x-pem-file")
		h.Set("Content-Disposition", `attachment; filename="turnout-root.crt"`)
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(root) // whoever went away does not need it
	}
}

// trustedRoots reads what an ACME server is trusted by: nil for no file, which
// means the system's.
func trustedRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("edge.certificates.roots_file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("edge.certificates.roots_file: there is no certificate in %s", file)
	}
	return roots, nil
}

// edgeSealer seals what edges share.
type edgeSealer struct{ ring *seal.Ring }

const edgeKind = "edge file"

func (s edgeSealer) Seal(name string, plain []byte) ([]byte, error) {
	return s.ring.Seal(plain, edgeKind, name), nil
}

func (s edgeSealer) Open(name string, sealed []byte) ([]byte, error) {
	return s.ring.Open(sealed, edgeKind, name)
}

// doors are an edge's public listeners: plain, and with certificates if it has
// an address for that. The plain one then answers the CA's challenges and sends
// everybody else to the other.
type doors struct {
	guard    *client.Guard
	services []run.Service
	// plain and secure are their URLs, empty for none.
	plain, secure string
}

// first is the URL that visitors end at.
func (d *doors) first() string {
	if d.secure != "" {
		return d.secure
	}
	return d.plain
}

// addresses are the URLs as a line of the log names them.
func (d *doors) addresses() []any {
	var all []any
	if d.secure != "" {
		all = append(all, "https", d.secure)
	}
	if d.plain != "" {
		all = append(all, "http", d.plain)
	}
	return all
}

// open listens for a server; each of under goes between it and the guard.
func (d *doors) open(name, address string, server *http.Server, under ...func(net.Listener) net.Listener) (net.Addr, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("edge.%s: %w", name, err)
	}
	l = d.guard.Listen(l)
	for _, wrap := range under {
		l = wrap(l)
	}
	serve := func() error { return server.Serve(l) }
	if server.TLSConfig == nil {
		d.plain = "http://" + l.Addr().String()
	} else {
		d.secure = "https://" + l.Addr().String()
		serve = func() error { return server.ServeTLS(l, "", "") }
	}
	d.services = append(d.services, serving(name, serve, server))
	return l.Addr(), nil
}

// newGuard bounds what a client has of an edge's connections.
func newGuard(cfg config.Config) (*client.Guard, error) {
	trusted, err := cfg.Edge.TrustedProxies()
	if err != nil {
		return nil, err
	}
	may := cfg.Edge.Client
	return &client.Guard{
		AtOnce: may.Connections, Trusted: trusted,
		Opening: limit.Rate{PerSecond: may.Opening, Burst: max(2*may.Connections, int(10*may.Opening), 1)},
	}, nil
}

// openDoors opens the listeners that cfg names.
func openDoors(cfg config.Config, certs *domains.Domains, e *edge.Edge, guard *client.Guard, logger *slog.Logger) (*doors, error) {
	d := &doors{guard: guard}
	plain := edgeServer(e, logger)
	if certs != nil {
		secure := edgeServer(e, logger)
		secure.TLSConfig = certs.TLSConfig()
		// The standard library's words about handshakes name the client's address (P8).
		secure.ErrorLog = log.New(io.Discard, "", 0)
		at, err := d.open("tls_listen", cfg.Edge.TLSListen, secure, certs.Listen)
		if err != nil {
			return nil, err
		}
		port := strconv.Itoa(cfg.Edge.TLSPort)
		if cfg.Edge.TLSPort == 0 {
			_, port, _ = net.SplitHostPort(at.String())
		}
		plain.Handler = certs.ChallengeHandler(e.ToHTTPS(port))
		d.services = append([]run.Service{{Name: "certificates", Run: func(ctx context.Context) error {
			<-ctx.Done()
			return certs.Close()
		}}}, d.services...)
	}
	if cfg.Edge.Listen != "" {
		if _, err := d.open("listen", cfg.Edge.Listen, plain); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// edgeServer serves an edge and ends connections that insist.
func edgeServer(handler http.Handler, logger *slog.Logger) *http.Server {
	s := newServer(handler, logger)
	s.ConnContext = edge.CountRefusals
	return s
}

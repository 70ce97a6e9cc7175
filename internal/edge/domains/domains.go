// Package domains is TLS for vanity domains: every host of the org table has a
// certificate of its own, asked for by ACME when somebody first comes to it.
//
// It promises:
//
//   - Only hosts that Options.Known knows are served, asked at every handshake
//     and before anything else. Any other name is refused with the alert
//     "unrecognized name": no order, no read of the storage, no log line.
//
//   - However many come to a new host at once, on however many edges that share
//     a storage, one order is made. It goes on when those who wait for it hang up.
//
//   - A domain that cannot be had does not make us ask the CA again and again:
//     after a failed order its host rests, from five minutes up to an hour, on all
//     edges alike and through restarts. A certificate that is still good is
//     served meanwhile.
//
//   - Nothing is loaded up front and a bounded number of certificates is kept in
//     memory, so the size of the table costs nothing.
//
//   - TLS 1.2 or newer, AEAD suites with forward secrecy only (P8). Private keys
//     go to the storage alone, which NewStorage seals.
//
//   - Handshakes take turns on half of the processors, so that a flood of them
//     leaves the rest to whoever is served already (P7).
//
// What to call: New, then Listen and TLSConfig for the TLS listener and ChallengeHandler
// around the plain one's handler; NewStorage where several edges share a store.
// All types are safe for concurrent use.
package domains

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

const (
	// inMemory is how many certificates are kept in memory, 4 to 8 KB each with chain;
	// one that had to go is read from the storage when somebody comes again.
	inMemory = 10_000
	// crowd is how many handshakes may wait for certificates at once. Beyond it
	// only those are served whose certificate is in memory.
	crowd = 1_000
	// opening bounds what New does with the storage.
	opening = 30 * time.Second
)

// Options say whose certificates there are and where they come from.
type Options struct {
	// Known tells whether host is one of the org table now. It is asked at each
	// handshake with a lower-case name and must be quick. It is required.
	Known func(host string) bool
	// Storage is where certificates, keys and challenges rest. Edges that share
	// it share them. Nil means files in Dir, in plain text.
	Storage certmagic.Storage
	// Dir is the directory of the files where there is no Storage.
	Dir string
	// CA is the URL of the ACME server's directory; empty means Let's Encrypt.
	CA string
	// CARoots are trusted when talking to the CA; nil means the system's.
	CARoots *x509.CertPool
	// Email is where the CA writes to when something is wrong. May be empty.
	Email string
	// Internal is for development: certificates come from a CA of our own, whose
	// root rests in the storage under RootFile, and nobody is asked for any.
	// localhost, names under it and loopback addresses are then served as well.
	Internal bool
	// Logger hears of orders by host; nil discards it.
	Logger *slog.Logger

	// place makes an order; nil asks the CA. Tests replace it.
	place placer
	// now is the clock of rests; nil means time.Now.
	now func() time.Time
}

// Domains has the certificates of an edge.
type Domains struct {
	o     Options
	log   *slog.Logger
	tls   *tls.Config
	cache *certmagic.Cache
	magic *certmagic.Config
	// orders and door are nil with Options.Internal, local is nil without.
	orders *orders
	door   *door
	local  *localCA

	// inside counts handshakes that are with certmagic.
	inside atomic.Int64
	turns  chan struct{} // full while as many handshakes compute as may
	once   sync.Once
	closed error
}

// New makes the certificates of an edge ready. It asks no CA and reads no
// certificate; with Options.Internal it reads or makes the local CA's root.
func New(o Options) (*Domains, error) {
	if o.Known == nil {
		return nil, errors.New("open domains: Known is missing")
	}
	if o.Storage == nil {
		if o.Dir == "" {
			return nil, errors.New("open domains: there is neither a storage nor a directory")
		}
		o.Storage = &certmagic.FileStorage{Path: o.Dir}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.now == nil {
		o.now = time.Now
	}
	d := &Domains{o: o, log: o.Logger, turns: turns()}
	d.tls = d.tlsConfig()
	if err := d.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open domains: %w", err), d.Close())
	}
	return d, nil
}

func (d *Domains) open() (err error) {
	logger := zapTo(d.log)
	d.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return d.magic, nil },
		Capacity:         inMemory, Logger: logger,
	})
	d.magic = certmagic.New(d.cache, certmagic.Config{
		Storage: d.o.Storage, Logger: logger,
		OnDemand: &certmagic.OnDemandConfig{DecisionFunc: d.decide},
		// Either would ask the CA within handshakes, one after the other, for as
		// long as it does not answer. A certificate is renewed at two thirds of its life.
		DisableARI: true, OCSP: certmagic.OCSPConfig{DisableStapling: true},
	})
	if d.o.Internal {
		return d.openLocal()
	}
	return d.openACME(logger)
}

func (d *Domains) openLocal() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), opening)
	defer cancel()
	if d.local, err = openLocalCA(ctx, d.o.Storage); err != nil {
		return err
	}
	d.magic.Issuers = []certmagic.Issuer{d.local}
	return nil
}

func (d *Domains) openACME(logger *zap.Logger) (err error) {
	if d.door, err = openDoor(); err != nil {
		return err
	}
	d.orders = newOrders(d.o, certmagic.NewACMEIssuer(d.magic, certmagic.ACMEIssuer{
		CA: d.o.CA, Email: d.o.Email, TrustedRoots: d.o.CARoots, Agreed: true, Logger: logger,
		// Our own listeners answer challenges; see door.
		ListenHost: d.door.host, AltHTTPPort: d.door.port, AltTLSALPNPort: d.door.port,
	}))
	d.magic.Issuers = []certmagic.Issuer{d.orders}
	return nil
}

// decide is asked by certmagic before it reads the storage and before it
// renews: a host may have left the table since the handshake began.
func (d *Domains) decide(_ context.Context, host string) error {
	if !d.o.Known(host) {
		return errUnknown
	}
	return nil
}

// Close breaks off orders that are under way; their hosts do not rest for it.
// Handshakes that come later fail unless their certificate is in memory. It may
// be called twice.
func (d *Domains) Close() error {
	d.once.Do(func() {
		if d.orders != nil {
			d.orders.close()
		}
		if d.cache != nil {
			d.cache.Stop()
		}
		if d.door != nil {
			d.closed = d.door.Close()
		}
	})
	return d.closed
}

// RootPEM is the local CA's root certificate, for a browser to trust; nil
// without Options.Internal.
func (d *Domains) RootPEM() []byte {
	if d.local == nil {
		return nil
	}
	return bytes.Clone(d.local.rootPEM)
}

// ChallengeHandler answers the CA's HTTP-01 challenges, whichever edge that
// shares the storage made the order, and hands everything else to next. It
// belongs around the plain listener's handler.
func (d *Domains) ChallengeHandler(next http.Handler) http.Handler {
	if d.orders == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if certmagic.LooksLikeHTTPChallenge(r) && d.o.Known(hostOf(r)) && d.orders.HandleHTTPChallenge(w, r) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

package domains

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// orderTime bounds one order, validations included. The clients that wait for
// it mostly give up earlier; the certificate is there when they come back.
const orderTime = 90 * time.Second

var (
	errResting = errors.New("the host rests after a failed order")
	errClosed  = errors.New("the edge is closing")
)

// placer makes an order and returns what the CA signed.
type placer func(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error)

// orders is the CA with our patience: certmagic alone tries a failed order
// again for every handshake, three times in three minutes, while it waits.
// Certmagic holds the host's lock while it calls Issue, so that one of all
// edges at a time decides about a host.
type orders struct {
	*certmagic.ACMEIssuer
	place placer
	rests *rests
	log   *slog.Logger
	now   func() time.Time

	once    sync.Once
	closing chan struct{}
}

func newOrders(o Options, acme *certmagic.ACMEIssuer) *orders {
	place := o.place
	if place == nil {
		place = acme.Issue
	}
	return &orders{
		ACMEIssuer: acme, place: place, rests: newRests(o.Storage, o.now),
		log: o.Logger, now: o.now, closing: make(chan struct{}),
	}
}

// Issue implements certmagic.Issuer. No error makes certmagic try again.
func (o *orders) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	if len(csr.DNSNames) != 1 {
		return nil, certmagic.ErrNoRetry{Err: errors.New("an order is for one host")}
	}
	host := csr.DNSNames[0]
	last, err := o.rests.load(ctx, host)
	if err == nil && o.now().Before(last.Until) {
		o.rests.meet(host, last) // another edge's, or one from before a restart
		err = errResting
	}
	if err != nil {
		return nil, certmagic.ErrNoRetry{Err: err}
	}
	issued, err := o.order(ctx, csr)
	if err != nil {
		return nil, certmagic.ErrNoRetry{Err: o.failed(ctx, host, last, err)}
	}
	o.log.Info("domains: a certificate was issued", "host", host)
	if last.Until.IsZero() {
		return issued, nil
	}
	if err := o.rests.end(ctx, host); err != nil { // it is over anyway
		o.log.Warn("domains: a rest is not forgotten", "host", host, "error", err)
	}
	return issued, nil
}

// order places one within its time, broken off when the edge closes.
func (o *orders) order(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	go func() {
		select {
		case <-o.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	return o.place(ctx, csr)
}

// failed lets the host rest, unless the order failed because the edge closes.
func (o *orders) failed(ctx context.Context, host string, last rest, cause error) error {
	select {
	case <-o.closing:
		return errClosed
	default:
	}
	next := last.after(cause, o.now())
	o.log.Warn("domains: an order failed, its host rests", "host", host, "until", next.Until.UTC(), "refused", next.Refused, "error", cause)
	if err := o.rests.begin(ctx, host, next); err != nil {
		o.log.Warn("domains: a rest is known to this edge only", "host", host, "error", err)
	}
	return fmt.Errorf("order: %w", cause)
}

func (o *orders) close() { o.once.Do(func() { close(o.closing) }) }

package kms

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

const (
	defaultTimeout = 10 * time.Second
	tries          = 4
	firstPause     = 200 * time.Millisecond
	longestPause   = 2 * time.Second
	// rest is how long callers are answered at once after a call failed for good.
	rest = 3 * time.Second
)

// Options are what a Master is made of. The zero value is for production.
type Options struct {
	// HTTP carries the calls; nil makes one with TLS 1.2 or newer that trusts
	// VAULT_CACERT for Vault and AWS_CA_BUNDLE for AWS, if set. Its redirect
	// policy and cookie jar are not used.
	HTTP *http.Client
	// Logger hears of retries; nil discards them.
	Logger *slog.Logger
	// Timeout bounds one Wrap or Unwrap with its retries; zero means ten seconds.
	Timeout time.Duration
	// Endpoint is the origin of the service where it is not the public one, such
	// as a private endpoint; empty means the public one, and for Vault the URI's
	// host.
	Endpoint string
	// Getenv reads VAULT_TOKEN, VAULT_TOKEN_FILE, VAULT_NAMESPACE and
	// VAULT_CACERT; nil means os.Getenv. The credential chains of AWS and Google
	// read the environment themselves.
	Getenv func(string) string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// wait pauses between tries; tests replace it.
	wait func(ctx context.Context, d time.Duration) error
}

// service is a key at a KMS. Its errors are *refusal.
type service interface {
	encrypt(ctx context.Context, plain, bound []byte) ([]byte, error)
	decrypt(ctx context.Context, ciphertext, bound []byte) ([]byte, error)
}

// Master wraps org keys by a key that a service keeps. It implements seal.Master.
type Master struct {
	o       Options
	uri     string
	format  string
	service service

	mu    sync.Mutex
	until time.Time // callers are answered by away until then
	away  error
}

var _ seal.Master = (*Master)(nil)

// Open makes the master key that uri names; see Check for its forms. It reads
// configuration files of the credential chains and calls nobody: what
// credentials are worth shows in the first call, so that an instance starts
// while the service is away. Errors are of CodeMisconfigured.
func Open(ctx context.Context, uri string, o Options) (*Master, error) {
	if err := Check(uri); err != nil {
		return nil, turnout.Wrap(turnout.CodeMisconfigured, "open master key", err)
	}
	m := &Master{o: o.filled(), uri: uri}
	if err := m.choose(ctx); err != nil {
		return nil, turnout.Wrap(turnout.CodeMisconfigured, "open master key "+uri, err)
	}
	return m, nil
}

func (m *Master) choose(ctx context.Context) error {
	client, err := m.o.client(m.uri)
	if err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(m.uri, schemeAWS):
		m.format = formatAWS
		m.service, err = openAWS(ctx, m.uri, client, m.o)
	case strings.HasPrefix(m.uri, schemeGCP):
		m.format = formatGCP
		m.service, err = newGCP(m.uri, client, m.o.Endpoint)
	default:
		m.format = formatVault
		m.service, err = newVault(m.uri, client, m.o.Endpoint, m.o.Getenv)
	}
	return err
}

func (o Options) filled() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.wait == nil {
		o.wait = wait
	}
	return o
}

// client is a copy of Options.HTTP, or a new one, that follows no redirect: a
// reply never sends a token or a key to another place.
func (o Options) client(uri string) (*http.Client, error) {
	client := &http.Client{}
	if o.HTTP != nil {
		*client = *o.HTTP
	} else {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if file := o.Getenv("VAULT_CACERT"); file != "" && strings.HasPrefix(uri, schemeVault) {
			pool, err := readPool(file)
			if err != nil {
				return nil, err
			}
			transport.TLSClientConfig.RootCAs = pool
		}
		client.Transport = transport
	}
	if client.Timeout == 0 {
		client.Timeout = o.Timeout
	}
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client, nil
}

func readPool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read VAULT_CACERT: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("read VAULT_CACERT: there is no certificate in it")
	}
	return pool, nil
}

// ID implements seal.Master: the key's URI.
func (m *Master) ID() string { return m.uri }

// Wrap implements seal.Master. Errors are of CodeUnavailable.
func (m *Master) Wrap(ctx context.Context, key, ad []byte) ([]byte, error) {
	bound := binding(ad)
	ciphertext, err := m.call(ctx, "wrap org key", func(ctx context.Context) ([]byte, error) {
		return m.service.encrypt(ctx, bind(key, bound), bound)
	})
	if err != nil {
		return nil, err
	}
	return wrapped{format: m.format, uri: m.uri, ciphertext: ciphertext}.bytes(), nil
}

// Unwrap implements seal.Master. Errors are seal.ErrSealed or of CodeUnavailable.
func (m *Master) Unwrap(ctx context.Context, sealed, ad []byte) ([]byte, error) {
	w, err := parseWrapped(sealed)
	if err != nil {
		return nil, err
	}
	if w.format != m.format {
		return nil, m.foreign(w)
	}
	bound := binding(ad)
	plain, err := m.call(ctx, "unwrap org key", func(ctx context.Context) ([]byte, error) {
		return m.service.decrypt(ctx, w.ciphertext, bound)
	})
	// A key may have got another name since, a replica in another region or a
	// Vault that moved, so the service judges and not the URI.
	if errors.Is(err, seal.ErrSealed) && w.uri != m.uri {
		return nil, m.foreign(w)
	}
	if err != nil {
		return nil, err
	}
	return unbind(plain, bound)
}

// foreign says which master key a value needs that this one does not open.
func (m *Master) foreign(w wrapped) error {
	return fmt.Errorf("unwrap org key: it was wrapped by %q, not by %q; name both in master_key_uri until turnout keys rotate-master --rewrap-only has run: %w", w.uri, m.uri, seal.ErrSealed)
}

// call tries a few times within the timeout.
func (m *Master) call(ctx context.Context, op string, do func(context.Context) ([]byte, error)) ([]byte, error) {
	if err := m.resting(); err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	for try := 1; ; try++ {
		out, err := m.attempt(bounded, do)
		if err == nil {
			return out, nil
		}
		var r *refusal
		if !errors.As(err, &r) {
			r = &refusal{err: err}
		}
		if r.why == wrong {
			return nil, fmt.Errorf("%s: %s does not open it: %w", op, m.uri, seal.ErrSealed)
		}
		final := turnout.Wrap(turnout.CodeUnavailable, op+" by "+m.uri, r)
		if try == tries || r.why == denied || bounded.Err() != nil {
			m.failed(ctx, final)
			return nil, final
		}
		pause := backoff(try, r.after)
		m.o.Logger.Warn("The KMS did not answer as it should; trying again.", "key", m.uri, "try", try, "pause", pause, "err", r)
		if m.o.wait(bounded, pause) != nil {
			m.failed(ctx, final)
			return nil, final
		}
	}
}

// attempt gives one try half of the time, so that a connection that hangs
// leaves room for another. No reply is ever empty: the binding is in it.
func (m *Master) attempt(ctx context.Context, do func(context.Context) ([]byte, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout/2)
	defer cancel()
	out, err := do(ctx)
	if err == nil && len(out) == 0 {
		err = &refusal{why: away, detail: "empty reply"}
	}
	return out, err
}

func (m *Master) resting() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.o.Now().Before(m.until) {
		return m.away
	}
	return nil
}

// failed remembers a failure of the service. A caller that went away is none.
func (m *Master) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until, m.away = m.o.Now().Add(rest), err
}

// backoff doubles from try to try, with jitter over the upper half. What the
// service asks for counts, up to the longest pause.
func backoff(try int, asked time.Duration) time.Duration {
	d := min(firstPause<<(try-1), longestPause)
	d = d/2 + rand.N(d/2)
	return min(max(d, asked), longestPause)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

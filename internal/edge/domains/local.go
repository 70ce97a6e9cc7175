package domains

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// RootFile is the name in the storage under which the local CA's root
// certificate rests; where the storage is a directory, it is the path in it.
const RootFile = "local/root.crt"

const (
	rootKeyFile = "local/root.key"
	rootLife    = 10 * 365 * 24 * time.Hour
	// leafLife keeps below the 398 days that browsers take at most.
	leafLife = 90 * 24 * time.Hour
	// skew lets clocks that go slow take a certificate at once.
	skew = time.Hour
	// minted bounds the certificates of loopback names in memory.
	minted = 256
)

// localCA signs certificates for development. Safe for concurrent use.
type localCA struct {
	root    *x509.Certificate
	rootPEM []byte
	key     crypto.Signer

	mu sync.Mutex
	// byName are certificates of loopback names: any of them is served, so they
	// are not worth a place in the storage.
	byName map[string]*tls.Certificate
}

// openLocalCA reads the root, or makes it when there is none; edges that start
// together on one storage go on with the same.
func openLocalCA(ctx context.Context, storage certmagic.Storage) (*localCA, error) {
	if err := storage.Lock(ctx, "local_root"); err != nil {
		return nil, fmt.Errorf("lock local CA: %w", err)
	}
	defer func() { _ = storage.Unlock(context.WithoutCancel(ctx), "local_root") }() // it runs out by itself
	l, err := loadLocalCA(ctx, storage)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeLocalRoot(ctx, storage); err == nil {
			l, err = loadLocalCA(ctx, storage)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open local CA: %w", err)
	}
	return l, nil
}

func loadLocalCA(ctx context.Context, storage certmagic.Storage) (*localCA, error) {
	key, err := storage.Load(ctx, rootKeyFile)
	if err != nil {
		return nil, err
	}
	cert, err := storage.Load(ctx, RootFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || time.Now().Add(leafLife).After(pair.Leaf.NotAfter) {
		return nil, fs.ErrNotExist // as good as none: make another
	}
	return &localCA{root: pair.Leaf, rootPEM: cert, key: signer, byName: map[string]*tls.Certificate{}}, nil
}

func makeLocalRoot(ctx context.Context, storage certmagic.Storage) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	keyPEM, err := certmagic.PEMEncodePrivateKey(key)
	if err != nil {
		return err
	}
	t := template(rootLife)
	t.Subject = pkix.Name{CommonName: "Turnout local development " + t.NotBefore.Format(time.DateOnly)}
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return err
	}
	// The key first: a root without it would be read as whole.
	if err := storage.Store(ctx, rootKeyFile, keyPEM); err != nil {
		return err
	}
	return storage.Store(ctx, RootFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func template(life time.Duration) *x509.Certificate {
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails since Go 1.24
	now := time.Now().UTC()
	return &x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial), NotBefore: now.Add(-skew), NotAfter: now.Add(life)}
}

// sign makes a server's certificate for names and addresses.
func (l *localCA) sign(public crypto.PublicKey, names []string, addresses []net.IP) ([]byte, error) {
	t := template(leafLife)
	t.DNSNames, t.IPAddresses = names, addresses
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return x509.CreateCertificate(rand.Reader, t, l.root, public, l.key)
}

// IssuerKey implements certmagic.Issuer.
func (l *localCA) IssuerKey() string { return "local" }

// Issue implements certmagic.Issuer.
func (l *localCA) Issue(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	der, err := l.sign(csr.PublicKey, csr.DNSNames, csr.IPAddresses)
	if err != nil {
		return nil, certmagic.ErrNoRetry{Err: fmt.Errorf("sign: %w", err)}
	}
	return &certmagic.IssuedCertificate{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// ofLoopback is a certificate for localhost or a name under it; for no name,
// one for the loopback addresses.
func (l *localCA) ofLoopback(name string) (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.byName[name]; c != nil && time.Now().Before(c.Leaf.NotAfter.Add(-leafLife/3)) {
		return c, nil
	}
	c, err := l.mint(name)
	if err != nil {
		return nil, fmt.Errorf("certificate of loopback: %w", err)
	}
	if len(l.byName) >= minted {
		clear(l.byName)
	}
	l.byName[name] = c
	return c, nil
}

func (l *localCA) mint(name string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	names, addresses := []string{name}, []net.IP(nil)
	if name == "" {
		names, addresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	der, err := l.sign(key.Public(), names, addresses)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

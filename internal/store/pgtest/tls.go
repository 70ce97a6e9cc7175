package pgtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// Encrypted is a cluster that also listens on loopback, where it speaks TLS only
// and wants passwords.
type Encrypted struct {
	*Cluster
	// Port is where, on 127.0.0.1. Authority is the file of the CA that signed its
	// certificate, and Stranger that of one that did not.
	Port                int
	Authority, Stranger string
}

// StartEncrypted starts a cluster whose certificate is for host.
func StartEncrypted(ctx context.Context, host string) (*Encrypted, error) {
	c, err := prepare()
	if err != nil {
		return nil, err
	}
	e := &Encrypted{Cluster: c, Authority: filepath.Join(c.dir, "ca.pem"), Stranger: filepath.Join(c.dir, "stranger.pem")}
	if e.Port, _, err = wiretest.Claim(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	for name, value := range map[string]string{
		"listen_addresses": "127.0.0.1", "port": strconv.Itoa(e.Port), "ssl": "on",
		"ssl_cert_file": filepath.Join(c.dir, "server.pem"), "ssl_key_file": filepath.Join(c.dir, "server.key"),
	} {
		c.settings[name] = value
	}
	return e, c.make(ctx, func() error {
		const hba = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
		return errors.Join(e.certify(host), os.WriteFile(filepath.Join(c.data(), "pg_hba.conf"), []byte(hba), 0o600))
	})
}

// certify writes the two authorities, and a certificate of the first.
func (e *Encrypted) certify(host string) error {
	ca, key, err := authority(e.Authority)
	if err != nil {
		return err
	}
	if _, _, err := authority(e.Stranger); err != nil {
		return err
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &own.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(own)
	return errors.Join(err,
		e.write("server.pem", "CERTIFICATE", der),
		e.write("server.key", "PRIVATE KEY", private))
}

// write leaves a file to the server alone.
func (e *Encrypted) write(name, kind string, der []byte) error {
	path := filepath.Join(e.dir, name)
	if err := writePEM(path, kind, der); err != nil {
		return err
	}
	return e.own(path)
}

func authority(path string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: filepath.Base(path)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	return ca, key, writePEM(path, "CERTIFICATE", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

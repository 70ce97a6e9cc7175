package session

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// forms is one key in every form that is accepted.
func forms(t testing.TB, key *rsa.PrivateKey) map[string]string {
	t.Helper()
	pkix, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, body []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: body}))
	}
	return map[string]string{
		"PUBLIC KEY":      text("PUBLIC KEY", pkix),
		"RSA PUBLIC KEY":  text("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)),
		"CERTIFICATE":     text("CERTIFICATE", certificate),
		"RSA PRIVATE KEY": text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
	}
}

func TestParseKeys(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	all := forms(t, key)
	for _, kind := range []string{"PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"} {
		got, err := ParseKeys([]byte("\n" + all[kind] + "\n"))
		if err != nil || len(got) != 1 || !got[0].Equal(&key.PublicKey) {
			t.Errorf("%s: %v %v", kind, got, err)
		}
	}
	if got, err := ParseKeys([]byte(all["PUBLIC KEY"] + all["CERTIFICATE"])); err != nil || len(got) != 2 {
		t.Errorf("two in one file: %d %v", len(got), err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := x509.MarshalPKIXPublicKey(&curve.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for text, part := range map[string]string{
		"":                                   "no key",
		"demo":                               "not PEM",
		all["RSA PRIVATE KEY"]:               "public half",
		all["PUBLIC KEY"] + "and more":       "not PEM",
		all["PUBLIC KEY"][:100]:              "damaged",
		"-----BEGIN X-----\n-----END X-----": "PUBLIC KEY",
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: wrong})): "RS256",
	} {
		if _, err := ParseKeys([]byte(text)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestKeysAreKeptOnce(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var k Keys
	for range 2 {
		if n, err := k.Add(&key.PublicKey); n != 1 || err != nil {
			t.Errorf("%d keys, %v", n, err)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMA==\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if keys, err := ParseKeys(text); (err == nil) != (len(keys) > 0) {
			t.Errorf("%d keys, %v", len(keys), err)
		}
	})
}

// An org trusts so many keys and no more, however they come.
func TestKeysAreBounded(t *testing.T) {
	var keys Keys
	made := func(n int) []*rsa.PublicKey {
		list := make([]*rsa.PublicKey, n)
		for i := range list {
			list[i] = &rsa.PublicKey{N: big.NewInt(int64(1000 + i)), E: 65537}
		}
		return list
	}
	for range 2 { // known ones are not counted twice
		if n, err := keys.Add(made(MaxKeys)...); err != nil || n != MaxKeys {
			t.Fatal(n, err)
		}
	}
	if n, err := keys.Add(made(MaxKeys + 1)...); err == nil || n != MaxKeys || len(keys.All()) != MaxKeys {
		t.Errorf("%d keys, %v", n, err)
	}
}

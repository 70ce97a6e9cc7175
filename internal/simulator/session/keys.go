package session

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// MaxKeys bounds how many keys an org trusts: each failed assertion tries all.
const MaxKeys = 100

// Keys are the public keys whose JWT bearer assertions are accepted, as an
// administrator uploads them with an app. All methods are safe for concurrent
// use; the zero value trusts nobody.
type Keys struct {
	mu   sync.RWMutex
	list []*rsa.PublicKey
}

// Add trusts more keys; those that are trusted already are not kept twice. It
// returns how many are trusted now.
func (k *Keys) Add(keys ...*rsa.PublicKey) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := k.list
	for _, key := range keys {
		if !slices.ContainsFunc(list, func(known *rsa.PublicKey) bool { return known.Equal(key) }) {
			list = append(list, key)
		}
	}
	if len(list) > MaxKeys {
		return len(k.list), fmt.Errorf("an org trusts at most %d keys", MaxKeys)
	}
	k.list = list
	return len(list), nil
}

// All copies the trusted keys.
func (k *Keys) All() []*rsa.PublicKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Clone(k.list)
}

// ParseKeys reads RSA public keys and certificates from PEM text, which must
// hold at least one and nothing else but white space.
func ParseKeys(text []byte) ([]*rsa.PublicKey, error) {
	var keys []*rsa.PublicKey
	for rest := bytes.TrimSpace(text); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		if !bytes.HasPrefix(rest, []byte("-----BEGIN")) {
			return nil, errors.New("this is not PEM: a key begins with -----BEGIN PUBLIC KEY----- and a certificate with -----BEGIN CERTIFICATE-----")
		}
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("the PEM text is cut off or damaged")
		}
		key, err := parseBlock(block)
		if err != nil {
			return nil, fmt.Errorf("reading a %s: %w", block.Type, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key in it: give a public key or a certificate as PEM")
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (*rsa.PublicKey, error) {
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = certificate.PublicKey
		}
	case "PRIVATE KEY", "RSA PRIVATE KEY":
		return nil, errors.New("a private key stays with who signs; give its public half: openssl pkey -in KEY -pubout")
	default:
		return nil, errors.New("give a PUBLIC KEY or a CERTIFICATE")
	}
	if err != nil {
		return nil, err
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("assertions are signed with RS256, which needs an RSA key")
	}
	return public, nil
}

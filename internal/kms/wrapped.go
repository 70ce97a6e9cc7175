package kms

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/turnout-events/turnout/internal/seal"
)

// A wrapped org key is
//
//	8 bytes   the format: service and version, "aws-kms1", "gcp-kms1", "hcvault1"
//	2 bytes   length of the key's URI, big endian
//	          the key's URI when it was wrapped: for messages, decides nothing
//	          what the service answered
//
// The format is as long as the id of a master key in a file and, unlike it,
// not hexadecimal: neither is taken for the other, and a master key file that
// meets a value of a service names the service.
const formatSize = 8

type wrapped struct {
	format     string
	uri        string
	ciphertext []byte
}

func (w wrapped) bytes() []byte {
	out := make([]byte, 0, formatSize+2+len(w.uri)+len(w.ciphertext))
	out = append(out, w.format...)
	out = binary.BigEndian.AppendUint16(out, uint16(len(w.uri)))
	out = append(out, w.uri...)
	return append(out, w.ciphertext...)
}

// parseWrapped reads bytes from the store. Its errors are seal.ErrSealed.
func parseWrapped(b []byte) (wrapped, error) {
	if len(b) < formatSize {
		return wrapped{}, fmt.Errorf("unwrap org key: it is cut short: %w", seal.ErrSealed)
	}
	w := wrapped{format: string(b[:formatSize])}
	switch w.format {
	case formatAWS, formatGCP, formatVault:
	default:
		return wrapped{}, strange(w.format)
	}
	rest := b[formatSize:]
	if len(rest) < 2 {
		return wrapped{}, fmt.Errorf("unwrap org key: it is cut short: %w", seal.ErrSealed)
	}
	n := int(binary.BigEndian.Uint16(rest))
	if rest = rest[2:]; n > maxURI || len(rest) <= n {
		return wrapped{}, fmt.Errorf("unwrap org key: it is cut short: %w", seal.ErrSealed)
	}
	w.uri, w.ciphertext = string(rest[:n]), rest[n:]
	return w, nil
}

// strange says which master key a value needs that no service wrapped.
func strange(id string) error {
	if strings.Trim(id, "0123456789abcdef") == "" {
		return fmt.Errorf("unwrap org key: it was wrapped by key %q of a master key file, not by a KMS; keep that file until turnout keys rotate-master --rewrap-only has run: %w", id, seal.ErrSealed)
	}
	return fmt.Errorf("unwrap org key: its format %q is unknown: %w", id, seal.ErrSealed)
}

// binding is what stands for the associated data: a hash, so that no service
// and none of its logs learns the names of orgs, and of a length that all take.
func binding(ad []byte) []byte {
	sum := sha256.Sum256(append([]byte("turnout org key\x00"), ad...))
	return sum[:]
}

// bind puts the binding before the key: a service that passes over associated
// data, as Vault before 1.13 and keys of the wrong type may, is found out.
func bind(key, bound []byte) []byte {
	return append(append(make([]byte, 0, len(bound)+len(key)), bound...), key...)
}

// unbind reverses bind and checks the binding.
func unbind(plain, bound []byte) ([]byte, error) {
	if len(plain) < len(bound) || subtle.ConstantTimeCompare(plain[:len(bound)], bound) != 1 {
		return nil, fmt.Errorf("unwrap org key: it was wrapped for another place: %w", seal.ErrSealed)
	}
	return plain[len(bound):], nil
}

package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrSealed says that a sealed value does not open: it was changed, moved, or
// sealed under another key.
var ErrSealed = errors.New("sealed value does not open")

// errVersion says that the org key of this version is not in memory.
var errVersion = errors.New("unknown org key version")

// KeySize is the size of every key in bytes (AES-256).
const KeySize = 32

const (
	format    = 1  // first byte of every sealed value
	nonceSize = 12 // bytes, GCM's standard nonce
	tagSize   = 16 // bytes, GCM's tag
)

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use key: %w", err)
	}
	return cipher.NewGCM(block)
}

// sealTo appends format, nonce, ciphertext and tag to dst.
func sealTo(dst []byte, aead cipher.AEAD, plain, ad []byte) []byte {
	dst = append(dst, format)
	start := len(dst)
	dst = append(dst, make([]byte, nonceSize)...)
	_, _ = rand.Read(dst[start:]) // never fails since Go 1.24
	return aead.Seal(dst, dst[start:start+nonceSize], plain, ad)
}

// open reverses sealTo.
func open(aead cipher.AEAD, sealed, ad []byte) ([]byte, error) {
	if len(sealed) < 1+nonceSize+tagSize || sealed[0] != format {
		return nil, ErrSealed
	}
	plain, err := aead.Open(nil, sealed[1:1+nonceSize], sealed[1+nonceSize:], ad)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// associated joins parts so that no two lists of parts give the same bytes.
func associated(parts ...string) []byte {
	n := 0
	for _, p := range parts {
		n += 2 + len(p)
	}
	ad := make([]byte, 0, n)
	for _, p := range parts {
		ad = binary.BigEndian.AppendUint16(ad, uint16(len(p)))
		ad = append(ad, p...)
	}
	return ad
}

func newKey() []byte {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key)
	return key
}

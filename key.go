package turnout

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"
)

// Key is a registration's identity: made when its form is rendered (or given
// by an API client as Idempotency-Key), and its External ID in Salesforce, so
// that every retry on any layer is an upsert of the same record (P1).
//
// It is 1 to 64 of a-z, 0-9, "-" and "_": safe in a Salesforce URL, where a
// value that looks like a file name is misread, and never differing by case
// alone, since an External ID may be case-insensitive.
type Key string

const keyAlphabet = "0123456789abcdefghijklmnopqrstuv"

// keyEncoding is made once, since making one takes longer than using it.
var keyEncoding = base32.NewEncoding(keyAlphabet).WithPadding(base32.NoPadding)

// NewKey makes a key of 26 characters: 48 bits of time, so that keys made
// together lie together in an index, and 80 random bits.
func NewKey(now time.Time) Key {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails since Go 1.24
	return Key(keyEncoding.EncodeToString(b[:]))
}

// ParseKey reads a key as a client sent it, with or without the quotes of a
// structured header.
func ParseKey(s string) (Key, error) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	k := Key(strings.ToLower(s))
	if !k.Valid() {
		return "", Errorf(CodeMalformed, "read idempotency key", "use 1 to 64 letters, digits, hyphens or underscores")
	}
	return k, nil
}

// Valid reports whether k has the form that Key describes.
func (k Key) Valid() bool {
	if len(k) < 1 || len(k) > 64 {
		return false
	}
	for i := range len(k) {
		c := k[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// Reference is the short form of a key that people read out: its last eight
// characters, which are random, in two groups.
func (k Key) Reference() string {
	s := strings.ToUpper(string(k))
	if len(s) < 8 {
		return s
	}
	s = s[len(s)-8:]
	return s[:4] + "-" + s[4:]
}

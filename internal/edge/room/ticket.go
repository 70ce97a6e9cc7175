package room

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// Ticket is a place in line.
type Ticket struct {
	Number          uint64 // from 1
	Issued, Expires time.Time
}

// A ticket as text is base64url of number (8 bytes), time of issue and expiry
// (4 bytes each, seconds since 1970) and the first 16 bytes of HMAC-SHA-256 over
// them under the room's key. 43 characters; one ticket has one text.
const (
	bodySize   = 16
	macSize    = 16
	ticketSize = 43
)

var encoding = base64.RawURLEncoding.Strict()

// Keys sign and verify tickets. Immutable, so safe for concurrent use.
type Keys struct{ all [][]byte }

// NewKeys takes the current key first, which signs; the older ones verify only.
// Each has at least 32 bytes.
func NewKeys(current []byte, older ...[]byte) (*Keys, error) {
	k := &Keys{}
	for _, key := range append([][]byte{current}, older...) {
		if len(key) < 32 {
			return nil, errors.New("make ticket keys: a key is shorter than 32 bytes")
		}
		k.all = append(k.all, append([]byte(nil), key...))
	}
	return k, nil
}

// sealer is the keys of one room, so that a ticket of another is a forgery.
type sealer struct{ keys [][]byte }

func (k *Keys) forRoom(name string) sealer {
	var s sealer
	for _, key := range k.all {
		h := hmac.New(sha256.New, key)
		h.Write([]byte("waiting room ticket 1\x00" + name))
		s.keys = append(s.keys, h.Sum(nil))
	}
	return s
}

func mac(key, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(body)
	return h.Sum(nil)[:macSize]
}

// text seals a ticket under the current key.
func (s sealer) text(t Ticket) string {
	b := make([]byte, 0, bodySize+macSize)
	b = binary.BigEndian.AppendUint64(b, t.Number)
	b = binary.BigEndian.AppendUint32(b, uint32(t.Issued.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(t.Expires.Unix()))
	return encoding.EncodeToString(append(b, mac(s.keys[0], b)...))
}

// open reads what a client sent. Forged, truncated, another room's or expired:
// no ticket, and no word about which it was.
func (s sealer) open(text string, now time.Time) (Ticket, bool) {
	var b [bodySize + macSize]byte
	if len(text) != ticketSize {
		return Ticket{}, false
	}
	if n, err := encoding.Decode(b[:], []byte(text)); err != nil || n != len(b) {
		return Ticket{}, false
	}
	for _, key := range s.keys {
		if !hmac.Equal(mac(key, b[:bodySize]), b[bodySize:]) {
			continue
		}
		t := Ticket{
			Number:  binary.BigEndian.Uint64(b[:]),
			Issued:  time.Unix(int64(binary.BigEndian.Uint32(b[8:])), 0),
			Expires: time.Unix(int64(binary.BigEndian.Uint32(b[12:])), 0),
		}
		return t, t.Number > 0 && now.Before(t.Expires)
	}
	return Ticket{}, false
}

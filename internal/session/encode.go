package session

import (
	"encoding/binary"
	"time"

	"github.com/turnout-events/turnout"
)

// A session in bytes, before it is sealed: version, id, person, began and seen in
// seconds since 1970 (32 bits, until 2106), then its links, each as event and
// token with their lengths before them.
const (
	version = 1
	fixed   = 1 + 16 + 16 + 4 + 4
)

// Encode is the session in bytes.
func (s Session) Encode() []byte {
	b := make([]byte, 0, fixed+64*len(s.Links))
	b = append(b, version)
	b = append(b, s.ID[:]...)
	b = append(b, s.Person[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(s.Began.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(s.Seen.Unix()))
	for _, l := range s.Links {
		b = append(append(b, byte(len(l.Event))), l.Event...)
		b = append(append(b, byte(len(l.Token))), l.Token...)
	}
	return b
}

// Decode reads what Encode wrote; false for anything else.
func Decode(b []byte) (Session, bool) {
	if len(b) < fixed || b[0] != version {
		return Session{}, false
	}
	s := Session{ID: ID(b[1:17]), Person: turnout.PersonID(b[17:33]), Began: at(b[33:]), Seen: at(b[37:])}
	for b = b[fixed:]; len(b) > 0; {
		event, rest, eventOK := cut(b)
		token, rest, tokenOK := cut(rest)
		if !eventOK || !tokenOK || len(s.Links) == MostLinks || !turnout.ValidToken(token) {
			return Session{}, false
		}
		s.Links, b = append(s.Links, Link{turnout.EventID(event), token}), rest
	}
	return s, true
}

func at(b []byte) time.Time { return time.Unix(int64(binary.BigEndian.Uint32(b)), 0).UTC() }

// cut takes a text with its length before it.
func cut(b []byte) (text string, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return "", nil, false
	}
	return string(b[1 : 1+int(b[0])]), b[1+int(b[0]):], true
}

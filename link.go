package turnout

import (
	"encoding/hex"
	"time"
)

// LinkID is how an AttendeeLink is stored: a keyed hash of its token, so that
// neither cache nor backup gives a working link away.
type LinkID [16]byte

// String is the id in hexadecimal. It is safe in logs.
func (id LinkID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether there is no link.
func (id LinkID) IsZero() bool { return id == LinkID{} }

// AttendeeLink is a person's own URL for one event, as the cache holds it.
type AttendeeLink struct {
	ID     LinkID
	Org    OrgID
	Event  EventID
	Person PersonID
	// Sealed is the Invite under the person's data key.
	Sealed []byte
	// Changed is when Salesforce last changed it; an older copy never replaces a newer.
	Changed time.Time
}

// Invite is what an AttendeeLink opens to.
type Invite struct {
	Person Person `json:"person"`
	// Record is the link's own record in Salesforce.
	Record string `json:"record,omitempty"`
	// Contact and Lead are the person's record, whichever it is; both may be empty.
	Contact string `json:"contact,omitempty"`
	Lead    string `json:"lead,omitempty"`
}

// MaxToken is the longest link token that is looked at, in bytes.
const MaxToken = 128

// ValidToken reports whether s can be the token of an AttendeeLink: 8 to
// MaxToken of A-Z, a-z, 0-9, "-" and "_".
func ValidToken(s string) bool {
	if len(s) < 8 || len(s) > MaxToken {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

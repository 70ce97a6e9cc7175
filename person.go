package turnout

import (
	"encoding/hex"
	"net/mail"
	"strings"
	"unicode"
)

// Person is all that Turnout keeps of a person besides what they answer
// (P8): e-mail, name, title and company. It is sealed wherever it rests.
type Person struct {
	Email     string `json:"email"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Title     string `json:"title,omitempty"`
	Company   string `json:"company,omitempty"`
}

// Name is the first and last name, as said aloud.
func (p Person) Name() string { return strings.TrimSpace(p.FirstName + " " + p.LastName) }

// Longest values that Salesforce's own person fields take, in characters
// (Lead and Contact in the object reference, API v65.0).
const (
	MaxFirstName = 40
	MaxLastName  = 80
	MaxEmail     = 80
	MaxTitle     = 128
	MaxCompany   = 255
)

// PersonID names a person within an org without saying who it is: the blind
// index of the e-mail address, a keyed hash (P8).
type PersonID [16]byte

// String is the id in hexadecimal. It is safe in logs.
func (id PersonID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id names nobody.
func (id PersonID) IsZero() bool { return id == PersonID{} }

// DataKey is a person's key as it rests: wrapped by an org key.
type DataKey struct {
	Person PersonID
	// Wrapped is the key under the org key, of which it carries the version.
	Wrapped []byte
	// Stored says that it was read from the store. One that is no longer there
	// was destroyed and must not come back.
	Stored bool
}

// Rewrapped is a data key whose wrapped form is to be replaced.
type Rewrapped struct {
	DataKey
	// Anew is the same key under the org's current one.
	Anew []byte
}

// FoldEmail is the form of an address by which people are told apart: trimmed
// and in lower case.
func FoldEmail(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// ValidEmail reports whether s is one plain address that Salesforce's e-mail
// field takes.
func ValidEmail(s string) bool {
	if len(s) > MaxEmail {
		return false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s {
		return false
	}
	at := strings.LastIndexByte(s, '@')
	local, domain := s[:at], s[at+1:]
	return len(local) <= 64 && !strings.ContainsAny(local, `" ()<>,;:\[]`) && !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) && validDomain(domain)
}

// validDomain takes at least two labels of letters, digits and inner hyphens:
// Salesforce knows international names in their ASCII form alone.
func validDomain(s string) bool {
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return len(labels) > 1 && len(labels[len(labels)-1]) > 1
}

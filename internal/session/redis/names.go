package redis

import (
	"encoding/hex"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/session"
)

// names are the keys that a session has to do with. All of an org's have one hash
// tag, so that they lie together and one script may touch them.
type names struct {
	session string
	// person lists a person's sessions by when they were seen, org an org's.
	person, org string
	// personMark and orgMark hold when those were ended, in seconds since 1970.
	personMark, orgMark string
	binding             string
}

// orgNames are those that name nobody.
func orgNames(ring *seal.Ring) names {
	base := "turnout:{" + hashed(ring, "org") + "}:"
	return names{org: base + "all", orgMark: base + "ended"}
}

// personNames are those of a person besides.
func personNames(ring *seal.Ring, person turnout.PersonID) names {
	n := orgNames(ring)
	base := n.org[:len(n.org)-len("all")]
	id := hashed(ring, "person", person.String())
	n.person, n.personMark = base+"person:"+id, base+"ended:"+id
	return n
}

// namesOf are all.
func namesOf(ring *seal.Ring, b session.Binding, s session.Session) names {
	n := personNames(ring, s.Person)
	n.session = n.org[:len(n.org)-len("all")] + "session:" + hashed(ring, "session", b.Name(), s.ID.String())
	n.binding = b.Name()
	return n
}

// hashed is a part of a key's name that only the org's own keyring can compute.
func hashed(ring *seal.Ring, parts ...string) string {
	return hex.EncodeToString(ring.MAC("session key", parts...)[:16])
}

// kind is what a sealed value is.
const kind = "session kept"

// What a value begins with, before what is sealed.
const (
	isKept  = 's'
	isEnded = 'e'
)

// seal is a session as it rests under its name.
func (n names) seal(ring *seal.Ring, s session.Session) string {
	return string(isKept) + string(ring.Seal(s.Encode(), kind, n.binding+" "+n.session))
}

// open reverses seal, without the first letter.
func (n names) open(ring *seal.Ring, sealed []byte) (session.Session, bool) {
	plain, err := ring.Open(sealed, kind, n.binding+" "+n.session)
	if err != nil {
		return session.Session{}, false
	}
	return session.Decode(plain)
}

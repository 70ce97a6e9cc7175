package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
)

// Header carries a hook's signature.
const Header = "Turnout-Signature"

// Skew is how far a hook's time may be from ours, in either direction.
const Skew = 5 * time.Minute

// maxSignatures is how many signatures are compared: one each for the old and
// the new secret, and room for a sender that is unsure.
const maxSignatures = 4

// maxHeader bounds the header in bytes; four signatures take 300.
const maxHeader = 512

// Signature is a header that was read but not believed yet.
type Signature struct {
	// Stamp is the time as it was sent, which is what was signed.
	Stamp string
	At    time.Time
	MACs  [][]byte
}

// ParseSignature reads "t=UNIX,v1=HEX[,v1=HEX]". Entries of another version
// are passed over. The time must be written as numbers are, without sign or
// leading zeros, so that one instant has one spelling.
func ParseSignature(header string) (Signature, error) {
	bad := turnout.Errorf(turnout.CodeUnauthorized, "read hook signature", "send %s: t=UNIX,v1=HEX", Header)
	if len(header) > maxHeader {
		return Signature{}, bad
	}
	var s Signature
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			unix, err := strconv.ParseInt(value, 10, 64)
			if err != nil || unix < 0 || s.Stamp != "" || strconv.FormatInt(unix, 10) != value {
				return Signature{}, bad
			}
			s.Stamp, s.At = value, time.Unix(unix, 0).UTC()
		case "v1":
			mac, err := hex.DecodeString(value)
			if err != nil || len(mac) != sha256.Size || len(s.MACs) == maxSignatures {
				return Signature{}, bad
			}
			s.MACs = append(s.MACs, mac)
		}
	}
	if s.Stamp == "" || len(s.MACs) == 0 {
		return Signature{}, bad
	}
	return s, nil
}

// Verify reports whether one of the secrets made one of the signatures over
// body, and whether its time is within Skew of now. Both refusals read the
// same, and every secret is tried whatever came of the one before.
func (s Signature) Verify(body []byte, secrets []string, now time.Time) error {
	ok := 0
	for _, secret := range secrets {
		if secret == "" { // anybody could sign with that
			continue
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(s.Stamp + "."))
		mac.Write(body)
		want := mac.Sum(nil)
		for _, got := range s.MACs {
			if hmac.Equal(got, want) {
				ok++
			}
		}
	}
	if age := now.Sub(s.At); ok == 0 || age > Skew || age < -Skew {
		return turnout.Errorf(turnout.CodeUnauthorized, "check hook signature",
			"sign with the org's hook secret, and with a clock at most %d minutes off", int(Skew/time.Minute))
	}
	return nil
}

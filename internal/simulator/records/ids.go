package records

import "strings"

const (
	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// instance stands between key prefix and number in every id of this org.
	instance = "Sm0"
	suffixes = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
)

// ID makes the 18-character id of the n-th record of an object.
func ID(prefix string, n uint32) string {
	var id [18]byte
	copy(id[:], prefix)
	copy(id[3:], instance)
	n++ // number 0 is never given out
	for i := 14; i >= 6; i-- {
		id[i] = base62[n%62]
		n /= 62
	}
	checksum(id[:15], id[15:])
	return string(id[:])
}

// checksum writes the three characters that make an id safe where case is
// lost: one per five characters, with a bit for each capital.
func checksum(id []byte, out []byte) {
	for chunk := range 3 {
		bits := 0
		for i := range 5 {
			if c := id[chunk*5+i]; c >= 'A' && c <= 'Z' {
				bits |= 1 << i
			}
		}
		out[chunk] = suffixes[bits]
	}
}

// WellFormed reports whether text looks like a record id: 15 or 18 letters and
// digits, the longer form with the right checksum.
func WellFormed(id string) bool {
	if len(id) != 15 && len(id) != 18 {
		return false
	}
	for i := range len(id) {
		if digit(id[i]) < 0 {
			return false
		}
	}
	if len(id) == 15 {
		return true
	}
	var sum [3]byte
	checksum([]byte(id[:15]), sum[:])
	return string(sum[:]) == strings.ToUpper(id[15:])
}

// number reads the record number out of a well-formed id; false for ids of
// another org.
func number(id string) (uint32, bool) {
	if id[3:6] != instance {
		return 0, false
	}
	var n uint64
	for i := 6; i < 15; i++ {
		n = n*62 + uint64(digit(id[i]))
		if n > 1<<32 {
			return 0, false
		}
	}
	if n == 0 {
		return 0, false
	}
	return uint32(n - 1), true
}

// Long turns a 15-character id into the 18-character form; any other text
// comes back as it is.
func Long(id string) string {
	if len(id) != 15 || !WellFormed(id) {
		return id
	}
	return long(id)
}

// digit is the value of a base-62 digit, -1 for any other byte.
func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 36
	}
	return -1
}

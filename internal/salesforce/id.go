package salesforce

// ID normalises a record id to its 18 characters: the case-sensitive 15 and a
// checksum of three that says which of them are upper case. It returns "" for
// anything that cannot be an id, a wrong checksum included.
func ID(s string) string {
	if len(s) != 15 && len(s) != 18 {
		return ""
	}
	for i := range 15 {
		if !alphanumeric(s[i]) {
			return ""
		}
	}
	id := s[:15] + checksum(s[:15])
	if len(s) == 18 && !sameFold(s[15:], id[15:]) {
		return ""
	}
	return id
}

// Object prefixes of ids that are the same in every org.
const (
	PrefixContact = "003"
	PrefixLead    = "00Q"
)

func alphanumeric(c byte) bool {
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
}

// checksum has one character for each five of the id; bit n of its index says
// whether the n-th of the five is an upper-case letter.
func checksum(id string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	var sum [3]byte
	for block := range 3 {
		index := 0
		for bit := range 5 {
			if c := id[block*5+bit]; c >= 'A' && c <= 'Z' {
				index |= 1 << bit
			}
		}
		sum[block] = alphabet[index]
	}
	return string(sum[:])
}

func sameFold(a, b string) bool {
	for i := range len(a) {
		x := a[i]
		if x >= 'a' && x <= 'z' {
			x -= 'a' - 'A'
		}
		if x != b[i] {
			return false
		}
	}
	return true
}

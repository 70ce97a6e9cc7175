package words

import "unicode/utf16"

// Units is how many characters Salesforce may count for one: UTF-16 units, and two for
// a line break, which long text areas keep as CR LF.
func Units(r rune) int {
	if r == '\n' {
		return 2
	}
	return max(1, utf16.RuneLen(r))
}

// UnitsOf is how many it may count for a text.
func UnitsOf(text string) (n int) {
	for _, r := range text {
		n += Units(r)
	}
	return n
}

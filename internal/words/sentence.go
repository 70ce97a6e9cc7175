package words

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentence gives an error's lower-case words a capital and a full stop; nothing stays
// nothing.
func Sentence(s string) string {
	if s == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(first)) + s[size:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

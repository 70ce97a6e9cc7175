package soql

import "strings"

// Plain is a text literal as a value, for every operator but LIKE.
func (l Literal) Plain() string { return strings.ReplaceAll(l.Text, "\x00", "") }

// Like reports whether a value matches a pattern of LIKE: % for any text, _
// for one character, without regard to case.
func Like(pattern, value string) bool {
	return like([]rune(strings.ToLower(pattern)), []rune(strings.ToLower(value)))
}

// like remembers only the last %: what stands before an earlier one need not
// be tried again once the later one is reached, so the work stays the product
// of the two lengths.
func like(pattern, value []rune) bool {
	p, v := 0, 0
	star, mark := -1, 0
	for v < len(value) {
		switch {
		case p < len(pattern) && pattern[p] == escaped && p+1 < len(pattern) && pattern[p+1] == value[v]:
			p, v = p+2, v+1
		case p < len(pattern) && pattern[p] == '%':
			star, mark = p, v
			p++
		case p < len(pattern) && (pattern[p] == '_' || pattern[p] == value[v]):
			p, v = p+1, v+1
		case star >= 0:
			mark++
			p, v = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '%' {
		p++
	}
	return p == len(pattern)
}

// Package cut writes pages that were rendered once and differ per request in
// a few values only.
//
// A page is rendered with marks where the values go (Marks makes them), New
// cuts it there, and AppendTo writes the parts with the values between them,
// escaped as html/template would have escaped them. It promises the very bytes
// that a full rendering gives, for values in text, in quoted attributes and in
// textarea or title elements. Values inside scripts, styles, URLs or unquoted
// attributes are none of its business: html/template escapes those otherwise.
package cut

import (
	"bytes"
	"crypto/rand"
	"slices"
)

// Template is a page cut at its marks. It is never changed after New, so any
// number of goroutines may write it at once.
type Template struct {
	// parts has one entry more than slots; slots[i] stands between parts[i] and
	// parts[i+1] and is the number of the value that goes there.
	parts [][]byte
	slots []int
	size  int
}

// Value is what goes to a mark.
type Value struct {
	text string
	raw  bool
}

// Text is a value from anywhere; it is escaped.
func Text(s string) Value { return Value{text: s} }

// HTML is a value that html/template made, written as it is. Nothing that a
// visitor or an organiser typed may come in here unescaped.
func HTML(s string) Value { return Value{text: s, raw: true} }

// Marks makes n marks that stand in no text by chance or by intent: each
// carries 128 random bits, and html/template leaves them as they are.
func Marks(n int) []string {
	marks := make([]string, n)
	for i := range marks {
		marks[i] = "cut" + rand.Text() + "here"
	}
	return marks
}

// New cuts html at every occurrence of every mark. A mark may occur any number
// of times, none included: its value is then not written.
func New(html []byte, marks []string) *Template {
	type hit struct{ at, mark int }
	var hits []hit
	for i, mark := range marks {
		for from := 0; mark != ""; {
			n := bytes.Index(html[from:], []byte(mark))
			if n < 0 {
				break
			}
			hits = append(hits, hit{from + n, i})
			from += n + len(mark)
		}
	}
	slices.SortFunc(hits, func(a, b hit) int { return a.at - b.at })
	t := &Template{}
	last := 0
	for _, h := range hits {
		t.add(html[last:h.at])
		t.slots = append(t.slots, h.mark)
		last = h.at + len(marks[h.mark])
	}
	t.add(html[last:])
	return t
}

func (t *Template) add(part []byte) {
	t.parts = append(t.parts, bytes.Clone(part))
	t.size += len(part)
}

// Size is the number of bytes that the page has without any value.
func (t *Template) Size() int { return t.size }

// AppendTo appends the page to dst, with values in the order of New's marks. A
// value that is not given is empty; values beyond the marks are left out.
func (t *Template) AppendTo(dst []byte, values ...Value) []byte {
	for i, slot := range t.slots {
		dst = append(dst, t.parts[i]...)
		if slot >= len(values) {
			continue
		}
		if v := values[slot]; v.raw {
			dst = append(dst, v.text...)
		} else {
			dst = Escape(dst, v.text)
		}
	}
	return append(dst, t.parts[len(t.parts)-1]...)
}

// Escape appends s to dst as html/template writes a string in text or in a
// quoted attribute.
func Escape(dst []byte, s string) []byte {
	last := 0
	for i := range len(s) {
		entity := entityOf(s[i])
		if entity == "" {
			continue
		}
		dst = append(dst, s[last:i]...)
		dst = append(dst, entity...)
		last = i + 1
	}
	return append(dst, s[last:]...)
}

// entityOf is the replacement table of html/template's HTML escaper (Go 1.26);
// all of its keys are ASCII, so bytes are enough.
func entityOf(c byte) string {
	switch c {
	case 0:
		return "\uFFFD"
	case '"':
		return "&#34;"
	case '&':
		return "&amp;"
	case '\'':
		return "&#39;"
	case '+':
		return "&#43;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	}
	return ""
}

package mapping

import (
	"strconv"

	"github.com/turnout-events/turnout/internal/words"
)

// fit cuts a free text to what its field takes and says so at its end: the
// whole is kept in Turnout. Any other value that is too long is left for
// Salesforce to refuse, and a person decides.
func (w *writer) fit(word, text string) string {
	if w.object == nil {
		return text
	}
	field, ok := w.object.Field(w.m.Registration.Fields[word])
	if !ok || field.Length <= 0 {
		return text
	}
	return cut(text, field.Length)
}

// cut keeps the start of text and marks the cut, within limit characters.
func cut(text string, limit int) string {
	total := words.UnitsOf(text)
	if total <= limit {
		return text
	}
	marker := "\n[cut here: " + strconv.Itoa(total) + " characters did not fit; see Turnout for the rest]"
	room := limit - len(marker) - 1 // one more for the marker's line break
	if room < 0 {
		marker, room = "[…]", max(0, limit-3)
	}
	used := 0
	for at, r := range text {
		if used+words.Units(r) > room {
			return text[:at] + marker
		}
		used += words.Units(r)
	}
	return text
}

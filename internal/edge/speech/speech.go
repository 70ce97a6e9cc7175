// Package speech is what an edge says to people by itself, in the languages that there
// are words for: of the line that they wait in, and of what is refused.
package speech

import (
	"embed"
	"net/http"

	"github.com/turnout-events/turnout/internal/words"
)

//go:embed words/*.json
var files embed.FS

// New reads the words, which are part of the program: a test holds that they are whole.
func New() *words.Languages { return words.Must(words.Read(files, "words", nil)) }

// To is the language in which somebody is spoken to: of those that are spoken here the one
// that their browser likes best, or otherwise, which is their org's; the edge does not know an event's.
func To(all *words.Languages, r *http.Request, otherwise string) *words.Language {
	return all.Of(append(words.Accepted(r.Header.Get("Accept-Language")), otherwise)...)
}

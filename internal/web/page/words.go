package page

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed words/*.json
var wordFiles embed.FS

// words are the sentences of the pages in one language, by key. A language is
// a file in words/; the keys are the same in each.
type words map[string]string

// wordsOf reads a language's file.
func wordsOf(language string) (words, error) {
	b, err := wordFiles.ReadFile("words/" + language + ".json")
	if err != nil {
		return nil, fmt.Errorf("read words: %w", err)
	}
	w := words{}
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("read words of %s: %w", language, err)
	}
	return w, nil
}

// say fills args into the sentence. A key without a sentence shows itself, so
// that the test which looks for that finds it.
func (w words) say(key string, args ...any) string {
	s, ok := w[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return s
	}
	return fmt.Sprintf(s, args...)
}

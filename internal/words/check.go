package words

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// optional is how keys begin that a language may have and English need not.
const optional = "city."

// against holds a language to English, sentence by sentence.
func (l *Language) against(english *Language) []error {
	var faults []error
	for _, key := range sortedKeys(english.sentences) {
		s, ok := l.sentences[key]
		want := english.sentences[key]
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("words of %s: %q is missing", l.Tag, key))
		case strings.TrimSpace(s) == "" && strings.TrimSpace(want) != "":
			faults = append(faults, fmt.Errorf("words of %s: %q is empty", l.Tag, key))
		case !slices.Equal(verbs(s), verbs(want)):
			faults = append(faults, fmt.Errorf("words of %s: %q fills in %v and should fill in %v", l.Tag, key, verbs(s), verbs(want)))
		}
	}
	for _, key := range sortedKeys(l.sentences) {
		if _, ok := english.sentences[key]; !ok && !strings.HasPrefix(key, optional) {
			faults = append(faults, fmt.Errorf("words of %s: nothing says %q", l.Tag, key))
		}
	}
	return append(faults, l.names.check(l.Tag)...)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// verbs are what a sentence fills in, as "1s 2d", in the order of the values: a
// language may say them in an order of its own by "%[2]s".
func verbs(sentence string) []string {
	var found []string
	next := 1
	for _, m := range regexp.MustCompile(`%(?:\[(\d+)\])?(.?)`).FindAllStringSubmatch(sentence, -1) {
		if m[2] == "%" {
			continue
		}
		if m[1] != "" {
			next, _ = strconv.Atoi(m[1]) // digits, or a number that no sentence has
		}
		found = append(found, strconv.Itoa(next)+m[2])
		next++
	}
	slices.Sort(found)
	return found
}

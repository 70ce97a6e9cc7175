// Package words says the sentences of pages in the languages that they are in.
//
// A language is a file of sentences by key. English is the one that has to be there:
// what another one lacks of it, has beyond it, or fills in otherwise, is an error when
// the files are read, so that no page is ever half in one language and half in another.
// The package does no I/O besides, and any number of goroutines may use what it returns.
package words

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// first is the language that others are held to, and that is spoken where none of
// those asked for is.
const first = "en"

// Languages are all that is spoken.
type Languages struct {
	by    map[string]*Language // by primary language
	first *Language
}

// Language is one of them.
type Language struct {
	// Tag is its primary language (BCP 47), such as "de".
	Tag       string
	sentences map[string]string
	names     names
}

// Read reads the languages of a directory: a file for each, named by its tag, which
// is a JSON object of sentences. English has those of english besides its file's. The
// error has all that is wrong.
func Read(files fs.FS, dir string, english map[string]string) (*Languages, error) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, fmt.Errorf("read words: %w", err)
	}
	all := &Languages{by: map[string]*Language{}}
	for _, entry := range entries {
		b, err := fs.ReadFile(files, path.Join(dir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read words: %w", err)
		}
		l := &Language{Tag: strings.TrimSuffix(entry.Name(), ".json"), sentences: map[string]string{}}
		if err := json.Unmarshal(b, &l.sentences); err != nil {
			return nil, fmt.Errorf("read words of %s: %w", l.Tag, err)
		}
		l.names = namesOf(l.sentences)
		all.by[l.Tag] = l
	}
	if all.first = all.by[first]; all.first == nil {
		return nil, fmt.Errorf("read words: there is no %s.json", first)
	}
	maps.Copy(all.first.sentences, english)
	return all, all.check()
}

// Must is for words that are part of the program and are whole by its tests.
func Must(all *Languages, err error) *Languages {
	if err != nil {
		panic(err)
	}
	return all
}

func (all *Languages) check() error {
	var faults []error
	for _, tag := range all.Tags() {
		faults = append(faults, all.by[tag].against(all.first)...)
	}
	return errors.Join(faults...)
}

// Tags are the languages, in order.
func (all *Languages) Tags() []string {
	tags := make([]string, 0, len(all.by))
	for tag := range all.by {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	return tags
}

// Of is the first language of these tags that is spoken here, whatever the region;
// English where none is. Tags may be empty, and anything.
func (all *Languages) Of(tags ...string) *Language {
	for _, tag := range tags {
		if l := all.find(tag); l != nil {
			return l
		}
	}
	return all.first
}

func (all *Languages) find(tag string) *Language {
	if l := all.by[tag]; l != nil {
		return l
	}
	return all.by[Primary(tag)]
}

// Primary is the language of a tag in lower case, without script and region.
func Primary(tag string) string {
	if i := strings.IndexAny(tag, "-_"); i >= 0 {
		tag = tag[:i]
	}
	return strings.ToLower(tag)
}

// mostAccepted bounds how much of an Accept-Language header is read.
const mostAccepted = 16

// Accepted are the tags of an Accept-Language header (RFC 9110, 12.5.4), what the browser
// likes best first, without what it refuses. Of one that cannot be read they are what can.
func Accepted(header string) []string {
	type accepted struct {
		tag     string
		quality float64
	}
	var all []accepted
	for part := range strings.SplitSeq(header, ",") {
		if len(all) == mostAccepted {
			break
		}
		tag, parameter, _ := strings.Cut(part, ";")
		a := accepted{strings.TrimSpace(tag), 1}
		if q, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			a.quality, _ = strconv.ParseFloat(q, 64) // 0 where it is no number
		}
		if a.tag != "" && a.quality > 0 {
			all = append(all, a)
		}
	}
	slices.SortStableFunc(all, func(a, b accepted) int { return cmp.Compare(b.quality, a.quality) })
	tags := make([]string, len(all))
	for i, a := range all {
		tags[i] = a.tag
	}
	return tags
}

// Sentences are all of the language by key, for reading only.
func (l *Language) Sentences() map[string]string { return l.sentences }

// Has reports whether there is a sentence of this key.
func (l *Language) Has(key string) bool {
	_, ok := l.sentences[key]
	return ok
}

// Say fills args into a sentence; numbers of type float64 are written as the language
// writes them. A key without a sentence shows itself.
func (l *Language) Say(key string, args ...any) string {
	s, ok := l.sentences[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return s
	}
	for i, arg := range args {
		if n, ok := arg.(float64); ok {
			args = slices.Clone(args)
			args[i] = l.number(n)
		}
	}
	return fmt.Sprintf(s, args...)
}

// number writes a number with the language's own decimal mark.
func (l *Language) number(n float64) string {
	s := strconv.FormatFloat(n, 'f', -1, 64)
	return strings.Replace(s, ".", l.sentences["format.decimal"], 1)
}

package mapping

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/salesforce"
)

// reader reads a record by a section's words. A word without a field reads as
// nothing.
type reader struct {
	r      salesforce.Record
	fields Fields
}

func (g reader) text(word string) string {
	if g.fields[word] == "" {
		return ""
	}
	return strings.TrimSpace(strings.ToValidUTF8(g.r.Text(g.fields[word]), ""))
}

// line is text on one line.
func (g reader) line(word string) string { return strings.Join(strings.Fields(g.text(word)), " ") }

func (g reader) flag(word string) bool { return g.text(word) == "true" }

func (g reader) id(word string) string { return salesforce.ID(g.text(word)) }

func (g reader) time(word string) time.Time {
	t, _ := salesforce.ParseTime(g.text(word))
	return t
}

// day is the start of a date in loc, zero if there is none.
func (g reader) day(word string, loc *time.Location) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, g.text(word), loc)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func (g reader) number(word string) (float64, bool) {
	if g.fields[word] == "" {
		return 0, false
	}
	return g.r.Number(g.fields[word])
}

func (g reader) whole(word string, otherwise int) int {
	if g.fields[word] == "" {
		return otherwise
	}
	if n, ok := g.r.Int(g.fields[word]); ok {
		return n
	}
	return otherwise
}

// named are the given names and those of all fields, each once, in a stable order.
func named(fields Fields, first ...string) []string {
	return unique(append(first, slices.Sorted(maps.Values(fields))...))
}

func unique(names []string) []string {
	var out []string
	for _, name := range names {
		if name != "" && !slices.ContainsFunc(out, func(n string) bool { return strings.EqualFold(n, name) }) {
			out = append(out, name)
		}
	}
	return out
}

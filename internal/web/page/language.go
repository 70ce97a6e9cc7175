package page

import (
	"html/template"
	"strings"

	"github.com/turnout-events/turnout"
)

// foreign is the language of an event's own words for a lang attribute: empty
// where it is the page's, whatever the region (WCAG 2.2, 3.1.2).
func (p *Pages) foreign(e *turnout.Event) string {
	if primary(e.Language) == primary(p.say("site.language")) {
		return ""
	}
	return e.Language
}

// primary is the language of a tag, without script and region.
func primary(tag string) string {
	language, _, _ := strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
	return strings.ToLower(language)
}

// said is an organiser's text amid words of ours, marked where its language is
// another one.
func said(text, language string) template.HTML {
	escaped := template.HTMLEscapeString(text)
	if language != "" {
		escaped = `<span lang="` + template.HTMLEscapeString(language) + `">` + escaped + `</span>`
	}
	return template.HTML(escaped)
}

// fillHTML puts markup in place of each %s of a sentence of ours.
func fillHTML(sentence string, args ...template.HTML) template.HTML {
	var b strings.Builder
	rest := sentence
	for _, arg := range args {
		before, after, found := strings.Cut(rest, "%s")
		if !found {
			break
		}
		b.WriteString(template.HTMLEscapeString(before))
		b.WriteString(string(arg))
		rest = after
	}
	b.WriteString(template.HTMLEscapeString(rest))
	return template.HTML(b.String())
}

package page

import (
	"fmt"
	"html/template"
	"slices"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/words"
)

// foreign is the language of an event's own words for a lang attribute: empty
// where it is the page's, whatever the region (WCAG 2.2, 3.1.2).
func (p *Edition) foreign(e *turnout.Event) string {
	if words.Primary(e.Language) == p.Tag {
		return ""
	}
	return e.Language
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

// fillHTML puts markup in place of each %s of a sentence of ours. One without any is
// anybody's, and stays as it is.
func fillHTML(sentence string, args ...template.HTML) template.HTML {
	escaped := template.HTMLEscapeString(sentence)
	if len(args) == 0 {
		return template.HTML(escaped)
	}
	values := make([]any, len(args))
	for i, arg := range args {
		values[i] = arg
	}
	return template.HTML(fmt.Sprintf(escaped, values...))
}

// ruleWords are the English words for what a submission breaks, by key.
func ruleWords() map[string]string {
	english := map[string]string{}
	for rule, format := range turnout.Rules() {
		english["fault."+string(rule)] = format
	}
	for part, name := range turnout.Parts() {
		english["part."+part] = name
	}
	return english
}

// fault says what to do about a fault: by its rule, or in its own words.
func (p *Edition) fault(f turnout.FieldError) string {
	if f.Rule == "" {
		return f.Message
	}
	args := slices.Clone(f.Args)
	for i, arg := range args {
		if part, ok := arg.(turnout.Part); ok {
			args[i] = p.part(part)
		}
	}
	return p.Say("fault."+string(f.Rule), args...)
}

func (p *Edition) part(part turnout.Part) string {
	if part.Guest > 0 {
		return p.Say("part."+part.Key(), part.Guest)
	}
	return p.Say("part." + part.Key())
}

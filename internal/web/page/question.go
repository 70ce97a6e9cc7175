package page

import (
	"html/template"
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
)

// question turns one of the event's own questions into a field.
func (p *Edition) question(e *turnout.Event, q turnout.Question, answer []string, bad string) field {
	name := "answers." + q.ID
	f := field{ID: name, Name: name, Label: q.Label, Help: q.Help, Lang: p.foreign(e), Error: bad, Optional: !q.Required, Required: q.Required && q.ShowIf == nil, Value: strings.Join(answer, "\n")}
	switch q.Kind {
	case turnout.KindLongText:
		f.Type, f.Hint = "textarea", p.Say("form.limit", q.Limit())
	case turnout.KindEmail:
		f.Type = "email"
	case turnout.KindPhone:
		// No autocomplete: the number asked for may be somebody else's.
		f.Type = "tel"
	case turnout.KindNumber:
		f.Type, f.Hint, f.Value = "number", p.bounds(q), p.numberText(f.Value)
	case turnout.KindDate:
		f.Type = "date"
	case turnout.KindChoice:
		f.Type, f.Options = "radios", options(name, q.Choices, q.Choices, answer, f.Lang)
	case turnout.KindChoices:
		f.Type, f.Options = "checkboxes", options(name, q.Choices, q.Choices, answer, f.Lang)
		if q.Help == "" {
			f.Hint = p.Say("form.choose.any")
		}
	case turnout.KindYesNo:
		f.Type, f.Options = "radios", options(name, []string{"yes", "no"}, []string{p.Say("form.yes"), p.Say("form.no")}, answer, "")
	default:
		f.Type = "text"
	}
	p.condition(&f, e, q)
	return f
}

func options(name string, values, labels, chosen []string, language string) []option {
	list := make([]option, len(values))
	for i, v := range values {
		list[i] = option{ID: optionID(name, i), Value: v, Label: labels[i], Lang: language, Checked: slices.Contains(chosen, v)}
	}
	return list
}

func (p *Edition) bounds(q turnout.Question) string {
	switch {
	case q.Min != nil && q.Max != nil:
		return p.Say("form.number.between", *q.Min, *q.Max)
	case q.Min != nil:
		return p.Say("form.number.min", *q.Min)
	case q.Max != nil:
		return p.Say("form.number.max", *q.Max)
	}
	return ""
}

// condition says when a question counts, in words for everybody and as data
// for the script that hides it until then.
func (p *Edition) condition(f *field, e *turnout.Event, q turnout.Question) {
	if q.ShowIf == nil {
		return
	}
	on, ok := e.Form.Question(q.ShowIf.Question)
	if !ok {
		return
	}
	labels := make([]string, len(q.ShowIf.Values))
	for i, v := range q.ShowIf.Values {
		label, language := p.answerLabel(e, on, v)
		labels[i] = string(fillHTML(p.Say("form.quote"), said(label, language)))
	}
	f.If, f.Is = "answers."+on.ID, q.ShowIf.Values
	or := string(fillHTML(p.Say("form.or")))
	f.IfText = fillHTML(p.Say("form.if"), said(on.Label, f.Lang), template.HTML(strings.Join(labels, or)))
}

// answerLabel is an answer as the form words it, and its language: of the
// event's own choices that is the event's, of what people type nobody knows it.
func (p *Edition) answerLabel(e *turnout.Event, q turnout.Question, value string) (label, language string) {
	switch {
	case q.Kind == turnout.KindYesNo && (value == "yes" || value == "no"):
		return p.Say("form." + value), ""
	case len(q.Choices) > 0:
		return value, p.foreign(e)
	case q.Kind == turnout.KindNumber:
		return p.numberText(value), ""
	}
	return value, ""
}

// numberText writes a number that somebody gave as the language writes it, so that it is
// taken when it is sent again: with three digits behind it a comma may stand for thousands.
func (p *Edition) numberText(value string) string {
	whole, part, found := strings.Cut(value, ".")
	if !found || len(part) == 3 || strings.Contains(part, ".") {
		return value
	}
	return whole + p.Say("format.decimal") + part
}

package api

import (
	"encoding/json"
	"errors"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/turnout-events/turnout"
)

// Answer is the answer to one question: text, a number, true or false, or a
// list of those. Null is no answer.
type Answer []string

var errAnswer = errors.New("not an answer")

// UnmarshalJSONFrom reads an answer as the form keeps it: numbers as they were
// written, true and false as "yes" and "no".
func (a *Answer) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*a = nil
	if d.PeekKind() != '[' {
		return a.readOne(d)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if err := a.readOne(d); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func (a *Answer) readOne(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case '{', '[':
		return errAnswer
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case 'n':
	case 't':
		*a = append(*a, "yes")
	case 'f':
		*a = append(*a, "no")
	default:
		*a = append(*a, token.String())
	}
	return nil
}

// MarshalJSON writes one value as text and any other number as a list.
func (a Answer) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// Wanted says what an answer takes.
func (Answer) Wanted() string { return "text, a number, true or false, or a list of those" }

// Schema implements huma.SchemaProvider.
func (Answer) Schema(huma.Registry) *huma.Schema {
	one := func() []*huma.Schema {
		return []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}, {Type: huma.TypeBoolean}}
	}
	return &huma.Schema{
		Description: "Text, a number, true or false (kept as yes or no), or a list of those. Null is no answer.",
		OneOf:       append(one(), &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{OneOf: one()}}, &huma.Schema{Type: "null"}),
	}
}

// answersOf are a registration's answers: a list for questions that take one.
func answersOf(e *turnout.Event, answers turnout.Answers) map[string]any {
	out := make(map[string]any, len(answers))
	for id, values := range answers {
		q, known := e.Form.Question(id)
		if len(values) == 1 && (!known || q.Kind != turnout.KindChoices) {
			out[id] = values[0]
			continue
		}
		out[id] = values
	}
	return out
}

package page

import "strings"

// FieldError is one thing that is wrong with a form.
type FieldError struct {
	// Field is a field's name, empty when it is none in particular.
	Field   string
	Message string
}

// FieldErrors are all that is wrong. As an error they refuse a change.
type FieldErrors []FieldError

// Error joins the messages.
func (e FieldErrors) Error() string {
	messages := make([]string, len(e))
	for i, one := range e {
		messages[i] = one.Message
	}
	return strings.Join(messages, "; ")
}

// of is what is wrong with a field, or "".
func (e FieldErrors) of(field string) string {
	for _, one := range e {
		if one.Field == field && field != "" {
			return one.Message
		}
	}
	return ""
}

// frame is what every page has around its content.
type frame struct {
	Title string
	// Errors stand before all else on the page, and make it say so in its title.
	Errors FieldErrors
	// Said is what the form did that led to the page, empty for none.
	Said string
}

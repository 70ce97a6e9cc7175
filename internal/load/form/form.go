// Package form cuts the form out of a page and fills it as a visitor would:
// whatever is hidden or prefilled goes back as it was, what must be answered is
// answered with what the form offers. It looks at tags alone, since parsing whole
// pages would cost a generator of load more than the pages cost their server.
package form

import (
	"html"
	"net/url"
	"strings"
)

// A Form is what a page asks to be sent. The zero value asks for nothing.
type Form struct {
	// Action is where it is to be sent, relative to the page; may be empty.
	Action string
	fields []field
	// buttons are names and values of those that say something by themselves.
	buttons []field
}

// field is an input, a choice of a group, or a button.
type field struct {
	name, value, kind string
	required, chosen  bool
	least             string // of numbers and dates
}

// Cut finds the first form of a page that is posted. Its text is not kept.
func Cut(page string) (f Form, ok bool) {
	for rest := page; ; {
		at := strings.Index(rest, "<form")
		if at < 0 {
			return Form{}, false
		}
		tag, inside := split(rest[at+len("<form"):])
		attrs := attributes(tag)
		inside, rest, _ = strings.Cut(inside, "</form")
		if strings.EqualFold(attrs["method"], "post") {
			f.Action = attrs["action"]
			f.read(inside)
			return f, true
		}
	}
}

// read takes the fields of a form.
func (f *Form) read(text string) {
	selecting := -1 // the field of the <select> that its options belong to
	for {
		at := strings.IndexByte(text, '<')
		if at < 0 {
			return
		}
		name := text[at+1:]
		end := strings.IndexAny(name, " \n\t\r>/")
		if end <= 0 {
			text = name
			continue
		}
		name = name[:end]
		tag, rest := split(text[at+1+end:])
		text = rest
		switch strings.ToLower(name) {
		case "input":
			f.add("", tag)
		case "textarea":
			value, _, _ := strings.Cut(rest, "</textarea")
			f.add("textarea", tag)
			if n := len(f.fields); n > 0 && f.fields[n-1].kind == "textarea" {
				f.fields[n-1].value = html.UnescapeString(strings.TrimPrefix(value, "\n"))
			}
		case "select":
			selecting = len(f.fields)
			if f.add("select", tag); len(f.fields) == selecting {
				selecting = -1 // it has no name
			}
		case "option":
			f.option(selecting, tag)
		case "button":
			f.button(tag)
		}
	}
}

func (f *Form) add(kind, tag string) {
	a := attributes(tag)
	if kind == "" {
		kind = strings.ToLower(a["type"])
	}
	name := a["name"]
	_, disabled := a["disabled"]
	if name == "" || disabled {
		return
	}
	if kind == "submit" || kind == "image" {
		f.buttons = append(f.buttons, field{name: name, value: a["value"]})
		return
	}
	_, required := a["required"]
	_, chosen := a["checked"]
	value, given := a["value"]
	if !given && (kind == "checkbox" || kind == "radio") {
		value = "on"
	}
	f.fields = append(f.fields, field{name: name, value: value, kind: kind, required: required, chosen: chosen, least: a["min"]})
}

// option chooses what is selected, or else the first that says something where
// something must be chosen.
func (f *Form) option(selecting int, tag string) {
	if selecting < 0 {
		return
	}
	a, s := attributes(tag), &f.fields[selecting]
	_, selected := a["selected"]
	if selected || (s.required && s.value == "") {
		s.value = a["value"]
	}
}

func (f *Form) button(tag string) {
	a := attributes(tag)
	if a["name"] != "" {
		f.buttons = append(f.buttons, field{name: a["name"], value: a["value"]})
	}
}

// Value is the value that a field has on the page, "" where there is none.
func (f Form) Value(name string) string {
	for _, x := range f.fields {
		if x.name == name {
			return x.value
		}
	}
	return ""
}

// Offers reports whether the form has a button of this name.
func (f Form) Offers(button string) bool {
	for _, b := range f.buttons {
		if b.name == button {
			return true
		}
	}
	return false
}

// A Filling is how a form is filled.
type Filling struct {
	// Text answers a field that must be filled and is empty, by its name.
	Text func(name string) string
	// Choose picks one of n choices that a question offers, from 0.
	Choose func(n int) int
	// Fixed values win over everything; an empty one leaves its field out.
	Fixed map[string]string
	// Button is the name of the button that is pressed, "" for the plain one.
	Button string
}

// Encode is the form filled, as a browser sends it. It is in the page's order.
func (f Form) Encode(by Filling) string {
	var b strings.Builder
	write := func(name, value string) {
		if fixed, ok := by.Fixed[name]; ok {
			if value = fixed; fixed == "" {
				return
			}
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(value))
	}
	answered := map[string]bool{}
	for i, x := range f.fields {
		switch x.kind {
		case "radio":
			if !answered[x.name] {
				answered[x.name] = true
				if value, ok := f.choice(i, by); ok {
					write(x.name, value)
				}
			}
		case "checkbox":
			if x.chosen || x.required || by.Fixed[x.name] == x.value {
				write(x.name, x.value)
			}
		case "file":
		default:
			write(x.name, x.answer(by))
		}
	}
	for _, x := range f.buttons {
		if x.name == by.Button && by.Button != "" {
			write(x.name, x.value)
			break
		}
	}
	return b.String()
}

// choice picks one of a group: what is chosen already, or any where one must be.
func (f Form) choice(first int, by Filling) (string, bool) {
	name, required := f.fields[first].name, false
	var all []string
	for _, x := range f.fields[first:] {
		if x.name != name || x.kind != "radio" {
			continue
		}
		if x.chosen {
			return x.value, true
		}
		required = required || x.required
		all = append(all, x.value)
	}
	if _, fixed := by.Fixed[name]; fixed {
		return by.Fixed[name], true
	}
	if !required {
		return "", false
	}
	if by.Choose == nil {
		return all[0], true
	}
	return all[by.Choose(len(all))], true
}

// answer is what stands in a field, or something that it takes where it must not be empty.
func (x field) answer(by Filling) string {
	if x.value != "" || !x.required {
		return x.value
	}
	switch x.kind {
	case "number":
		if x.least != "" {
			return x.least
		}
		return "1"
	case "date":
		if x.least != "" {
			return x.least
		}
		return "2030-01-01"
	}
	if by.Text == nil {
		return "x"
	}
	return by.Text(x.name)
}

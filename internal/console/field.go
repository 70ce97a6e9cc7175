package console

import (
	"slices"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout"
)

// field is one field of the form by which a registration is amended.
type field struct {
	Name, Label, Help string
	// If says on which answer it is asked, empty for always. The form has no
	// script that would hide it.
	If string
	// Kind is "text", "long", "one" (of Choices) or "any" (of them).
	Kind     string
	Input    string // the input's type, for text
	Value    string
	Required bool
	Choices  []choice
	Error    string
}

// ID is the name as an HTML id.
func (f field) ID() string { return "f-" + f.Name }

// DescribedBy are the ids of what explains the field, or "".
func (f field) DescribedBy() string {
	var ids []string
	if f.If != "" {
		ids = append(ids, f.ID()+"-if")
	}
	if f.Help != "" {
		ids = append(ids, f.ID()+"-hint")
	}
	if f.Error != "" {
		ids = append(ids, f.ID()+"-error")
	}
	return strings.Join(ids, " ")
}

type choice struct {
	Value, Label string
	Picked       bool
}

// fieldsOf are the fields for an event's form with a registration's values.
// Nothing is checked in the browser, so that what Salesforce refused can be
// seen and what is wrong is said in words.
func fieldsOf(e *turnout.Event, d turnout.Details, faults []turnout.FieldError) []field {
	p := d.Person
	fields := []field{
		text("first_name", "First name", p.FirstName, true), text("last_name", "Last name", p.LastName, true),
	}
	if e.Form.Title != turnout.AskHidden {
		fields = append(fields, text("title", "Job title", p.Title, e.Form.Title == turnout.AskRequired))
	}
	if e.Form.Company != turnout.AskHidden {
		fields = append(fields, text("company", "Company", p.Company, e.Form.Company == turnout.AskRequired))
	}
	tickets := field{Name: "ticket", Label: "Ticket", Kind: "one", Required: true}
	for _, t := range e.Tickets {
		tickets.Choices = append(tickets.Choices, choice{t.ID, t.Name, t.ID == d.Ticket})
	}
	fields = append(fields, keep(tickets, []string{d.Ticket}))
	if len(e.Agenda) > 0 {
		agenda := field{Name: "agenda", Label: "Agenda", Kind: "any"}
		for _, item := range e.Agenda {
			agenda.Choices = append(agenda.Choices, choice{item.ID, item.Name, slices.Contains(d.Agenda, item.ID)})
		}
		fields = append(fields, keep(agenda, d.Agenda))
	}
	for i := range min(e.MaxGuests, len(d.Guests)+1) {
		var g turnout.Guest
		if i < len(d.Guests) {
			g = d.Guests[i]
		}
		row, who := "guests."+strconv.Itoa(i), "Guest "+strconv.Itoa(i+1)
		fields = append(fields, text(row+".first_name", who+": first name", g.FirstName, false), text(row+".last_name", who+": last name", g.LastName, false))
	}
	for _, q := range e.Form.Questions {
		f := asked(q, d.Answers[q.ID])
		f.If = onlyIf(&e.Form, q)
		fields = append(fields, f)
	}
	for i := range fields {
		for _, fault := range faults {
			if fault.Field == fields[i].Name && fields[i].Error == "" {
				fields[i].Error = fault.Message
			}
		}
	}
	return fields
}

// onlyIf says on which answer a question is asked, "" for always.
func onlyIf(form *turnout.Form, q turnout.Question) string {
	if q.ShowIf == nil {
		return ""
	}
	on, ok := form.Question(q.ShowIf.Question)
	if !ok {
		return ""
	}
	return "Only if the answer to “" + on.Label + "” is " + enumerate(q.ShowIf.Values, "or") + "."
}

// faultsOf are the faults in words for an operator. Those whose field is not on
// the page have none, so that no link leads nowhere.
func faultsOf(fields []field, faults []turnout.FieldError) []turnout.FieldError {
	out := slices.Clone(faults)
	for i := range out {
		out[i].Message = forOperator(out[i].Message)
		if !slices.ContainsFunc(fields, func(f field) bool { return f.Name == out[i].Field }) {
			out[i].Field = ""
		}
	}
	return out
}

// forOperator turns words that address the registrant into some that speak of
// them. A question's own label, which comes later, stays as it is.
func forOperator(message string) string {
	for theirs, ours := range map[string]string{
		"Enter your ": "Enter the ", "Shorten your ": "Shorten the ", "Bring at most ": "Leave at most ",
	} {
		if rest, ok := strings.CutPrefix(message, theirs); ok {
			return ours + rest
		}
	}
	return message
}

func text(name, label, value string, required bool) field {
	return field{Name: name, Label: label, Kind: "text", Input: "text", Value: value, Required: required}
}

// asked is the field of a question.
func asked(q turnout.Question, values []string) field {
	f := text("answers."+q.ID, q.Label, turnout.Answers{q.ID: values}.First(q.ID), q.Required)
	f.Help = q.Help
	switch q.Kind {
	case turnout.KindLongText:
		f.Kind = "long"
	case turnout.KindDate:
		f.Input = "date"
	case turnout.KindChoice, turnout.KindYesNo:
		f.Kind = "one"
	case turnout.KindChoices:
		f.Kind = "any"
	}
	allowed := q.Choices
	if q.Kind == turnout.KindYesNo {
		allowed = []string{"yes", "no"}
	}
	if f.Kind == "one" || f.Kind == "any" {
		for _, v := range allowed {
			f.Choices = append(f.Choices, choice{v, v, slices.Contains(values, v)})
		}
		return keep(f, values)
	}
	return f
}

// keep shows values that the list has no longer, since they are what was typed.
func keep(f field, values []string) field {
	for _, v := range values {
		if v != "" && !slices.ContainsFunc(f.Choices, func(c choice) bool { return c.Value == v }) {
			f.Choices = append(f.Choices, choice{v, v + " (not in the list any more)", true})
		}
	}
	return f
}

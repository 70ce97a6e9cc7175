package mapping

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// inOrder sorts parts by position, those without one last, and by id among equals.
func inOrder(part *Part, records []salesforce.Record) []reader {
	if part == nil {
		return nil
	}
	readers := make([]reader, len(records))
	for i, r := range records {
		readers[i] = reader{r, part.Fields}
	}
	position := func(g reader) float64 {
		if n, ok := g.number("position"); ok {
			return n
		}
		return math.Inf(1)
	}
	slices.SortStableFunc(readers, func(a, b reader) int {
		return cmp.Or(cmp.Compare(position(a), position(b)), strings.Compare(a.r.ID("Id"), b.r.ID("Id")))
	})
	return readers
}

// partID is a part's public id, or its record's.
func (g reader) partID() string {
	return cmp.Or(g.text("id"), g.r.ID("Id"))
}

func readTickets(part *Part, records []salesforce.Record) []turnout.Ticket {
	var tickets []turnout.Ticket
	for _, g := range inOrder(part, records) {
		tickets = append(tickets, turnout.Ticket{ID: g.partID(), Name: g.line("name"), About: g.text("about"), Seats: g.whole("seats", turnout.Unlimited)})
	}
	return tickets
}

func readAgenda(part *Part, records []salesforce.Record) []turnout.AgendaItem {
	var agenda []turnout.AgendaItem
	for _, g := range inOrder(part, records) {
		agenda = append(agenda, turnout.AgendaItem{
			ID: g.partID(), Name: g.line("name"), About: g.text("about"), Room: g.line("room"),
			Starts: g.time("starts"), Ends: g.time("ends"), Seats: g.whole("seats", turnout.Unlimited),
		})
	}
	return agenda
}

func readQuestions(part *Part, records []salesforce.Record, f *faults) []turnout.Question {
	var questions []turnout.Question
	readers := inOrder(part, records)
	ids := map[string]string{} // record id to question id, since a condition may name either
	for _, g := range readers {
		ids[g.r.ID("Id")] = g.partID()
	}
	for _, g := range readers {
		q := turnout.Question{
			ID: g.partID(), Label: g.line("label"), Help: g.text("help"), Kind: turnout.Kind(cmp.Or(g.text("kind"), string(turnout.KindText))),
			Required: g.flag("required"), MaxLength: g.whole("max_length", 0), Min: bound(g, "min"), Max: bound(g, "max"),
			Choices: split(g.text("choices"), "\n"), Target: g.text("target"),
		}
		if on := g.text("show_if_question"); on != "" {
			q.ShowIf = &turnout.Condition{Question: cmp.Or(ids[salesforce.ID(on)], on), Values: split(g.text("show_if_values"), ";")}
		}
		checkQuestion(q, f)
		questions = append(questions, q)
	}
	return questions
}

// checkQuestion faults what turnout.Event.Validate cannot know about.
func checkQuestion(q turnout.Question, f *faults) {
	if q.Target != "" && !salesforce.APIName(q.Target) {
		f.add("questions."+q.ID, "the target field must be an API name such as Diet__c")
	}
	if q.ShowIf != nil && len(q.ShowIf.Values) == 0 {
		f.add("questions."+q.ID, "say for which answers the question is shown")
	}
	if q.MaxLength < 0 {
		f.add("questions."+q.ID, "the greatest length must be 0 or more")
	}
}

func bound(g reader, word string) *float64 {
	n, ok := g.number(word)
	if !ok || math.IsInf(n, 0) || math.IsNaN(n) {
		return nil
	}
	return &n
}

func split(text, by string) []string {
	var values []string
	for v := range strings.SplitSeq(text, by) {
		if v = strings.TrimSpace(v); v != "" && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

package query

import (
	"slices"
	"strings"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/soql"
)

// having compiles the condition on groups. Plain fields in it must be grouped
// by: they have one value in each group.
func (c *compiler) having(p *Plan, q *soql.Query) *soql.Error {
	if q.Having == nil {
		return nil
	}
	compiled, err := c.condition(p.Object, q.Having)
	if err != nil {
		return err
	}
	if text := p.ungrouped(compiled); text != "" {
		return c.fail("MALFORMED_QUERY", q.From.At, "Field must be grouped or aggregated: %s", text)
	}
	p.having = compiled
	return nil
}

// ungrouped names a field of a condition that groups have many values of, or "".
func (p *Plan) ungrouped(of condition) string {
	var terms []condition
	switch of := of.(type) {
	case allOf:
		terms = of
	case anyOf:
		terms = of
	case negate:
		terms = []condition{of.condition}
	case *comparison:
		grouped := slices.ContainsFunc(p.groups, func(g path) bool { return strings.EqualFold(g.text, of.path.text) })
		if of.function == "" && !grouped {
			return of.path.text
		}
	}
	for _, term := range terms {
		if text := p.ungrouped(term); text != "" {
			return text
		}
	}
	return ""
}

// kept reports whether a group meets a condition.
func (p *Plan) kept(v records.View, table *records.Table, members []uint32, of condition) bool {
	meets := func(term condition) bool { return p.kept(v, table, members, term) }
	switch of := of.(type) {
	case allOf:
		return !slices.ContainsFunc(of, func(term condition) bool { return !meets(term) })
	case anyOf:
		return slices.ContainsFunc(of, meets)
	case negate:
		return !meets(of.condition)
	case *comparison:
		return of.matches(v, p.groupValue(v, table, members, of.function, of.path))
	}
	return false
}

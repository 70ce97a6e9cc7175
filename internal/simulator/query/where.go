package query

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
	"github.com/turnout-events/turnout/internal/simulator/soql"
)

// condition is a WHERE clause, ready to be asked about records.
type condition interface {
	holds(records.View, *records.Table, *records.Row) bool
}

type (
	allOf  []condition
	anyOf  []condition
	negate struct{ condition }
)

func (a allOf) holds(v records.View, t *records.Table, r *records.Row) bool {
	return !slices.ContainsFunc(a, func(c condition) bool { return !c.holds(v, t, r) })
}

func (a anyOf) holds(v records.View, t *records.Table, r *records.Row) bool {
	return slices.ContainsFunc(a, func(c condition) bool { return c.holds(v, t, r) })
}

func (n negate) holds(v records.View, t *records.Table, r *records.Row) bool {
	return !n.condition.holds(v, t, r)
}

// comparison holds a field against values in the field's canonical form.
type comparison struct {
	path  path
	field *schema.Field // whose type the values have: the path's, or a number's
	// function is an aggregate of the path's values in a group; "" for the
	// value itself.
	function string
	op       string
	values   []string            // folded for text
	set      map[string]struct{} // the same, for IN
	from     string              // of a relative date or a day: [from, to)
	to       string
	span     bool
	query    *Plan // IN (SELECT …)
	column   path
}

func (c *compiler) condition(object *schema.Object, e soql.Expr) (condition, *soql.Error) {
	switch e := e.(type) {
	case *soql.And:
		terms, err := c.terms(object, e.Terms)
		return allOf(terms), err
	case *soql.Or:
		terms, err := c.terms(object, e.Terms)
		return anyOf(terms), err
	case *soql.Not:
		term, err := c.condition(object, e.Term)
		return negate{term}, err
	}
	return c.comparison(object, e.(*soql.Compare))
}

func (c *compiler) terms(object *schema.Object, exprs []soql.Expr) ([]condition, *soql.Error) {
	var terms []condition
	for _, e := range exprs {
		term, err := c.condition(object, e)
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
	return terms, nil
}

func (c *compiler) comparison(object *schema.Object, e *soql.Compare) (condition, *soql.Error) {
	out := &comparison{op: e.Op, function: e.Func}
	if e.Func == "" || len(e.Path.Names) > 0 {
		p, err := c.resolve(object, e.Path)
		if err != nil {
			return nil, err
		}
		out.path, out.field = p, p.field
	}
	switch e.Func {
	case "COUNT", "COUNT_DISTINCT", "SUM", "AVG":
		out.field = &schema.Field{Name: e.Func, Type: schema.Double}
	}
	field := out.field
	if field.LongTxt {
		return nil, c.fail("INVALID_FIELD", e.Path.At, "field '%s' can not be filtered in a query call", e.Path)
	}
	if (e.Op == "INCLUDES" || e.Op == "EXCLUDES") != (field.Type == schema.Multi) && e.Op != "=" && e.Op != "!=" {
		return nil, c.fail("INVALID_FIELD", e.Path.At, "operator %s does not fit the type of field '%s'", e.Op, e.Path)
	}
	if e.Query != nil {
		return out, c.semiJoin(out, e)
	}
	for _, literal := range e.Values {
		if err := c.value(out, field, literal); err != nil {
			return nil, err
		}
	}
	if e.Op == "IN" || e.Op == "NOT IN" {
		out.set = make(map[string]struct{}, len(out.values))
		for _, v := range out.values {
			out.set[v] = struct{}{}
		}
	}
	return out, nil
}

func (c *compiler) semiJoin(out *comparison, e *soql.Compare) *soql.Error {
	object := c.schema.Object(e.Query.From.Text)
	if object == nil {
		return c.unknownObject(e.Query.From)
	}
	if len(e.Query.Select) != 1 || len(e.Query.Select[0].Path.Names) == 0 || e.Query.Select[0].Func != "" {
		return c.fail("MALFORMED_QUERY", e.Query.From.At, "Only one column can be selected in semi join sub-selects")
	}
	sub, err := c.plan(object, e.Query)
	if err != nil {
		return err
	}
	out.query, out.column = sub, sub.columns[0].path
	return nil
}

// value turns a literal into the field's canonical form, or refuses its type.
func (c *compiler) value(out *comparison, field *schema.Field, l soql.Literal) *soql.Error {
	wrong := func() *soql.Error {
		return c.fail("INVALID_FIELD", l.At, "value of filter criterion for field '%s' must be of type %s%s",
			field.Name, field.Type, map[bool]string{true: " and should not be enclosed in quotes", false: " and should be enclosed in quotes"}[l.Kind == soql.Text])
	}
	if l.Kind == soql.Null {
		if field.Type == schema.Boolean {
			out.values = append(out.values, "false")
			return nil
		}
		out.values = append(out.values, "")
		return nil
	}
	switch field.Type {
	case schema.Boolean:
		if l.Kind != soql.Bool {
			return wrong()
		}
		out.values = append(out.values, l.Text)
	case schema.Double, schema.Int:
		if l.Kind != soql.Number {
			return wrong()
		}
		number, _ := strconv.ParseFloat(l.Text, 64)
		out.values = append(out.values, strconv.FormatFloat(number, 'f', -1, 64))
	case schema.Date, schema.DateTime:
		return c.moment(out, field, l, wrong)
	default:
		if l.Kind != soql.Text {
			return wrong()
		}
		return c.textual(out, field, l)
	}
	return nil
}

func (c *compiler) textual(out *comparison, field *schema.Field, l soql.Literal) *soql.Error {
	text := l.Plain()
	switch {
	case out.op == "LIKE":
		if field.Type == schema.ID || field.Type == schema.Reference {
			return c.fail("INVALID_FIELD", l.At, "invalid operator on id field")
		}
		text = l.Text
	case field.Type == schema.ID || field.Type == schema.Reference:
		if text != "" && !records.WellFormed(text) {
			return c.fail("INVALID_QUERY_FILTER_OPERATOR", l.At, "invalid ID field: %s", text)
		}
		text = records.Long(text)
	default:
		text = field.Fold(text)
	}
	out.values = append(out.values, text)
	return nil
}

// moment reads dates. A day against a date-time, and a relative date against
// either, means a span.
func (c *compiler) moment(out *comparison, field *schema.Field, l soql.Literal, wrong func() *soql.Error) *soql.Error {
	layout := time.DateOnly
	if field.Type == schema.DateTime {
		layout = "2006-01-02T15:04:05.000Z"
	}
	switch l.Kind {
	case soql.Relative:
		from, to := l.Range(c.now)
		out.span, out.from, out.to = true, from.Format(layout), to.Format(layout)
	case soql.Date:
		if field.Type == schema.DateTime {
			return wrong()
		}
		out.values = append(out.values, l.Text)
	case soql.DateTime:
		if field.Type != schema.DateTime {
			return wrong()
		}
		at, ok := records.ParseTime(l.Text)
		if !ok {
			return wrong()
		}
		out.values = append(out.values, at.Format(layout))
	default:
		return wrong()
	}
	return nil
}

func (c *comparison) holds(v records.View, t *records.Table, row *records.Row) bool {
	return c.matches(v, valueAt(v, t, row, c.path))
}

// matches holds a value of the comparison's type against what was asked.
func (c *comparison) matches(v records.View, value string) bool {
	field := c.field
	switch {
	case c.query != nil:
		return c.inQuery(v, value) == (c.op == "IN")
	case c.span:
		return c.inSpan(value)
	case c.op == "LIKE":
		return value != "" && soql.Like(c.values[0], value)
	case c.op == "INCLUDES" || c.op == "EXCLUDES":
		return c.includes(value) == (c.op == "INCLUDES")
	}
	switch field.Type {
	case schema.Double, schema.Int:
		return c.number(value)
	case schema.Boolean, schema.Date, schema.DateTime, schema.ID, schema.Reference:
	default:
		value = field.Fold(value)
	}
	if c.set != nil {
		_, in := c.set[value]
		return in == (c.op == "IN")
	}
	return compare(c.op, strings.Compare(value, c.values[0]), value == "" || c.values[0] == "")
}

func (c *comparison) number(value string) bool {
	if c.set != nil {
		_, in := c.set[value]
		return in == (c.op == "IN")
	}
	return compare(c.op, compareNumbers(value, c.values[0]), value == "" || c.values[0] == "")
}

// compare turns an ordering into an answer; null is never less or greater.
func compare(op string, order int, null bool) bool {
	switch op {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	}
	if null {
		return false
	}
	switch op {
	case "<":
		return order < 0
	case ">":
		return order > 0
	case "<=":
		return order <= 0
	}
	return order >= 0
}

func compareNumbers(a, b string) int {
	x, _ := strconv.ParseFloat(a, 64)
	y, _ := strconv.ParseFloat(b, 64)
	switch {
	case a == "" && b == "":
		return 0
	case a == "":
		return -1
	case b == "":
		return 1
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func (c *comparison) inSpan(value string) bool {
	switch c.op {
	case "=":
		return value >= c.from && value < c.to
	case "!=":
		return value < c.from || value >= c.to
	}
	if value == "" {
		return false
	}
	switch c.op {
	case "<":
		return value < c.from
	case "<=":
		return value < c.to
	case ">":
		return value >= c.to
	}
	return value >= c.from
}

func (c *comparison) includes(value string) bool {
	have := strings.Split(strings.ToLower(value), ";")
	return slices.ContainsFunc(c.values, func(want string) bool {
		for part := range strings.SplitSeq(want, ";") {
			if !slices.Contains(have, part) {
				return false
			}
		}
		return true
	})
}

// inQuery asks whether the sub-select has the value, through the sub-select's
// own index where it has one.
func (c *comparison) inQuery(v records.View, value string) bool {
	if value == "" {
		return false
	}
	table := v.Table(c.query.Object)
	matches := func(row *records.Row) bool {
		return !row.Deleted && valueAt(v, table, row, c.column) == value &&
			(c.query.where == nil || c.query.where.holds(v, table, row))
	}
	if len(c.column.via) == 0 && (c.column.field.Indexed() || c.column.field.Index == schema.AtID) {
		return slices.ContainsFunc(table.Find(c.column.field, value), func(pos uint32) bool { return matches(table.At(pos)) })
	}
	for pos := range table.Len() {
		if matches(table.At(uint32(pos))) {
			return true
		}
	}
	return false
}

// valueAt follows a path from a record; a missing parent is null.
func valueAt(v records.View, t *records.Table, row *records.Row, p path) string {
	for _, lookup := range p.via {
		t, row = v.ByID(v.Value(t, row, lookup))
		if row == nil {
			return ""
		}
	}
	field := p.field
	if len(p.via) > 0 {
		if field = t.Object.Field(p.names[len(p.names)-1]); field == nil {
			return ""
		}
	}
	return v.Value(t, row, field)
}
